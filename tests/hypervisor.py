"""Whether something is a Hypervisor: each sentence of the contract's docstrings, on one that runs.

    await check_hypervisor(maker)                                       a simulated host
    await check_hypervisor(maker, Guest(kernel=..., memory_kib=...))    a real one

`maker()` is an async context manager of a Hypervisor with at least three times the guest's memory free, on
which no test but this one makes domains.
"""

import errno
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio

from xend.hypervisor import (
    SHUTDOWN_REASONS,
    WATCHDOG_TIMERS,
    Blueprint,
    ConsoleRing,
    DomainInfo,
    DomainType,
    HostAccess,
    Hypervisor,
    HypervisorError,
    Image,
    Rings,
)
from xend.hypervisor.scheduling import CreditParameters, PoolParameters, RealTimeParameters
from xend.simulator.image import KERNEL

SOFT_RESET = SHUTDOWN_REASONS.index("soft_reset")
PATIENCE_SECONDS = 60.0
#: How often what a host does in its own time is looked at, in seconds.
LOOK_SECONDS = 0.05
#: A watchdog's timeout that no test takes as long as.
LONG_S = 3600
OUT_PROD = 3084

Maker = Callable[[], AbstractAsyncContextManager[Hypervisor]]


@attrs.frozen(kw_only=True)
class Guest:
    """What is booted, and how far what is known of it goes.

    Attributes:
        kernel: a file that prints something on its console as it boots; None: what a simulated host takes.
        command_line: with which it does.
        memory_kib: enough for it, in whole MiB.
        types: those that the host can run, and the kernel with it.
        slack_kib: by how much figures of memory may be off: a hypervisor makes some pages for itself.
        boots_again: after a soft reset it begins anew.  A real kernel does so only where it has put another
            one into its memory before.
        needs_frames: a console's frame is looked at even where its grant leads to the page.
        other: another program that uses the same host; None: only this one can.
    """

    kernel: Path | None = None
    command_line: str = ""
    memory_kib: int = 16 * 1024
    types: tuple[DomainType, ...] = ("pv", "pvh")
    slack_kib: int = 0
    boots_again: bool = True
    needs_frames: bool = True
    other: Maker | None = None


