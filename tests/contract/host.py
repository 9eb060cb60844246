"""The host: what is told of it, its messages, its knobs and watchdogs."""

import errno

from tests.contract.bench import Bench, refused
from xend.hypervisor import WATCHDOG_TIMERS

#: A watchdog's timeout that no test takes as long as.
LONG_S = 3600


async def the_host(bench: Bench) -> None:
    info = await bench.hypervisor.host_info()
    assert bench.hypervisor.name
    assert bench.hypervisor.store_platform
    assert 3 * bench.memory_kib <= info.free_memory_kib <= info.total_memory_kib
    assert min(info.outstanding_claims_kib, info.sharing_freed_kib, info.sharing_used_kib) >= 0
    assert min(info.nr_cpus, info.nr_nodes, info.cores_per_socket, info.threads_per_core) >= 1
    assert len(info.hw_caps) == 8
    assert all(0 <= word < 1 << 32 for word in info.hw_caps)
    assert set(info.virt_caps) <= {
        "pv", "hvm", "hvm_directio", "pv_directio", "hap", "shadow", "iommu_hap_pt_share", "vmtrace", "vpmu",
        "gnttab-v1", "gnttab-v2",
    }  # fmt: skip
    assert ("xen-3.0-x86_64" in info.xen_caps.split()) == ("pv" in info.virt_caps)
    assert ("hvm-3.0-x86_64" in info.xen_caps.split()) == ("hvm" in info.virt_caps)
    assert info.xen_pagesize == 4096


async def topology(bench: Bench) -> None:
    info = await bench.hypervisor.host_info()
    cpus, nodes = await bench.hypervisor.topology(), await bench.hypervisor.nodes()
    assert [cpu.number for cpu in cpus] == list(range(len(cpus)))
    assert len(cpus) >= info.nr_cpus
    assert {cpu.node for cpu in cpus} - {None} <= {node.number for node in nodes}
    assert [node.distances[node.number] for node in nodes] == [10] * len(nodes)
    assert all(device.node < len(nodes) for device in await bench.hypervisor.device_nodes())
    idle = await bench.hypervisor.idle_times()
    assert len(idle) >= info.nr_cpus
    assert all(
        later >= before for later, before in zip(await bench.hypervisor.idle_times(), idle, strict=True)
    )
    for type in ("pv", "hvm"):
        leaves = await bench.hypervisor.cpu_policy(type)
        assert leaves is None or all(0 <= word < 1 << 32 for leaf in leaves for word in leaf)
        assert leaves is None or {1, 7} & {leaf[0] for leaf in leaves}
    domid = await bench.create()
    assert set(await bench.hypervisor.node_affinity(domid)) <= {node.number for node in nodes}


async def knobs_of_the_hypervisor(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    before = len(await hypervisor.message_buffer())
    await hypervisor.send_debug_keys("h")
    assert len(await hypervisor.message_buffer()) > before
    with refused(errno.EINVAL):
        await hypervisor.send_debug_keys("")
    with refused(errno.ENOENT, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        await hypervisor.set_boot_parameters({"no-such-parameter": "1"})
    if await hypervisor.is_enforcing() is None:
        with refused(errno.ENOSYS):
            await hypervisor.set_enforcing(enforcing=True)
        with refused(errno.ENOSYS):
            await hypervisor.load_policy(b"policy")
        with refused(errno.ENOSYS):
            await hypervisor.label_number("system_u:system_r:domU_t")
        with refused(errno.ENOSYS):
            await hypervisor.label_of(1)
        with refused(errno.ENOSYS):
            await hypervisor.set_label(0, 1)


async def messages(bench: Bench) -> None:
    assert (await bench.hypervisor.message_buffer()).endswith(b"\n")
    text = await bench.hypervisor.message_buffer()
    assert await bench.hypervisor.message_buffer(clear=True) == text
    assert len(await bench.hypervisor.message_buffer()) < len(text)
    await bench.create()


async def watchdogs(bench: Bench) -> None:
    """Of the domain this runs in: none of its timers may be armed, and none expires here."""
    hypervisor = bench.hypervisor
    armed = [await hypervisor.watchdog(0, LONG_S) for _ in range(WATCHDOG_TIMERS)]
    try:
        assert sorted(armed) == list(range(1, WATCHDOG_TIMERS + 1))
        with refused(errno.ENOSPC):
            await hypervisor.watchdog(0, LONG_S)
        for timer in armed:
            assert await hypervisor.watchdog(timer, LONG_S + 1) == timer
            assert await hypervisor.watchdog(timer, 0) == timer
            for timeout_s in (0, LONG_S):
                with refused(errno.EINVAL):
                    await hypervisor.watchdog(timer, timeout_s)
            assert await hypervisor.watchdog(0, LONG_S) == timer
        for timer, timeout_s in (
            (0, 0),
            (0, -1),
            (1, -1),
            (0, 1 << 32),
            (WATCHDOG_TIMERS + 1, LONG_S),
            (-1, LONG_S),
        ):
            with refused(errno.EINVAL):
                await hypervisor.watchdog(timer, timeout_s)
    finally:
        for timer in armed:
            await hypervisor.watchdog(timer, 0)
