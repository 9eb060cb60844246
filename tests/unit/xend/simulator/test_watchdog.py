"""What becomes of a simulated host, or a guest, whose watchdog expires."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.unit.xend.simulator.process import HostProcess
from tests.unit.xend.simulator.world import world
from xend.hypervisor import SHUTDOWN_REASONS, HypervisorError
from xend.hypervisor.simulator import Simulator
from xend.simulator.guest.faults import parse
from xend.simulator.host import SimulatedHost

pytestmark = pytest.mark.trio

WATCHDOG = SHUTDOWN_REASONS.index("watchdog")


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[SimulatedHost]:
    host = SimulatedHost(directory / "h", random=random.Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        yield host
        nursery.cancel_scope.cancel()
    host.power_off()


async def reset_at(host: SimulatedHost) -> float:
    """Seconds from now."""
    began = trio.current_time()
    await host.was_reset.wait()
    return trio.current_time() - began


async def test_the_host_is_reset_when_the_first_of_dom0s_timers_expires(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with running(tmp_path) as host:
        await host.watchdog(0, 30)
        await host.watchdog(0, 20)
        assert await reset_at(host) == 20
        assert host.reset == f"{host.name}: reset, as dom0's watchdog timer 2 expired"
        assert b"watchdog timer 2 expired" in await host.message_buffer()


async def test_armed_before_the_host_runs(tmp_path: Path, autojump_clock: object) -> None:
    host = SimulatedHost(tmp_path / "h", random=random.Random(1))
    await host.watchdog(0, 30)
    with trio.fail_after(31):
        await host.run()
    assert host.reset
    host.power_off()


async def test_set_again_in_time_or_disarmed(tmp_path: Path, autojump_clock: object) -> None:
    async with running(tmp_path) as host:
        timer = await host.watchdog(0, 30)
        await trio.sleep(29)
        await host.watchdog(timer, 5)
        await trio.sleep(4)
        await host.watchdog(timer, 100)
        await trio.sleep(99)
        await host.watchdog(timer, 0)
        with trio.move_on_after(1000) as scope:
            await host.was_reset.wait()
        assert scope.cancelled_caught


async def test_a_guest_is_shut_down_by_its_own(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, _ = await w.boot("sim=watchdog=20")
        other, _ = await w.boot("sim=watchdog=3600")
        began = trio.current_time()
        info = await w.ends(domid)
        assert info.shutdown_reason == WATCHDOG
        assert 19 < trio.current_time() - began < 21
        running = await w.host.domain(other)
        assert running is not None
        assert not running.is_shutdown
        await w.host.destroy(other)
        await trio.sleep(4000)  # a domain that is gone takes its timers with it
        assert not w.host.reset
        messages = (await w.host.message_buffer()).decode()
        assert f"d{domid}: watchdog timer 1 expired" in messages
        assert f"d{other}: watchdog" not in messages


async def test_the_process_of_the_host_says_so_and_ends(
    host_process: HostProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    host_process.start()
    async with Simulator.connect(host_process.directory) as simulator:
        await simulator.watchdog(0, 1)
    assert host_process.wait() == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("xend-simulator: simulated host in ")
    assert line.endswith(": reset, as dom0's watchdog timer 1 expired")


async def test_a_host_that_was_reset_answers_no_more(host_process: HostProcess) -> None:
    host_process.start()
    async with Simulator.connect(host_process.directory) as simulator:
        await simulator.watchdog(0, 1)
        host_process.wait()
        with pytest.raises(HypervisorError, match=r"went away|answers"):
            await simulator.domains()


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "x", "86401", "9" * 400])
async def test_a_guest_without_a_sensible_timeout(value: str) -> None:
    with pytest.raises(ValueError, match="sim=watchdog="):
        parse(f"sim=watchdog={value}")
