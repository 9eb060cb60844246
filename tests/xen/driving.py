"""Runs in dom0: drives the hypervisor with xend's own driver, one step of the tests in test_driver.py.

    python -m tests.xen.driving STEP[,STEP ...] [WORD ...]

The last line of the output is what the last step found, as JSON; a check that fails ends the program.
"""

import errno
import json
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs
import trio

from tests import elf
from tests.contract import Guest, check_hypervisor
from xend.console.ring import ConsolePage
from xend.hypervisor import SHUTDOWN_REASONS, Blueprint, DomainType, HypervisorError, Image, Rings
from xend.hypervisor.scheduling import CreditParameters, PoolParameters
from xend.hypervisor.xen.driver import Xen
from xend.hypervisor.xen.opening import open_xen

#: How long a guest's kernel may take to say something, in seconds.
SPEECH_SECONDS = 60
MEMORY_KIB = 160 * 1024
#: Of the domains of the conformance test, and how much the hypervisor may take for itself beside that.
CONFORMING_KIB, SLACK_KIB = 96 * 1024, 8 * 1024
Step = Callable[..., Awaitable[object]]


async def host(xen: Xen) -> object:
    """All that is told of the host."""
    info = attrs.asdict(await xen.host_info())
    cpus = [attrs.asdict(cpu) for cpu in xen.host.topology()]
    return {"info": info, "cpus": cpus, "nodes": [attrs.asdict(node) for node in xen.host.nodes()]}


async def domains(xen: Xen) -> object:
    """All domains, by domid, with their vCPUs."""
    found = {}
    for info in await xen.domains():
        assert await xen.domain(info.domid)
        vcpus = [attrs.asdict(vcpu) for vcpu in await xen.vcpus(info.domid)]
        found[info.domid] = {**attrs.asdict(info), "of_vcpus": vcpus}
    assert await xen.domain(max(found) + 1) is None
    return found


async def messages(xen: Xen) -> object:
    """The hypervisor's, before and after it was asked for more."""
    before = await xen.message_buffer()
    _, index = xen.messages.since(0)
    assert xen.messages.since(index)[0] == b""
    xen.messages.send_debug_keys("h")
    more, _ = xen.messages.since(index)
    after = await xen.message_buffer()
    assert more
    assert after.endswith(more)
    return {"before": before.decode(errors="replace"), "after": after.decode(errors="replace")}


async def pause(xen: Xen, domid: str) -> None:
    for _ in range(2):
        await xen.pause(int(domid))
    assert await has(xen, int(domid), is_paused=True, is_running=False)


async def unpause(xen: Xen, domid: str) -> None:
    for _ in range(2):
        await xen.unpause(int(domid))
    assert await has(xen, int(domid), is_paused=False)


async def tune(xen: Xen, domid: str) -> None:
    """A running domain: where it runs, its share, its bound."""
    number = int(domid)
    await xen.set_affinity(number, 0, [1], [0, 1])
    xen.scheduler.set_parameters(number, CreditParameters(weight=300, cap=80))
    assert xen.scheduler.parameters(number) == CreditParameters(weight=300, cap=80)
    info = await xen.domain(number)
    assert info is not None
    await xen.set_max_memory(number, info.memory_kib + 8192)
    assert await has(xen, number, max_memory_kib=info.memory_kib + 8192)
    with refused(errno.EINVAL):
        await xen.send_trigger(number, "power", 0)
    with refused(errno.EINVAL):
        await xen.soft_reset(number, Rings(store_gfn=1, store_port=1, console_gfn=1, console_port=2))


async def taken_console(xen: Xen, domid: str, gfn: str, port: str) -> None:
    """One that xenconsoled serves."""
    with refused(errno.EINVAL):
        await xen.open_console(int(domid), int(gfn), int(port))
    assert await has(xen, int(domid), is_dying=False)


