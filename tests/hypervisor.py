"""Whether something is a Hypervisor: each sentence of the contract's docstrings, on one that runs.

    await check_hypervisor(maker)

`maker()` is an async context manager of a Hypervisor with at least FREE_KIB of free memory, on which no test
but this one makes domains.
"""

import errno
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import pytest
import trio

from xend.hypervisor import (
    SHUTDOWN_REASONS,
    WATCHDOG_TIMERS,
    Blueprint,
    ConsoleRing,
    DomainInfo,
    Hypervisor,
    HypervisorError,
    Image,
    Rings,
)
from xend.simulator.image import KERNEL

FREE_KIB = 64 * 1024
MEMORY_KIB = 16 * 1024
SOFT_RESET = SHUTDOWN_REASONS.index("soft_reset")
PATIENCE_SECONDS = 60.0
#: A watchdog's timeout that no test takes as long as.
LONG_S = 3600
OUT_PROD = 3084

Maker = Callable[[], AbstractAsyncContextManager[Hypervisor]]


class Bench:
    """A hypervisor under test, and files to boot.

    kernel: what the hypervisor takes for a kernel that prints something as it boots.
    """

    def __init__(self, hypervisor: Hypervisor, place: Path, kernel: bytes) -> None:
        self.hypervisor = hypervisor
        self.place = place
        self.image = Image(kernel=str(place / "kernel"), ramdisk=None, command_line="", vcpus=1)
        Path(self.image.kernel).write_bytes(kernel)

    async def create(self, max_memory_kib: int = MEMORY_KIB, max_vcpus: int = 2) -> int:
        return await self.hypervisor.create(
            Blueprint(uuid=str(uuid.uuid4()), max_vcpus=max_vcpus, max_memory_kib=max_memory_kib)
        )

    async def built(self) -> tuple[int, Rings]:
        domid = await self.create()
        await self.hypervisor.populate(domid, MEMORY_KIB)
        return domid, await self.hypervisor.build(domid, self.image)

    async def info(self, domid: int) -> DomainInfo:
        info = await self.hypervisor.domain(domid)
        assert info is not None
        assert [info.domid, info.uuid] == [domid, info.uuid.lower()]
        return info

    async def free_kib(self) -> int:
        return (await self.hypervisor.host_info()).free_memory_kib

    @asynccontextmanager
    async def tidy(self) -> AsyncIterator[None]:
        """All domains that are made within are gone afterwards, and their memory is free."""
        before, free = await self.hypervisor.domains(), await self.free_kib()
        yield
        for info in await self.hypervisor.domains():
            if info.domid not in {each.domid for each in before}:
                await self.hypervisor.destroy(info.domid)
        left = await self.hypervisor.domains()
        assert [info.domid for info in left] == [info.domid for info in before]
        assert await self.free_kib() == free


@contextmanager
def refused(*errnos: int) -> Iterator[None]:
    """Within, the hypervisor refuses for one of these reasons, in one line."""
    with pytest.raises(HypervisorError) as caught:
        yield
    error = caught.value
    assert error.errno in errnos, f"{error.text}: errno {error.errno}, expected one of {errnos}"
    assert error.text
    assert "\n" not in error.text


async def check_hypervisor(maker: Maker, kernel: bytes = KERNEL) -> None:
    """Raises AssertionError at the first sentence that does not hold."""
    async with maker() as hypervisor:
        with tempfile.TemporaryDirectory() as place:
            bench = Bench(hypervisor, Path(place), kernel)
            for check in CHECKS:
                async with bench.tidy():
                    await check(bench)


