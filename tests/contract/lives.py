"""How domains run, and how they end."""

import errno
import os

import pytest
import trio

from tests.contract.bench import LOOK_SECONDS, PATIENCE_SECONDS, Bench, page, printed, refused
from tests.contract.domains import calls
from xend._sum import Sum
from xend.hypervisor import SHUTDOWN_REASONS, Blueprint, Rings

SOFT_RESET = SHUTDOWN_REASONS.index("soft_reset")
SUSPEND = SHUTDOWN_REASONS.index("suspend")


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


async def resuming(bench: Bench) -> None:
    """Of a domain that hears nothing of it: marked as suspended from outside."""
    hypervisor = bench.hypervisor
    domid, _ = await bench.built()
    await hypervisor.unpause(domid)
    with refused(errno.EINVAL):
        await hypervisor.resume(domid)
    await hypervisor.shutdown(domid, 0)
    with refused(errno.EINVAL):
        await hypervisor.resume(domid)


async def saving(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    domid, _ = await bench.built()
    file = bench.place / "saved"
    asked = 0

    async def not_at_all() -> None:
        raise Refusal

    async def without_effect() -> None:
        pass

    async def suspend() -> None:
        nonlocal asked
        asked += 1
        await hypervisor.shutdown(domid, SUSPEND)

    if bench.type == "pv" or bench.guest.boots_again:  # a kernel without that has yet to boot
        assert await hypervisor.hears(domid)
    if not bench.guest.boots_again:  # a real kernel has to be asked, which is xend's
        return
    await hypervisor.unpause(domid)
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        with pytest.raises(Refusal):
            await hypervisor.save(domid, fd, not_at_all, Sum())
        with refused(errno.EINVAL):
            await hypervisor.save(domid, fd, without_effect, Sum())
        assert not (await bench.info(domid)).is_shutdown
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, b"in front")
        front = Sum()
        front.add(b"in front")
        checksum = await hypervisor.save(domid, fd, suspend, front)
        assert asked == 1
        check(checksum, fd)
        assert (await bench.info(domid)).shutdown_reason == SUSPEND
        end = os.lseek(fd, 0, os.SEEK_CUR)
        assert end == os.fstat(fd).st_size
        os.write(fd, b"behind")
        for is_paused in (True, False):
            await hypervisor.resume(domid, is_paused=is_paused)
            info = await bench.info(domid)
            assert [info.is_shutdown, info.is_paused] == [False, is_paused]
            await hypervisor.unpause(domid)
            if is_paused:
                await hypervisor.shutdown(domid, SUSPEND)
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            with refused(errno.ENOSPC):
                await hypervisor.save(domid, full, suspend, Sum())
        finally:
            os.close(full)
        await restoring(bench, fd, end)
    finally:
        os.close(fd)


class Refusal(Exception):
    pass


def check(checksum: Sum, fd: int) -> None:
    """It is of all up to the descriptor's place, or of what stands in front alone."""
    place = os.lseek(fd, 0, os.SEEK_CUR)
    assert checksum.length in (8, place)
    whole = Sum()
    whole.add(os.pread(fd, checksum.length, 0))
    assert checksum.value == whole.value


async def restoring(bench: Bench, fd: int, end: int) -> None:
    hypervisor = bench.hypervisor

    async def into(domid: int, blueprint: Blueprint, begin: int = 8) -> Rings:
        os.lseek(fd, begin, os.SEEK_SET)
        front = Sum()
        front.add(os.pread(fd, begin, 0))
        rings, checksum = await hypervisor.restore(domid, fd, bench.image(blueprint=blueprint), front)
        check(checksum, fd)
        return rings

    for wrong, begin, number in (
        ({}, 0, errno.EINVAL),
        ({}, 16, errno.EINVAL),
        ({"type": "pvh" if bench.type == "pv" else "pv"}, 8, errno.EINVAL),
        ({"max_memory_kib": 1024}, 8, errno.ENOMEM),
    ):
        blueprint = bench.blueprint(**wrong)
        domid = await hypervisor.create(blueprint)
        with refused(number):
            await into(domid, blueprint, begin)
        await hypervisor.destroy(domid)
    blueprint = bench.blueprint()
    domid = await hypervisor.create(blueprint)
    await hypervisor.claim(domid, bench.memory_kib)
    rings = await into(domid, blueprint)
    assert os.lseek(fd, 0, os.SEEK_CUR) == end
    info = await bench.info(domid)
    assert [info.is_paused, info.is_shutdown, info.outstanding_kib] == [True, False, 0]
    assert bench.is_about(info.memory_kib, bench.memory_kib)
    with refused(errno.EEXIST):
        await into(domid, blueprint)
    with await hypervisor.open_console(domid, rings.console_gfn, rings.console_port) as console:
        await hypervisor.unpause(domid)
        await printed(console)