async def shutdown(xen: Xen, domid: str, reason: str) -> None:
    await xen.shutdown(int(domid), SHUTDOWN_REASONS.index(reason))


async def pools(xen: Xen) -> object:
    """A pool's life, with a domain in it."""
    before = await xen.pools()
    cpu = max(before[0].cpus)
    xen.cpu_pools.remove_cpu(0, cpu)
    pool = xen.cpu_pools.create("credit")
    try:
        assert xen.cpu_pools.free_cpus() == [cpu]
        xen.cpu_pools.add_cpu(pool, cpu)
        async with created(xen, pool=pool) as domid:
            assert xen.scheduler.of(domid) == "credit"
            assert xen.scheduler.parameters(domid) == CreditParameters(weight=256, cap=0)
            with refused(errno.EBUSY):
                xen.cpu_pools.destroy(pool)
            with refused(errno.EINVAL):
                await xen.set_affinity(domid, 0, [0], None)
            xen.cpu_pools.move_domain(domid, 0)
            assert xen.scheduler.of(domid) == before[0].scheduler
    finally:
        xen.cpu_pools.remove_cpu(pool, cpu)
        xen.cpu_pools.destroy(pool)
        xen.cpu_pools.add_cpu(0, cpu)
    assert await xen.pools() == before
    return [attrs.asdict(each) for each in before]


async def controls(xen: Xen) -> object:
    """What is asked and changed beside domains, and is afterwards as it was."""
    before = await xen.pool_parameters(0)
    await xen.set_pool_parameters(0, PoolParameters(ratelimit_us=2000))
    changed = await xen.pool_parameters(0)
    assert changed == attrs.evolve(before, ratelimit_us=2000)
    await xen.set_pool_parameters(0, before)
    assert await xen.node_affinity(0) == [0]
    assert all(device.node == 0 for device in await xen.device_nodes())
    with refused(errno.ENOENT, errno.ENOSYS, errno.EOPNOTSUPP):
        await xen.set_boot_parameters({"no-such-parameter": "1"})
    if (enforcing := await xen.is_enforcing()) is None:
        with refused(errno.ENOSYS):
            await xen.set_enforcing(True)
    async with created(xen) as domid:
        with refused(errno.EINVAL):
            await xen.send_trigger(domid, "nmi", 4000)
    return {"ratelimit_us": before.ratelimit_us, "enforcing": enforcing}


async def refusals(xen: Xen) -> None:
    """What the hypervisor refuses, and that nothing is left of it."""
    before, free = await xen.domains(), (await xen.host_info()).free_memory_kib
    for fields, number in (
        ({"max_vcpus": 0}, errno.EINVAL),
        ({"max_vcpus": 8193}, errno.EINVAL),
        ({"max_vcpus": 129, "type": "pvh"}, errno.EINVAL),
        ({"max_grant_frames": 1 << 20}, errno.EINVAL),
        ({"pool": 7}, errno.ESRCH),
    ):
        with refused(number):
            await xen.create(blueprint(**fields))
    gone = before[-1].domid + 1000
    for call in (xen.destroy, xen.pause, xen.unpause, xen.vcpus):
        with refused(errno.ESRCH):
            await call(gone)
    assert [info.domid for info in await xen.domains()] == [info.domid for info in before]
    assert (await xen.host_info()).free_memory_kib == free


async def claims(xen: Xen) -> None:
    """Memory set aside, and given back with the domain."""
    free = (await xen.host_info()).free_memory_kib
    async with created(xen, max_memory_kib=2 * free) as first, created(xen, max_memory_kib=4) as second:
        with refused(errno.ENOMEM):
            await xen.claim(first, free + 4096)
        await xen.claim(first, 65536 - 3)
        assert await has(xen, first, outstanding_kib=65536, memory_kib=0)
        with refused(errno.EINVAL):
            await xen.claim(first, 65536)
        with refused(errno.EINVAL):
            await xen.claim(second, 8)
        info = await xen.host_info()
        assert info.outstanding_claims_kib == 65536
        assert info.free_memory_kib <= free - 65536
    assert (await xen.host_info()).outstanding_claims_kib == 0