class Bench:
    """A hypervisor under test, files to boot, and the type of the domains that are made."""

    def __init__(self, hypervisor: Hypervisor, place: Path, guest: Guest, type: DomainType) -> None:
        self.hypervisor = hypervisor
        self.place = place
        self.guest = guest
        self.type = type
        self.memory_kib = guest.memory_kib
        self.kernel = guest.kernel or place / "kernel"
        if guest.kernel is None:
            self.kernel.write_bytes(KERNEL)

    def blueprint(self, **more: Any) -> Blueprint:
        """Of a domain with two vCPUs, unless it is said otherwise."""
        fields = {"max_vcpus": 2, "max_memory_kib": self.memory_kib, "type": self.type}
        return Blueprint(**{"uuid": str(uuid.uuid4()), **fields, **more})

    def image(self, **more: Any) -> Image:
        """For a domain of such a blueprint."""
        fields: dict[str, Any] = {"kernel": str(self.kernel), "command_line": self.guest.command_line}
        return Image(**{"blueprint": self.blueprint(), "memory_kib": self.memory_kib, **fields, **more})

    async def create(self, **more: Any) -> int:
        return await self.hypervisor.create(self.blueprint(**more))

    async def built(self) -> tuple[int, Rings]:
        blueprint = self.blueprint()
        domid = await self.hypervisor.create(blueprint)
        await self.hypervisor.claim(domid, self.memory_kib)
        return domid, await self.hypervisor.build(domid, self.image(blueprint=blueprint))

    async def info(self, domid: int) -> DomainInfo:
        info = await self.hypervisor.domain(domid)
        assert info is not None
        assert [info.domid, info.uuid] == [domid, info.uuid.lower()]
        return info

    async def free_kib(self) -> int:
        return (await self.hypervisor.host_info()).free_memory_kib

    def is_about(self, found_kib: int, expected_kib: int) -> bool:
        """Whether a figure is what was expected, as exact as this host is."""
        return abs(found_kib - expected_kib) <= self.guest.slack_kib

    async def is_free(self, kib: int) -> None:
        """Returns once about so much is free: a hypervisor takes its time to clean pages."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not self.is_about(await self.free_kib(), kib):
                await trio.sleep(LOOK_SECONDS)

    async def gone(self, domid: int) -> None:
        """Returns once a destroyed domain is gone."""
        with trio.fail_after(PATIENCE_SECONDS):
            while await self.hypervisor.domain(domid) is not None:
                await trio.sleep(LOOK_SECONDS)

    @asynccontextmanager
    async def tidy(self) -> AsyncIterator[None]:
        """All domains that are made within are gone afterwards, and their memory is free."""
        before, free = await self.hypervisor.domains(), await self.free_kib()
        try:
            yield
        finally:  # of a real host's, one that fails would go on and on
            for info in await self.hypervisor.domains():
                if info.domid not in {each.domid for each in before}:
                    await self.hypervisor.destroy(info.domid)
        for info in await self.hypervisor.domains():
            if info.domid not in {each.domid for each in before}:
                await self.gone(info.domid)
        left = await self.hypervisor.domains()
        assert [info.domid for info in left] == [info.domid for info in before]
        await self.is_free(free)


@contextmanager
def refused(*errnos: int) -> Iterator[None]:
    """Within, the hypervisor refuses for one of these reasons, in one line."""
    with pytest.raises(HypervisorError) as caught:
        yield
    error = caught.value
    assert error.errno in errnos, f"{error.text}: errno {error.errno}, expected one of {errnos}"
    assert error.text
    assert "\n" not in error.text


async def check_hypervisor(
    maker: Maker, guest: Guest | None = None, times: dict[str, float] | None = None
) -> None:
    """Raises AssertionError at the first sentence that does not hold.

    `times` becomes how long each check took, in seconds; then each is said, too, as it ends.
    """
    guest = guest or Guest()
    async with maker() as hypervisor:
        for number, type in enumerate(guest.types):
            with tempfile.TemporaryDirectory() as place:
                bench = Bench(hypervisor, Path(place), guest, type)
                for check in CHECKS if number == 0 else CHECKS_OF_EACH_TYPE:
                    began = trio.current_time()
                    async with bench.tidy():
                        await check(bench)
                    if times is not None:
                        times[check.__name__] = trio.current_time() - began
                        print(f"{type}: {check.__name__}", flush=True)


async def the_host(bench: Bench) -> None:
    info = await bench.hypervisor.host_info()
    assert bench.hypervisor.name
    assert bench.hypervisor.store_platform
    assert 3 * bench.memory_kib <= info.free_memory_kib <= info.total_memory_kib
    assert info.outstanding_claims_kib >= 0
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


async def cpu_pools(bench: Bench) -> None:
    pools = await bench.hypervisor.pools()
    assert [pool.number for pool in pools] == sorted({pool.number for pool in pools})
    assert pools[0].number == 0
    assert pools[0].scheduler == (await bench.hypervisor.host_info()).xen_scheduler
    cpus = [cpu for pool in pools for cpu in pool.cpus]
    assert len(cpus) == len(set(cpus))
    before = pools[0].domains
    assert before >= 1
    await bench.create()
    assert (await bench.hypervisor.pools())[0].domains == before + 1


async def topology(bench: Bench) -> None:
    info = await bench.hypervisor.host_info()
    cpus, nodes = await bench.hypervisor.topology(), await bench.hypervisor.nodes()
    assert [cpu.number for cpu in cpus] == list(range(len(cpus)))
    assert len(cpus) >= info.nr_cpus
    assert {cpu.node for cpu in cpus} - {None} <= {node.number for node in nodes}
    assert [node.distances[node.number] for node in nodes] == [10] * len(nodes)
    assert all(device.node < len(nodes) for device in await bench.hypervisor.device_nodes())
    domid = await bench.create()
    assert set(await bench.hypervisor.node_affinity(domid)) <= {node.number for node in nodes}


async def changing_cpu_pools(bench: Bench) -> None:
    """With the last CPU of the first pool; the host has at least two."""
    hypervisor = bench.hypervisor
    first = (await hypervisor.pools())[0]
    cpu, domid = first.cpus[-1], await bench.create()
    assert await hypervisor.free_cpus() == []
    await hypervisor.remove_cpu(0, cpu)
    assert await hypervisor.free_cpus() == [cpu]
    number = await hypervisor.create_pool("credit")
    try:
        with refused(errno.ESRCH):  # it has no CPU yet
            await hypervisor.move_domain(domid, number)
        await hypervisor.add_cpu(number, cpu)
        await hypervisor.move_domain(domid, number)
        assert (await bench.info(domid)).pool == number
        made = (await hypervisor.pools())[-1]
        assert [made.number, made.scheduler, made.domains, list(made.cpus)] == [number, "credit", 1, [cpu]]
        assert (await hypervisor.pool_parameters(number)).timeslice_ms is not None
        with refused(errno.EBUSY):
            await hypervisor.destroy_pool(number)
        with refused(errno.EBUSY):
            await hypervisor.remove_cpu(number, cpu)
        with refused(errno.ENODEV):
            await hypervisor.add_cpu(0, cpu)
        with refused(errno.ENODEV):
            await hypervisor.remove_cpu(0, cpu)
        await hypervisor.move_domain(domid, 0)
        await hypervisor.remove_cpu(number, cpu)
    finally:
        await hypervisor.destroy_pool(number)
        await hypervisor.add_cpu(0, cpu)
    for call in (
        lambda: hypervisor.destroy_pool(number),
        lambda: hypervisor.add_cpu(number, cpu),
        lambda: hypervisor.remove_cpu(number, cpu),
        lambda: hypervisor.pool_parameters(number),
        lambda: hypervisor.set_pool_parameters(number, PoolParameters(ratelimit_us=2000)),
    ):
        with refused(errno.ENOENT):
            await call()
    with refused(errno.ESRCH):
        await hypervisor.move_domain(domid, number)
    with refused(errno.EINVAL, errno.ENOENT):
        await hypervisor.create_pool("none")


async def scheduling(bench: Bench) -> None:
    """Under credit or credit2, as the first pool of every host has it."""
    hypervisor = bench.hypervisor
    domid = await bench.create()
    assert await hypervisor.parameters(domid) == CreditParameters(weight=256, cap=0)
    wanted = CreditParameters(weight=300, cap=80)
    await hypervisor.set_parameters(domid, wanted)
    assert await hypervisor.parameters(domid) == wanted
    with refused(errno.EINVAL):
        await hypervisor.set_parameters(domid, CreditParameters(weight=0, cap=0))
    real_time = RealTimeParameters(period_us=500, budget_us=500, extra_time=True)
    for call in (
        lambda: hypervisor.set_parameters(domid, real_time),
        lambda: hypervisor.vcpu_parameters(domid),
        lambda: hypervisor.set_vcpu_parameters(domid, {0: real_time}),
    ):
        with refused(errno.EOPNOTSUPP):
            await call()
    assert await hypervisor.parameters(domid) == wanted
    before = await hypervisor.pool_parameters(0)
    assert before.ratelimit_us is not None
    await hypervisor.set_pool_parameters(0, PoolParameters(ratelimit_us=2000))
    assert await hypervisor.pool_parameters(0) == attrs.evolve(before, ratelimit_us=2000)
    await hypervisor.set_pool_parameters(0, before)
    with refused(errno.EINVAL):
        await hypervisor.set_pool_parameters(0, PoolParameters(ratelimit_us=1))


async def triggers(bench: Bench) -> None:
    domid, _ = await bench.built()
    await bench.hypervisor.send_trigger(domid, "nmi", 0)
    for trigger, vcpu in (("nmi", 2), ("bell", 0)):
        with refused(errno.EINVAL):
            await bench.hypervisor.send_trigger(domid, trigger, vcpu)


async def knobs_of_the_hypervisor(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    before = len(await hypervisor.message_buffer())
    await hypervisor.send_debug_keys("h")
    assert len(await hypervisor.message_buffer()) > before
    with refused(errno.EINVAL):
        await hypervisor.send_debug_keys("")
    with refused(errno.ENOENT, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        await hypervisor.set_boot_parameter("no-such-parameter", "1")
    if await hypervisor.is_enforcing() is None:
        with refused(errno.ENOSYS):
            await hypervisor.set_enforcing(enforcing=True)
        with refused(errno.ENOSYS):
            await hypervisor.load_policy(b"policy")


async def domains_in_order(bench: Bench) -> None:
    made = [await bench.create() for _ in range(3)]
    assert made == sorted(made)
    domids = [info.domid for info in await bench.hypervisor.domains()]
    assert domids == sorted(domids)
    assert domids[0] == 0
    assert set(made) < set(domids)
    assert await bench.hypervisor.domain(made[-1] + 1) is None


async def a_new_domain(bench: Bench) -> None:
    blueprint = bench.blueprint()
    domid = await bench.hypervisor.create(blueprint)
    info = await bench.info(domid)
    assert [info.uuid, info.max_vcpus] == [blueprint.uuid, 2]
    assert info.max_memory_kib >= bench.memory_kib
    assert [info.is_paused, info.is_shutdown, info.is_dying] == [True, False, False]
    assert [info.is_running, info.shutdown_reason] == [False, None]
    assert [info.outstanding_kib, info.cpu_time_ns] == [0, 0]
    assert bench.is_about(info.memory_kib, 0)
    await bench.hypervisor.destroy(domid)
    assert await bench.create() > domid


async def a_uuid_may_stand_twice(bench: Bench) -> None:
    blueprint = bench.blueprint()
    first, second = [await bench.hypervisor.create(blueprint) for _ in range(2)]
    assert first != second
    assert (await bench.info(first)).uuid == (await bench.info(second)).uuid == blueprint.uuid
    await bench.hypervisor.destroy(first)
    await bench.gone(first)
    assert (await bench.info(second)).uuid == blueprint.uuid


async def blueprints(bench: Bench) -> None:
    most = {"max_event_channels": 100, "max_grant_frames": 8, "max_maptrack_frames": 64}
    await bench.create(**most, max_grant_version=1, is_migratable=False, tsc_mode="native", pool=0)
    for wrong in (
        {"max_vcpus": 0},
        {"max_vcpus": 1 << 20},
        {"max_grant_frames": 1 << 30},
        {"max_maptrack_frames": 1 << 30},
    ):
        with refused(errno.EINVAL):
            await bench.create(**wrong)
    with refused(errno.ESRCH):
        await bench.create(pool=1 + max(pool.number for pool in await bench.hypervisor.pools()))


async def no_such_domain(bench: Bench) -> None:
    domid = await bench.create()
    await bench.hypervisor.destroy(domid)
    await bench.gone(domid)
    for call in calls(bench, domid):
        with refused(errno.ESRCH):
            await call()
    with refused(errno.ESRCH):
        await bench.hypervisor.destroy(domid)


def calls(bench: Bench, domid: int) -> list[Callable[[], Awaitable[object]]]:
    """All calls that take a domid, destroy aside."""
    hypervisor = bench.hypervisor
    rings = Rings(store_gfn=1, store_port=1, console_gfn=2, console_port=2)
    return [
        lambda: hypervisor.claim(domid, 4),
        lambda: hypervisor.set_affinity(domid, 0, [0], None),
        lambda: hypervisor.allow_access(domid, HostAccess(ports=[(0x3F8, 8)])),
        lambda: hypervisor.build(domid, bench.image()),
        lambda: hypervisor.unpause(domid),
        lambda: hypervisor.pause(domid),
        lambda: hypervisor.shutdown(domid, 0),
        lambda: hypervisor.set_max_memory(domid, 4),
        lambda: hypervisor.soft_reset(domid, rings),
        lambda: hypervisor.vcpus(domid),
        lambda: hypervisor.dump_core(domid, str(bench.place / "none")),
        lambda: hypervisor.open_console(domid, 0, 1),
        lambda: hypervisor.node_affinity(domid),
        lambda: hypervisor.move_domain(domid, 0),
        lambda: hypervisor.parameters(domid),
        lambda: hypervisor.set_parameters(domid, CreditParameters(weight=1, cap=0)),
        lambda: hypervisor.vcpu_parameters(domid),
        lambda: hypervisor.send_trigger(domid, "nmi", 0),
    ]


async def claims(bench: Bench) -> None:
    """Nobody else gets what was claimed; it is free again with the domain."""
    free, claimed = await bench.free_kib(), (await bench.hypervisor.host_info()).outstanding_claims_kib
    domid = await bench.create()
    await bench.hypervisor.claim(domid, bench.memory_kib - 3)
    info = await bench.info(domid)
    assert info.outstanding_kib == bench.memory_kib
    assert bench.is_about(info.memory_kib, 0)
    assert bench.is_about(await bench.free_kib(), free - bench.memory_kib)
    host = await bench.hypervisor.host_info()
    assert host.outstanding_claims_kib == claimed + bench.memory_kib
    large = await bench.create(max_memory_kib=2 * free)
    with refused(errno.ENOMEM):
        await bench.hypervisor.claim(large, free)
    assert (await bench.info(large)).outstanding_kib == 0
    assert bench.is_about(await bench.free_kib(), free - bench.memory_kib)
    with refused(errno.EINVAL):
        await bench.hypervisor.claim(await bench.create(), bench.memory_kib + 8 * 1024)
    await bench.hypervisor.destroy(domid)
    await bench.is_free(free)


async def memory(bench: Bench) -> None:
    """A build takes what was claimed; without a claim it takes what is free."""
    free = await bench.free_kib()
    domid, _ = await bench.built()
    info = await bench.info(domid)
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    assert info.outstanding_kib == 0
    assert bench.is_about(await bench.free_kib(), free - bench.memory_kib)
    unclaimed = await bench.create()
    await bench.hypervisor.build(unclaimed, bench.image())
    assert bench.is_about((await bench.info(unclaimed)).memory_kib, bench.memory_kib)
    await bench.hypervisor.destroy(unclaimed)
    large = bench.blueprint(max_memory_kib=4 * free)
    too_large = await bench.hypervisor.create(large)
    with refused(errno.ENOMEM):
        await bench.hypervisor.build(too_large, bench.image(blueprint=large, memory_kib=4 * free))
    await bench.hypervisor.destroy(too_large)
    await bench.hypervisor.destroy(domid)
    await bench.is_free(free)


async def less_memory_at_first(bench: Bench) -> None:
    blueprint = bench.blueprint(max_memory_kib=bench.memory_kib + 8 * 1024)
    domid = await bench.hypervisor.create(blueprint)
    await bench.hypervisor.claim(domid, bench.memory_kib)
    await bench.hypervisor.build(domid, bench.image(blueprint=blueprint))
    info = await bench.info(domid)
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    assert info.max_memory_kib >= bench.memory_kib + 8 * 1024


async def max_memory(bench: Bench) -> None:
    domid, _ = await bench.built()
    await bench.hypervisor.set_max_memory(domid, 8 * 1024)
    info = await bench.info(domid)
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    assert bench.is_about(info.max_memory_kib, 8 * 1024)
    other = await bench.create()
    await bench.hypervisor.set_max_memory(other, 8 * 1024)
    with refused(errno.EINVAL):
        await bench.hypervisor.claim(other, bench.memory_kib)
    await bench.hypervisor.set_max_memory(other, bench.memory_kib)
    await bench.hypervisor.claim(other, bench.memory_kib)


async def images(bench: Bench) -> None:
    hypervisor, files = bench.hypervisor, bench.place
    (files / "text").write_text("no kernel\n")
    (files / "empty").touch()
    (files / "large").touch()
    os.truncate(files / "large", (bench.memory_kib + 4) * 1024)
    os.mkfifo(files / "fifo")
    (files / "hidden").touch(mode=0)
    ramdisk = files / "text"

    def of(**changes: str) -> dict[str, str]:
        return {what: str(files / name) for what, name in changes.items()}

    wrong: list[tuple[dict[str, str], tuple[int, ...]]] = [
        (of(kernel="none"), (errno.ENOENT,)),
        (of(ramdisk="none"), (errno.ENOENT,)),
        (of(kernel="text"), (errno.ENOEXEC,)),
        (of(kernel="empty"), (errno.ENOEXEC, errno.EINVAL)),
        (of(kernel="."), (errno.EINVAL,)),
        (of(ramdisk="."), (errno.EINVAL,)),
        (of(kernel="fifo"), (errno.EINVAL,)),
        (of(ramdisk="fifo"), (errno.EINVAL,)),
        (of(ramdisk="large"), (errno.ENOMEM,)),
    ]
    if os.geteuid() != 0:  # root reads everything
        wrong.append((of(kernel="hidden"), (errno.EACCES,)))
    for changes, numbers in wrong:
        blueprint = bench.blueprint()
        domid = await hypervisor.create(blueprint)
        await hypervisor.claim(domid, bench.memory_kib)
        with refused(*numbers):
            await hypervisor.build(domid, bench.image(blueprint=blueprint, **changes))
        assert (await bench.info(domid)).outstanding_kib == 0
        await hypervisor.destroy(domid)
    blueprint = bench.blueprint()
    domid = await hypervisor.create(blueprint)
    image = bench.image(blueprint=blueprint, ramdisk=str(ramdisk), vcpus=2)
    rings = await hypervisor.build(domid, image)
    assert min(rings.store_gfn, rings.store_port, rings.console_gfn, rings.console_port) > 0
    assert rings.store_gfn != rings.console_gfn
    assert rings.store_port != rings.console_port
    assert (await bench.info(domid)).is_paused
    with refused(errno.EEXIST):
        await hypervisor.build(domid, image)


async def virtual_cpus(bench: Bench) -> None:
    cpus = (await bench.hypervisor.host_info()).nr_cpus
    domid, _ = await bench.built()
    first, second = await bench.hypervisor.vcpus(domid)
    assert [first.number, first.is_online, second.number, second.is_online] == [0, True, 1, False]
    assert {first.is_running, second.is_running} == {False}
    await bench.hypervisor.unpause(domid)
    for vcpu in (*await bench.hypervisor.vcpus(domid), *await bench.hypervisor.vcpus(0)):
        assert 0 <= vcpu.cpu < cpus
        assert not (vcpu.is_running and vcpu.is_blocked)
    await bench.hypervisor.pause(domid)
    vcpus, info = await bench.hypervisor.vcpus(domid), await bench.info(domid)
    assert sum(vcpu.is_online for vcpu in vcpus) == info.vcpus
    assert sum(vcpu.cpu_time_ns for vcpu in vcpus) <= info.cpu_time_ns


async def affinity(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    pool = list((await hypervisor.pools())[0].cpus)
    domid = await bench.create()
    await hypervisor.set_affinity(domid, 1, pool[:1], None)
    first, second = await hypervisor.vcpus(domid)
    assert set(pool) <= set(first.hard_affinity)
    assert list(second.hard_affinity) == pool[:1]
    await hypervisor.set_affinity(domid, 0, None, pool[-1:])
    await hypervisor.set_affinity(domid, 1, pool, pool[:1])
    first, second = await hypervisor.vcpus(domid)
    assert set(pool) <= set(first.hard_affinity)
    assert list(first.soft_affinity) == pool[-1:]
    assert [list(second.hard_affinity), list(second.soft_affinity)] == [pool, pool[:1]]
    for vcpu, hard in ((2, pool), (0, []), (0, [4095])):
        with refused(errno.EINVAL):
            await hypervisor.set_affinity(domid, vcpu, hard, None)
    assert list((await hypervisor.vcpus(domid))[0].soft_affinity) == pool[-1:]


async def host_access(bench: Bench) -> None:
    """An ordinary serial port; what there is not is refused."""
    domid = await bench.create()
    await bench.hypervisor.allow_access(domid, HostAccess())
    await bench.hypervisor.allow_access(domid, HostAccess(ports=[(0x2F8, 8)]))
    for wrong in (
        HostAccess(ports=[(0xFFF0, 0x100)]),
        HostAccess(memory=[(1 << 52, 1, 0)]),
        HostAccess(irqs=[1 << 20]),
    ):
        with refused(errno.EINVAL, errno.EPERM):
            await bench.hypervisor.allow_access(domid, wrong)


async def pausing(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    await hypervisor.pause(await bench.create())
    domid, _ = await bench.built()
    for _ in range(2):
        await hypervisor.unpause(domid)
        info = await bench.info(domid)
        assert not info.is_paused
        assert not (info.is_running and info.is_blocked)
    with trio.fail_after(PATIENCE_SECONDS):
        while (await bench.info(domid)).cpu_time_ns == 0:
            await trio.sleep(LOOK_SECONDS)
    for _ in range(2):
        await hypervisor.pause(domid)
        info = await bench.info(domid)
        assert [info.is_paused, info.is_running] == [True, False]
    used = (await bench.info(domid)).cpu_time_ns
    assert used > 0
    assert (await bench.info(domid)).cpu_time_ns == used
    await hypervisor.unpause(domid)
    info = await bench.info(domid)
    assert not info.is_paused
    assert info.cpu_time_ns >= used


async def shutting_down(bench: Bench) -> None:
    for reason in range(len(SHUTDOWN_REASONS)):
        domid, _ = await bench.built()
        await bench.hypervisor.unpause(domid)
        await bench.hypervisor.shutdown(domid, reason)
        await bench.hypervisor.pause(domid)
        await bench.hypervisor.unpause(domid)
        with trio.fail_after(PATIENCE_SECONDS):  # its vCPU has to leave the processor first
            while (info := await bench.info(domid)).is_running:
                await trio.sleep(LOOK_SECONDS)
        assert [info.is_shutdown, info.shutdown_reason, info.is_dying] == [True, reason, False]
        assert [info.is_running, info.is_paused] == [False, False]
        assert bench.is_about(info.memory_kib, bench.memory_kib)
        assert (await bench.info(domid)).cpu_time_ns == info.cpu_time_ns
        await bench.hypervisor.destroy(domid)


async def dying(bench: Bench) -> None:
    free = await bench.free_kib()
    domid, rings = await bench.built()
    console = await bench.hypervisor.open_console(domid, rings.console_gfn, rings.console_port)
    for _ in range(2):
        await bench.hypervisor.destroy(domid)
        info = await bench.info(domid)
        assert info.is_dying
        assert bench.is_about(info.memory_kib, 0)
        assert domid in {each.domid for each in await bench.hypervisor.domains()}
    await bench.is_free(free)
    for call in calls(bench, domid):
        with refused(errno.ESRCH):
            await call()
    console.notify()
    page(console)[0] = 1
    console.close()
    await bench.gone(domid)
    console.notify()


async def soft_reset(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    domid, rings = await bench.built()
    with await hypervisor.open_console(domid, rings.console_gfn, rings.console_port) as console:
        await hypervisor.unpause(domid)
        with refused(errno.EINVAL):
            await hypervisor.soft_reset(domid, rings)
        await printed(console)
        page(console)[5] = 7
    await hypervisor.shutdown(domid, SOFT_RESET)
    if bench.type == "pv":
        with refused(errno.EINVAL):
            await hypervisor.soft_reset(domid, rings)
        assert (await bench.info(domid)).shutdown_reason == SOFT_RESET
        return
    before = await bench.info(domid)
    again = await hypervisor.soft_reset(domid, rings)
    assert [again.store_gfn, again.console_gfn] == [rings.store_gfn, rings.console_gfn]
    assert again.store_port != again.console_port
    info = await bench.info(domid)
    assert [info.is_paused, info.is_shutdown, info.shutdown_reason] == [True, False, None]
    assert bench.is_about(info.memory_kib, before.memory_kib)
    assert info.max_vcpus == before.max_vcpus
    with refused(errno.EEXIST):
        await hypervisor.build(domid, bench.image())
    with await hypervisor.open_console(domid, again.console_gfn, again.console_port) as console:
        assert page(console)[5] == 7
        await hypervisor.unpause(domid)
        assert not (await bench.info(domid)).is_paused
        if bench.guest.boots_again:
            await printed(console)


async def cores(bench: Bench) -> None:
    """Of a domain that has booted as far as that it says something."""
    domid, rings = await bench.built()
    with await bench.hypervisor.open_console(domid, rings.console_gfn, rings.console_port) as console:
        await bench.hypervisor.unpause(domid)
        await printed(console)
    files = bench.place / "cores"
    files.mkdir()
    await bench.hypervisor.dump_core(domid, str(files / "core"))
    assert not (await bench.info(domid)).is_paused
    assert (files / "core").read_bytes().startswith(b"\x7fELF")
    assert (files / "core").stat().st_mode & 0o077 == 0
    before = (files / "core").read_bytes()
    with refused(errno.EEXIST):
        await bench.hypervisor.dump_core(domid, str(files / "core"))
    with refused(errno.ENOENT, errno.EACCES):
        await bench.hypervisor.dump_core(domid, str(files / "none" / "core"))
    assert [each.name for each in files.iterdir()] == ["core"]
    assert (files / "core").read_bytes() == before


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


async def consoles(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    domid, rings = await bench.built()
    wrong = [(0, rings.console_port + 1000)]
    if bench.guest.needs_frames:
        wrong.append((rings.console_gfn + 1000, rings.console_port))
    for gfn, port in wrong:
        with refused(errno.EINVAL):
            await hypervisor.open_console(domid, gfn, port)
    first = await hypervisor.open_console(domid, rings.console_gfn, rings.console_port)
    assert len(page(first)) == 4096
    second = await hypervisor.open_console(domid, 0, rings.console_port)
    page(first)[5] = 7
    assert page(second)[5] == 7
    await hypervisor.unpause(domid)
    await printed(second)
    with trio.move_on_after(0.01) as scope:
        await first.wait()
    assert scope.cancelled_caught, "who held the console before was notified"
    first.close()
    assert (await bench.info(domid)).is_dying is False
    second.notify()
    second.close()
    second.close()


async def a_console_that_another_program_has(bench: Bench) -> None:
    if bench.guest.other is None:
        return
    domid, rings = await bench.built()
    where = domid, rings.console_gfn, rings.console_port
    async with bench.guest.other() as other:
        with await other.open_console(*where), refused(errno.EINVAL):
            await bench.hypervisor.open_console(*where)
        # Who closes lets go at its next call at the latest.
        await other.domains()
        with await bench.hypervisor.open_console(*where), refused(errno.EINVAL):
            await other.open_console(*where)


def page(console: ConsoleRing) -> memoryview:
    return memoryview(cast(bytearray, console.page)).cast("B")


async def printed(console: ConsoleRing) -> None:
    """Returns once the domain has put something out, and notified."""
    with trio.fail_after(PATIENCE_SECONDS):
        await console.wait()
        while page(console)[OUT_PROD : OUT_PROD + 4] == bytes(4):
            await console.wait()


#: What a domain of each type has to fulfil.
CHECKS_OF_EACH_TYPE = (
    a_new_domain,
    memory,
    less_memory_at_first,
    images,
    virtual_cpus,
    pausing,
    shutting_down,
    dying,
    soft_reset,
    cores,
    consoles,
)
CHECKS = (
    the_host,
    cpu_pools,
    topology,
    changing_cpu_pools,
    scheduling,
    triggers,
    knobs_of_the_hypervisor,
    domains_in_order,
    a_uuid_may_stand_twice,
    blueprints,
    no_such_domain,
    claims,
    max_memory,
    affinity,
    host_access,
    messages,
    watchdogs,
    a_console_that_another_program_has,
    *CHECKS_OF_EACH_TYPE,
)