async def the_host(bench: Bench) -> None:
    info = await bench.hypervisor.host_info()
    assert bench.hypervisor.name
    assert bench.hypervisor.store_platform
    assert FREE_KIB <= info.free_memory_kib <= info.total_memory_kib
    assert info.outstanding_claims_kib >= 0
    assert min(info.nr_cpus, info.nr_nodes, info.cores_per_socket, info.threads_per_core) >= 1
    assert len(info.hw_caps) == 8
    assert all(0 <= word < 1 << 32 for word in info.hw_caps)
    assert set(info.virt_caps) <= {"pv", "hvm", "hvm_directio", "pv_directio", "hap", "shadow", "gnttab-v1"}
    assert info.xen_pagesize == 4096


async def domains_in_order(bench: Bench) -> None:
    made = [await bench.create() for _ in range(3)]
    assert made == sorted(made)
    domids = [info.domid for info in await bench.hypervisor.domains()]
    assert domids == sorted(domids)
    assert domids[0] == 0
    assert set(made) < set(domids)
    assert await bench.hypervisor.domain(made[-1] + 1) is None


async def a_new_domain(bench: Bench) -> None:
    name = str(uuid.uuid4())
    blueprint = Blueprint(uuid=name, max_vcpus=2, max_memory_kib=MEMORY_KIB)
    domid = await bench.hypervisor.create(blueprint)
    info = await bench.info(domid)
    assert [info.uuid, info.max_vcpus, info.max_memory_kib] == [name, 2, MEMORY_KIB]
    assert [info.is_paused, info.is_shutdown, info.is_dying] == [True, False, False]
    assert [info.is_running, info.is_blocked, info.shutdown_reason] == [False, False, None]
    assert [info.memory_kib, info.outstanding_kib, info.cpu_time_ns] == [0, 0, 0]
    with refused(errno.EEXIST):
        await bench.hypervisor.create(blueprint)
    for vcpus in (0, 1 << 20):
        with refused(errno.EINVAL):
            await bench.create(max_vcpus=vcpus)
    await bench.hypervisor.destroy(domid)
    assert await bench.create() > domid


async def no_such_domain(bench: Bench) -> None:
    domid = await bench.create()
    await bench.hypervisor.destroy(domid)
    for call in calls(bench, domid):
        with refused(errno.ESRCH):
            await call()
    with refused(errno.ESRCH):
        await bench.hypervisor.destroy(domid)


def calls(bench: Bench, domid: int) -> list[Callable[[], Awaitable[object]]]:
    """All calls that take a domid, destroy aside."""
    hypervisor = bench.hypervisor
    return [
        lambda: hypervisor.populate(domid, 4),
        lambda: hypervisor.build(domid, bench.image),
        lambda: hypervisor.unpause(domid),
        lambda: hypervisor.pause(domid),
        lambda: hypervisor.shutdown(domid, 0),
        lambda: hypervisor.set_max_memory(domid, 4),
        lambda: hypervisor.soft_reset(domid),
        lambda: hypervisor.vcpus(domid),
        lambda: hypervisor.dump_core(domid, str(bench.place / "none")),
        lambda: hypervisor.open_console(domid, 0, 1),
    ]


