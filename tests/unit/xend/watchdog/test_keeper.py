"""What keeps a host from being reset, and what does not: a simulated host, its clock turned."""

import errno
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xend.hypervisor import HypervisorError
from xend.simulator.host import SimulatedHost
from xend.watchdog.keeper import EXIT_TIMEOUT_S, Keeper, WatchdogLost
from xend.watchdog.record import Record
from xenstore.daemon.start import StartError

pytestmark = pytest.mark.trio

TIMEOUT_S, SLEEP_S = 30, 15
LONG = 10_000.0


class Timers:
    """A host's watchdog timers, of which calls may fail.

    Attributes:
        fault: raised by every call, if not None.
        calls: when which were made.
    """

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self.fault: HypervisorError | None = None
        self.calls: list[tuple[float, int, int]] = []

    async def watchdog(self, timer: int, timeout_s: int) -> int:
        self.calls.append((trio.current_time() - BEGIN, timer, timeout_s))
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        return await self._host.watchdog(timer, timeout_s)


BEGIN = 0.0


class Bench:
    """A host that runs, and a record."""

    def __init__(self, host: SimulatedHost, directory: Path) -> None:
        self.host = host
        self.timers = Timers(host)
        self.record = Record(str(directory / "w.timer"))
        self.log: list[str] = []

    def keeper(self, timeout_s: int = TIMEOUT_S, sleep_s: int = SLEEP_S) -> Keeper:
        return Keeper(self.timers, timeout_s, sleep_s, self.record, self.log.append)

    async def kept(self, seconds: float, keeper: Keeper | None = None) -> Keeper:
        """One that kept the timer for so long, and was killed then."""
        if keeper is None:
            keeper = self.keeper()
            await keeper.arm()
        with trio.move_on_after(seconds):
            await keeper.keep()
        return keeper

    async def reset_after(self, seconds: float = LONG) -> float | None:
        """Seconds from now until the host is reset; None: it is not, within so many."""
        began = trio.current_time()
        with trio.move_on_after(seconds):
            await self.host.was_reset.wait()
            assert "watchdog timer" in self.host.reset
            return trio.current_time() - began
        return None


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Bench]:
    global BEGIN
    BEGIN = trio.current_time()
    host = SimulatedHost(directory / "h", random=random.Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        yield Bench(host, directory)
        nursery.cancel_scope.cancel()
    host.power_off()


@pytest.fixture
async def bench(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[Bench]:
    async with running(tmp_path) as made:
        yield made


async def test_as_long_as_it_is_kept_nothing_happens(autojump_clock: MockClock, bench: Bench) -> None:
    keeper = bench.keeper()
    await keeper.arm()
    await bench.kept(100.0, keeper)
    assert bench.timers.calls == [(0, 0, 30), *((float(at), 1, 30) for at in range(15, 100, 15))]
    assert not bench.host.reset
    assert bench.log == [
        "watchdog timer 1 expires 30 s after it was last set; it is set every 15 s",
    ]


async def test_who_is_killed_leaves_it_armed(autojump_clock: MockClock, bench: Bench) -> None:
    await bench.kept(95.0)
    assert await bench.reset_after() == 25  # last set at 90


async def test_a_daemon_that_is_started_anew_takes_it_over(autojump_clock: MockClock, bench: Bench) -> None:
    await bench.kept(95.0)
    await bench.kept(LONG)
    assert not bench.host.reset
    assert bench.log[-1].startswith("watchdog timer 1, left armed by the daemon before, expires 30 s")
    await (await bench.kept(1.0)).leave(safely=True)
    assert await bench.reset_after() is None


async def test_a_record_that_is_out_of_date_means_nothing(autojump_clock: MockClock, bench: Bench) -> None:
    bench.record.write(2)
    keeper = await bench.kept(LONG)
    assert bench.timers.calls[:2] == [(0, 2, 30), (0, 0, 30)]
    assert bench.record.read() == 1
    await keeper.leave(safely=True)
    assert bench.record.read() is None


@pytest.mark.parametrize("content", ["", "x", "one\n", "-", "\0", "9" * 100])
async def test_a_record_without_sense(
    autojump_clock: MockClock, bench: Bench, tmp_path: Path, content: str
) -> None:
    (tmp_path / "w.timer").write_text(content)
    await bench.kept(LONG)
    assert not bench.host.reset
    assert bench.record.read() == 1


async def test_a_record_that_cannot_be_written_is_said(
    autojump_clock: MockClock, bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "w.timer").mkdir()
    await bench.kept(LONG)
    assert not bench.host.reset
    assert "cannot take timer 1 over" in bench.log[0]


async def test_it_is_left_safely(autojump_clock: MockClock, bench: Bench) -> None:
    keeper = await bench.kept(20.0)
    await keeper.leave(safely=True)
    assert await bench.reset_after() is None
    assert bench.log[-1] == "watchdog timer 1 is disarmed"


@pytest.mark.parametrize(("timeout_s", "left_s"), [(30, EXIT_TIMEOUT_S), (1000, 1000)])
async def test_it_is_left_armed_for_a_host_that_goes_down(
    autojump_clock: MockClock, bench: Bench, timeout_s: int, left_s: int
) -> None:
    keeper = bench.keeper(timeout_s)
    await keeper.arm()
    await bench.kept(7.0, keeper)
    await keeper.leave(safely=False)
    assert f"reset in {left_s} s unless" in bench.log[-1]
    assert await bench.reset_after() == left_s


async def test_a_restart_of_the_service_costs_no_reset(autojump_clock: MockClock, bench: Bench) -> None:
    await (await bench.kept(20.0)).leave(safely=False)
    await bench.kept(LONG)
    assert not bench.host.reset


async def test_both_timers_are_others(autojump_clock: MockClock, bench: Bench) -> None:
    for _ in range(2):
        await bench.host.watchdog(0, 3600)
    with pytest.raises(StartError, match="both watchdog timers"):
        await bench.keeper().arm()


async def test_a_timer_that_somebody_disarmed_is_armed_anew(autojump_clock: MockClock, bench: Bench) -> None:
    keeper = await bench.kept(20.0)
    await bench.host.watchdog(1, 0)
    await bench.host.watchdog(0, 3600)  # and somebody has it now, who sets it no more: it is not ours to keep
    await bench.host.watchdog(1, 0)
    await bench.kept(100.0, keeper)
    assert "watchdog timer 1 was disarmed by somebody else; arming another" in bench.log
    assert not bench.host.reset


async def test_a_refusal_that_passes(autojump_clock: MockClock, bench: Bench) -> None:
    keeper = await bench.kept(20.0)
    bench.timers.fault = HypervisorError(errno.EAGAIN, "busy")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.keep)
        await trio.sleep(23.0)  # until 43: it would expire at 45
        bench.timers.fault = None
        await trio.sleep(100.0)
        nursery.cancel_scope.cancel()
    assert not bench.host.reset
    assert bench.log[1:] == [
        "watchdog timer 1 cannot be set: busy; trying again",
        "watchdog timer 1 is set again",
    ]


async def test_a_refusal_that_lasts(autojump_clock: MockClock, bench: Bench) -> None:
    keeper = await bench.kept(20.0)
    bench.timers.fault = HypervisorError(errno.EAGAIN, "busy")
    with pytest.raises(WatchdogLost, match="could not be set for 30 s: busy"):
        await keeper.keep()
    assert trio.current_time() - BEGIN == 44
    assert await bench.reset_after() == 1


async def test_being_woken_late_is_said(autojump_clock: MockClock, bench: Bench) -> None:
    """Twice: once so late that it is worth a line."""
    keeper = bench.keeper()
    await keeper.arm()
    for late in (7.0, 8.0):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.keep)
            await wait_all_tasks_blocked()
            autojump_clock.jump(SLEEP_S + late)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert bench.log[1:] == [
        "woken 8.0 s late, the host is reset at 15 s: is it short of CPU or memory?",
    ]


async def test_how_it_stands(autojump_clock: MockClock, bench: Bench) -> None:
    keeper = await bench.kept(20.0)
    keeper.log_timer()
    assert bench.log[-1] == (
        "watchdog timer 1 was set 5.0 s ago and expires in 25.0 s unless it is set again"
    )
