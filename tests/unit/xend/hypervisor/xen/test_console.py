"""Consoles: pages, ports, and what fires."""

import errno
from typing import cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS, Builders
from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import ConsoleRing
from xend.hypervisor.xen.driver import Xen

PORT, FRAME = 2, 0xABD


def page(console: ConsoleRing) -> memoryview:
    return memoryview(cast(bytearray, console.page))


def local_port(machine: Machine) -> int:
    (port,) = (local for local, other in machine.kernel.bound.items() if other == (1, PORT))
    return port


async def fires(console: ConsoleRing) -> None:
    with trio.fail_after(10):
        await console.wait()


async def is_silent(console: ConsoleRing) -> bool:
    async with trio.open_nursery() as nursery:
        done = trio.Event()

        async def waits() -> None:
            await console.wait()
            done.set()

        nursery.start_soon(waits)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return not done.is_set()


@pytest.mark.trio
async def test_by_grant(machine: Machine, xen: Xen) -> None:
    machine.guest()
    with await xen.open_console(1, 0, PORT) as console:
        with page(console) as seen:
            seen[5] = 9
        assert machine.kernel.domains[1].console.page[5] == 9
        console.notify()
        assert machine.kernel.notified == [local_port(machine)]
    assert machine.kernel.bound == {}
    assert getattr(machine.kernel, "grants", {}) == {}
    console.notify()
    console.close()
    assert len(machine.kernel.notified) == 1


@pytest.mark.trio
async def test_by_frame_where_no_grant_is_seeded(machine: Machine, xen: Xen) -> None:
    machine.guest()
    machine.kernel.domains[1].has_grant = False
    with await xen.open_console(1, FRAME, PORT) as console, page(console) as seen:
        machine.kernel.domains[1].console.page[7] = 3
        assert seen[7] == 3
        seen.release()


@pytest.mark.trio
@pytest.mark.parametrize(("grant", "gfn", "port"), [(False, 0, PORT), (False, 0xF00, PORT), (True, 0, 99)])
async def test_refused(machine: Machine, xen: Xen, grant: bool, gfn: int, port: int) -> None:
    machine.guest()
    machine.kernel.domains[1].has_grant = grant
    made = [memory for memory in machine.kernel.made if memory.address]
    with refused(errno.EINVAL):
        await xen.open_console(1, gfn, port)
    assert [memory for memory in machine.kernel.made if memory.address] == made
    assert machine.kernel.bound == {}
    assert getattr(machine.kernel, "grants", {}) == {}


@pytest.mark.trio
async def test_one_that_another_program_has(machine: Machine, xen: Xen) -> None:
    machine.guest()
    machine.kernel.bound[1000] = 1, PORT
    with refused(errno.EINVAL, "end Xen's xenconsoled"):
        await xen.open_console(1, 0, PORT)


@pytest.mark.trio
async def test_of_a_domain_that_is_gone(machine: Machine, xen: Xen) -> None:
    with refused(errno.ESRCH):
        await xen.open_console(1, 0, PORT)
    machine.guest().dying = True
    with refused(errno.ESRCH):
        await xen.open_console(1, 0, PORT)


@pytest.mark.trio
async def test_events_come_once_each_time(machine: Machine, xen: Xen) -> None:
    machine.guest()
    with await xen.open_console(1, 0, PORT) as console:
        assert await is_silent(console)
        for _ in range(3):
            machine.kernel.fire(local_port(machine))
            await fires(console)
            assert await is_silent(console)


@pytest.mark.trio
async def test_a_guest_that_notifies_without_end_is_heard_when_it_is_looked_at(
    machine: Machine, xen: Xen
) -> None:
    machine.guest()
    with await xen.open_console(1, 0, PORT) as console:
        port = local_port(machine)
        machine.kernel.fire(port)
        with trio.fail_after(10):
            while port not in machine.kernel.masked:
                await trio.sleep(0)
        machine.kernel.fire(port)
        assert machine.kernel.queue == []
        await fires(console)
        assert port not in machine.kernel.masked


@pytest.mark.trio
async def test_two_domains_are_told_apart(machine: Machine, xen: Xen) -> None:
    machine.guest()
    machine.guest()
    with await xen.open_console(1, 0, PORT) as first, await xen.open_console(2, 0, PORT) as second:
        machine.kernel.fire(local_port(machine))
        await fires(first)
        assert await is_silent(second)


@pytest.mark.trio
async def test_all_are_told_when_events_were_lost(machine: Machine, xen: Xen) -> None:
    machine.guest()
    machine.guest()
    with await xen.open_console(1, 0, PORT) as first, await xen.open_console(2, 0, PORT) as second:
        machine.kernel.lose_events()
        await fires(first)
        await fires(second)
        assert machine.kernel.masked == set()


@pytest.mark.trio
async def test_one_that_is_opened_again_is_taken_from_its_holder(machine: Machine, xen: Xen) -> None:
    machine.guest()
    first = await xen.open_console(1, 0, PORT)
    machine.kernel.fire(local_port(machine))  # as Linux does of its own as a port is bound
    await wait_all_tasks_blocked()
    second = await xen.open_console(1, 0, PORT)
    with page(first) as ours, page(second) as theirs:
        ours[0] = 77
        assert theirs[0] == 77
    machine.kernel.fire(local_port(machine))
    assert await is_silent(first)
    await fires(second)
    first.notify()
    assert machine.kernel.notified == []
    first.close()
    assert local_port(machine)
    second.close()


@pytest.mark.trio
async def test_a_host_that_is_let_go_of_takes_the_ports_with_it(machine: Machine, xen: Xen) -> None:
    machine.guest()
    console = await xen.open_console(1, 0, PORT)
    await xen.close()
    console.notify()
    console.close()
    assert machine.kernel.notified == []


@pytest.mark.trio
async def test_a_host_that_is_let_go_of_at_once(machine: Machine, system: str, builders: Builders) -> None:
    """Before the task that reads its events has begun."""
    async with Xen.connect(system, SYSTEMS[system][1], machine.kernel, builders) as xen:
        await xen.close()
    assert machine.kernel.files == {}
