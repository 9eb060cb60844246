"""Consoles."""

import errno

import trio

from tests.contract.bench import Bench, page, printed, refused


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