async def new_domains(xen: Xen) -> None:
    """What one is like before it is built: of both types, twice with the same UUID."""
    for kind in ("pv", "pvh"):
        wanted = blueprint(type=kind, max_vcpus=2, tsc_mode="always_emulate", max_grant_frames=32)
        domid = await xen.create(wanted)
        twin = await xen.create(wanted)
        assert twin == domid + 1
        await xen.destroy(twin)
        state = {"uuid": wanted.uuid, "is_paused": True, "is_shutdown": False, "vcpus": 0, "max_vcpus": 2}
        assert await has(xen, domid, max_memory_kib=wanted.max_memory_kib, shutdown_reason=None, **state)
        with refused(errno.EINVAL):
            await xen.unpause(domid)
        await xen.set_affinity(domid, 1, [1], [0])
        vcpu = (await xen.vcpus(domid))[1]
        assert [vcpu.hard_affinity, vcpu.soft_affinity, vcpu.is_online] == [[1], [0], False]
        for hard, soft, number in (([], None, 0), ([500], None, 0), (None, [], 0), ([0], None, 2)):
            with refused(errno.EINVAL):
                await xen.set_affinity(domid, number, hard, soft)
        await xen.destroy(domid)
        assert await xen.domain(domid) is None


async def watchdog(xen: Xen) -> None:
    first, second = await xen.watchdog(0, 600), await xen.watchdog(0, 600)
    try:
        with refused(errno.ENOSPC):
            await xen.watchdog(0, 600)
        assert await xen.watchdog(first, 700) == first
    finally:
        for timer in (first, second):
            assert await xen.watchdog(timer, 0) == timer
    with refused(errno.EINVAL):
        await xen.watchdog(first, 0)


async def life(xen: Xen, kind: str, kernel: str, ramdisk: str) -> object:
    """A domain from its creation to its end, its console read by the driver; times in seconds."""
    begin = perf_counter()
    wanted = blueprint(type=kind, max_memory_kib=MEMORY_KIB)
    domid = await xen.create(wanted)
    await xen.claim(domid, MEMORY_KIB)
    image = Image(
        blueprint=wanted,
        memory_kib=MEMORY_KIB,
        kernel=kernel,
        ramdisk=ramdisk,
        command_line="console=hvc0",
    )
    rings = await xen.build(domid, image)
    built = perf_counter()
    assert await has(xen, domid, outstanding_kib=0, is_paused=True, vcpus=1)
    with await xen.open_console(domid, rings.console_gfn, rings.console_port) as console:
        page = ConsolePage(console.page)
        await xen.unpause(domid)
        with trio.fail_after(SPEECH_SECONDS):
            text = b""
            while b"Linux version" not in text:
                await console.wait()
                text += page.read()
                console.notify()
        spoken = perf_counter()
        await xen.pause(domid)
        await xen.shutdown(domid, SHUTDOWN_REASONS.index("crash"))
        assert await has(xen, domid, is_shutdown=True, shutdown_reason=3)
        before = perf_counter()
        await xen.destroy(domid)
        destroyed = perf_counter()
        # Its console page is mapped here: it is dying, without memory, until that ends.
        assert await has(xen, domid, is_dying=True)
        with refused(errno.ESRCH):
            await xen.pause(domid)
        await xen.destroy(domid)
        page.close()
    with trio.fail_after(10):
        while await xen.domain(domid) is not None:
            await trio.sleep(0.01)
    return {"build": built - begin, "speech": spoken - built, "destroy": destroyed - before}


async def dump(xen: Xen, domid: str, path: str) -> float:
    """Its core; how many seconds that took."""
    began = perf_counter()
    await xen.dump_core(int(domid), path)
    return perf_counter() - began