async def memory(bench: Bench) -> None:
    free = await bench.free_kib()
    domid = await bench.create(max_memory_kib=MEMORY_KIB + 4)
    await bench.hypervisor.populate(domid, MEMORY_KIB - 3)
    assert (await bench.info(domid)).memory_kib == MEMORY_KIB
    assert await bench.free_kib() == free - MEMORY_KIB
    with refused(errno.EINVAL):
        await bench.hypervisor.populate(domid, 9)
    assert (await bench.info(domid)).memory_kib == MEMORY_KIB
    large = await bench.create(max_memory_kib=2 * free)
    with refused(errno.ENOMEM):
        await bench.hypervisor.populate(large, free)
    assert (await bench.info(large)).memory_kib == 0
    assert await bench.free_kib() == free - MEMORY_KIB
    await bench.hypervisor.populate(large, (free - MEMORY_KIB) // 4 * 4)
    assert await bench.free_kib() < 4
    await bench.hypervisor.destroy(large)
    assert await bench.free_kib() == free - MEMORY_KIB


async def max_memory(bench: Bench) -> None:
    domid = await bench.create()
    await bench.hypervisor.populate(domid, MEMORY_KIB)
    await bench.hypervisor.set_max_memory(domid, 8 * 1024)
    info = await bench.info(domid)
    assert [info.memory_kib, info.max_memory_kib] == [MEMORY_KIB, 8 * 1024]
    with refused(errno.EINVAL):
        await bench.hypervisor.populate(domid, 4)
    await bench.hypervisor.set_max_memory(domid, MEMORY_KIB + 4)
    await bench.hypervisor.populate(domid, 4)


async def images(bench: Bench) -> None:
    hypervisor, files = bench.hypervisor, bench.place
    (files / "text").write_text("no kernel\n")
    (files / "empty").touch()
    (files / "large").touch()
    os.truncate(files / "large", (MEMORY_KIB + 4) * 1024)
    domid = await bench.create()

    def image(kernel: str, ramdisk: str | None = None, vcpus: int = 1) -> Image:
        disk = ramdisk and str(files / ramdisk)
        return Image(kernel=str(files / kernel), ramdisk=disk, command_line="a b", vcpus=vcpus)

    with refused(errno.EINVAL):
        await hypervisor.build(domid, bench.image)
    await hypervisor.populate(domid, MEMORY_KIB)
    for wrong, number in (
        (image("none"), errno.ENOENT),
        (image("kernel", "none"), errno.ENOENT),
        (image("text"), errno.ENOEXEC),
        (image("empty"), errno.ENOEXEC),
        (image("kernel", "large"), errno.ENOMEM),
        (image("kernel", vcpus=3), errno.EINVAL),
    ):
        with refused(number):
            await hypervisor.build(domid, wrong)
    if os.geteuid() != 0:  # root reads everything
        (files / "hidden").touch(mode=0)
        with refused(errno.EACCES):
            await hypervisor.build(domid, image("hidden"))
    rings = await hypervisor.build(domid, image("kernel", "text", vcpus=2))
    assert min(rings.store_gfn, rings.store_port, rings.console_gfn, rings.console_port) > 0
    assert rings.store_gfn != rings.console_gfn
    assert rings.store_port != rings.console_port
    info = await bench.info(domid)
    assert [info.vcpus, info.is_paused] == [2, True]
    with refused(errno.EINVAL):
        await hypervisor.build(domid, image("kernel"))


async def virtual_cpus(bench: Bench) -> None:
    cpus = (await bench.hypervisor.host_info()).nr_cpus
    domid, _ = await bench.built()
    first, second = await bench.hypervisor.vcpus(domid)
    assert [first.number, first.is_online, second.number, second.is_online] == [0, True, 1, False]
    assert {first.is_running, first.is_blocked} == {False}
    await bench.hypervisor.unpause(domid)
    for vcpu in (*await bench.hypervisor.vcpus(domid), *await bench.hypervisor.vcpus(0)):
        assert 0 <= vcpu.cpu < cpus
        assert set(vcpu.hard_affinity) | set(vcpu.soft_affinity) <= set(range(cpus))
        assert not (vcpu.is_running and vcpu.is_blocked)
    online = [vcpu for vcpu in await bench.hypervisor.vcpus(domid) if vcpu.is_online]
    assert len(online) == (await bench.info(domid)).vcpus == 1
    await bench.hypervisor.pause(domid)
    vcpus, info = await bench.hypervisor.vcpus(domid), await bench.info(domid)
    assert sum(vcpu.cpu_time_ns for vcpu in vcpus) <= info.cpu_time_ns


async def pausing(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    empty = await bench.create()
    with refused(errno.EINVAL):
        await hypervisor.unpause(empty)
    await hypervisor.pause(empty)
    domid, _ = await bench.built()
    for _ in range(2):
        await hypervisor.unpause(domid)
        info = await bench.info(domid)
        assert not info.is_paused
        assert info.is_running or info.is_blocked
    for _ in range(2):
        await hypervisor.pause(domid)
        info = await bench.info(domid)
        assert [info.is_paused, info.is_running, info.is_blocked] == [True, False, False]
    used = (await bench.info(domid)).cpu_time_ns
    assert used > 0
    assert (await bench.info(domid)).cpu_time_ns == used
    await hypervisor.unpause(domid)
    assert (await bench.info(domid)).cpu_time_ns >= used


async def shutting_down(bench: Bench) -> None:
    for reason in range(len(SHUTDOWN_REASONS)):
        domid, _ = await bench.built()
        await bench.hypervisor.unpause(domid)
        await bench.hypervisor.shutdown(domid, reason)
        await bench.hypervisor.pause(domid)
        await bench.hypervisor.unpause(domid)
        info = await bench.info(domid)
        assert [info.is_shutdown, info.shutdown_reason, info.is_dying] == [True, reason, False]
        assert [info.is_running, info.is_blocked, info.is_paused] == [False, False, False]
        assert info.memory_kib == MEMORY_KIB
        assert (await bench.info(domid)).cpu_time_ns == info.cpu_time_ns
        await bench.hypervisor.destroy(domid)


async def dying(bench: Bench) -> None:
    free = await bench.free_kib()
    domid, rings = await bench.built()
    console = await bench.hypervisor.open_console(domid, rings.console_gfn, rings.console_port)
    for _ in range(2):
        await bench.hypervisor.destroy(domid)
        info = await bench.info(domid)
        assert [info.is_dying, info.memory_kib] == [True, 0]
        assert domid in {each.domid for each in await bench.hypervisor.domains()}
    assert await bench.free_kib() == free
    for call in calls(bench, domid):
        with refused(errno.ESRCH):
            await call()
    console.notify()
    page(console)[0] = 1
    console.close()
    assert await bench.hypervisor.domain(domid) is None
    console.notify()


async def soft_reset(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    domid, rings = await bench.built()
    await hypervisor.unpause(domid)
    with refused(errno.EINVAL):
        await hypervisor.soft_reset(domid)
    old = await hypervisor.open_console(domid, rings.console_gfn, rings.console_port)
    await hypervisor.shutdown(domid, SOFT_RESET)
    await hypervisor.soft_reset(domid)
    info = await bench.info(domid)
    assert [info.is_paused, info.is_shutdown, info.shutdown_reason] == [True, False, None]
    assert info.memory_kib == MEMORY_KIB
    with refused(errno.EINVAL):
        await hypervisor.unpause(domid)
    rings = await hypervisor.build(domid, bench.image)
    with await hypervisor.open_console(domid, rings.console_gfn, rings.console_port) as console:
        page(console)[0] = page(old)[0] ^ 0xFF
        assert page(old)[0] != page(console)[0]
        old.close()
        await hypervisor.unpause(domid)
        await printed(console)


async def cores(bench: Bench) -> None:
    domid, _ = await bench.built()
    files = bench.place / "cores"
    files.mkdir()
    await bench.hypervisor.dump_core(domid, str(files / "core"))
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
    for gfn, port in ((rings.console_gfn + 1000, rings.console_port), (0, rings.console_port + 1000)):
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


def page(console: ConsoleRing) -> memoryview:
    return memoryview(cast(bytearray, console.page)).cast("B")


async def printed(console: ConsoleRing) -> None:
    """Returns once the domain has put something out, and notified."""
    with trio.fail_after(PATIENCE_SECONDS):
        await console.wait()
        while page(console)[OUT_PROD : OUT_PROD + 4] == bytes(4):
            await console.wait()


CHECKS = (
    the_host,
    domains_in_order,
    a_new_domain,
    no_such_domain,
    memory,
    max_memory,
    images,
    virtual_cpus,
    pausing,
    shutting_down,
    dying,
    soft_reset,
    cores,
    messages,
    watchdogs,
    consoles,
)
