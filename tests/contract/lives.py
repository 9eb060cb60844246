"""How domains run, and how they end."""

import errno

import trio

from tests.contract.bench import LOOK_SECONDS, PATIENCE_SECONDS, Bench, page, printed, refused
from tests.contract.domains import calls
from xend.hypervisor import SHUTDOWN_REASONS

SOFT_RESET = SHUTDOWN_REASONS.index("soft_reset")


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