async def cores(_: Xen, theirs: str, ours: str) -> object:
    """What differs between two cores of a domain that did not run meanwhile."""
    found, expected = (elf.sections(memoryview(Path(path).read_bytes())) for path in (ours, theirs))
    assert list(found) == list(expected)
    for name, section in expected.items():
        assert found[name].form == section.form, name
        assert len(found[name].data) == len(section.data), name
        if name not in (".xen_pages", ".xen_pfn"):
            assert found[name].data == section.data, name
    pages = [_pages(core) for core in (found, expected)]
    both = pages[0].keys() & pages[1].keys()
    return {
        "both": len(both),
        "differing": [frame for frame in both if pages[0][frame] != pages[1][frame]],
        "ours": sorted(pages[0].keys() - both),
        "theirs": sorted(pages[1].keys() - both),
    }


def _pages(core: dict[str, elf.Section]) -> dict[int, memoryview]:
    """By their frames' numbers; without those that say that there is none."""
    data = core[".xen_pages"].data
    if ".xen_p2m" in core:  # of a paravirtual one: each with the number that the hypervisor has for it
        frames = elf.numbers(core[".xen_p2m"].data)[::2]
    else:
        frames = elf.numbers(core[".xen_pfn"].data)
    return {
        frame: data[place * 4096 : (place + 1) * 4096]
        for place, frame in enumerate(frames)
        if frame >> 63 == 0
    }


async def conformance(_: Xen, kind: DomainType, kernel: str) -> object:
    """Each sentence of the contract, by tests/contract; how long each check took, in seconds."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Xen]:
        async with open_xen(print) as xen:
            yield xen

    guest = Guest(
        kernel=Path(kernel),
        command_line="console=hvc0",
        memory_kib=CONFORMING_KIB,
        types=(kind,),
        slack_kib=SLACK_KIB,
        boots_again=False,  # that takes a kernel that was put there by kexec
        needs_frames=False,  # the grant leads to the page
        other=opened,
    )
    times: dict[str, float] = {}
    await check_hypervisor(opened, guest, times)
    return {name: round(seconds, 1) for name, seconds in times.items()}


# --- what steps are made of -----------------------------------------------------------------------------


def blueprint(**fields: Any) -> Blueprint:
    return Blueprint(**{"uuid": str(uuid.uuid4()), "max_vcpus": 1, "max_memory_kib": 65536, **fields})


@asynccontextmanager
async def created(xen: Xen, **fields: Any) -> AsyncIterator[int]:
    """A domain, within."""
    domid = await xen.create(blueprint(**fields))
    try:
        yield domid
    finally:
        await xen.destroy(domid)


async def has(xen: Xen, domid: int, **expected: object) -> bool:
    """Whether a domain is like this; what differs is printed."""
    info = await xen.domain(domid)
    assert info is not None
    differing = {
        name: (getattr(info, name), value) for name, value in expected.items() if getattr(info, name) != value
    }
    if differing:
        print(f"domain {domid}: {differing}")
    return not differing


@contextmanager
def refused(*numbers: int) -> Iterator[None]:
    found = None
    try:
        yield
    except HypervisorError as error:
        found = error
    assert found is not None, f"not refused, though {errno.errorcode[numbers[0]]} was expected"
    print(found.text)
    assert found.errno in numbers, errno.errorcode.get(found.errno, found.errno)
    assert "\n" not in found.text


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        host, domains, messages, pause, unpause, tune, taken_console, shutdown, pools, refusals, claims,
        controls, new_domains, watchdog, life, dump, cores, conformance,
    )
}  # fmt: skip


async def main(*words: str) -> None:
    names, *rest = words
    found = None
    async with open_xen(print) as xen:
        for name in names.split(","):
            print(f"== {name}")
            found = await STEPS[name](xen, *rest)
    print(json.dumps(found))


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
