"""Two ways to keep a pump turning beside trio, behind one function.

As guest, trio runs inside the pump's loop: a request costs no trio at all, but each time trio itself must
wake (a timer, a socket of its own) its wait goes through a helper thread.  Right for `xenstored`, where trio
is the control plane.  As a task, the pump is one of trio's descriptors: right inside a program where trio
has work of its own, and in tests.  Figures of both: peers.md 5.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import trio

from xenstore._pump import Pump

if TYPE_CHECKING:
    from outcome import Outcome

T = TypeVar("T")

#: How long the task form keeps turning before other tasks get a chance, in seconds.
SLICE_SECONDS = 200e-6


def drive(pump: Pump, main: Callable[[], Awaitable[T]], *, guest: bool = True) -> T:
    """Runs `main` under trio while the pump turns; returns what main returns, raises what it raises.

    The pump is left open.  The guest form runs in the main thread, where Python delivers signals, and needs
    every fork of the caller's to have happened before.

    Raises:
        ValueError: the task form was asked for with a poller that has no descriptor (poll).
    """
    if guest:
        return _Guest(pump).run(main)
    pump.fileno()
    return trio.run(_beside, pump, main)


async def serve(pump: Pump) -> None:
    """The task form by itself: turns the pump until cancelled, at most SLICE_SECONDS at a time."""
    fd = pump.fileno()
    while True:
        pause = pump.pause()
        if pause > 0:
            with trio.move_on_after(pause):
                await trio.lowlevel.wait_readable(fd)
        else:
            await trio.lowlevel.checkpoint()
        end = perf_counter() + SLICE_SECONDS
        pump.turn(0)
        while pump.busy and perf_counter() < end:
            pump.turn(0)


async def _beside(pump: Pump, main: Callable[[], Awaitable[T]]) -> T:
    failure = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, pump)
        try:
            result = await main()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = error  # raised below as it is, not in the nursery's group
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


class _Guest:
    """The host loop of trio's guest mode.

    trio hands it callbacks: from this thread they are run after the current turn, from the helper thread
    they wake the turn through a pipe in the pump's own poller.
    """

    def __init__(self, pump: Pump) -> None:
        self.pump = pump
        self.callbacks: deque[Callable[[], object]] = deque()
        self.woken = False
        self.result: Outcome[Any] | None = None
        self.failure: BaseException | None = None
        self.cancel: Callable[[], object] = lambda: None

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        reader, self.writer = os.pipe()
        os.set_blocking(reader, False)
        self.pump.on_readable(reader, lambda: self.drain(reader))
        try:
            trio.lowlevel.start_guest_run(
                self.cancellable,
                main,
                run_sync_soon_threadsafe=self.call_soon_from_thread,
                run_sync_soon_not_threadsafe=self.callbacks.append,
                done_callback=self.done,
                # An interrupt raised in the midst of the host loop would abandon trio's run.
                restrict_keyboard_interrupt_to_checkpoints=True,
            )
            while self.result is None:
                self.turn()
                self.run_callbacks()
        finally:
            self.pump.forget(reader)
            os.close(reader)
            os.close(self.writer)
        if self.failure is not None:
            raise self.failure
        return cast(T, self.result.unwrap())

    async def cancellable(self, main: Callable[[], Awaitable[T]]) -> T:
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as scope:
            self.cancel = lambda: token.run_sync_soon(scope.cancel)
            return await main()
        raise RuntimeError("cancelled after an error in the host loop")

    def done(self, result: Outcome[Any]) -> None:
        self.result = result

    def call_soon_from_thread(self, callback: Callable[[], object]) -> None:
        self.callbacks.append(callback)
        if not self.woken:
            self.woken = True
            os.write(self.writer, b"\0")

    def drain(self, reader: int) -> None:
        # In this order: whoever appends after the flag is down writes again.
        os.read(reader, 4096)
        self.woken = False

    def turn(self) -> None:
        try:
            self.pump.turn_until(self.callbacks)
        except BaseException as error:
            if self.failure is not None:
                raise
            # Let out here, it would leave trio's run half done, and this thread without trio for good.
            self.failure = error
            self.cancel()

    def run_callbacks(self) -> None:
        """Runs those queued by now; what they queue in turn waits until clients had theirs.

        They are trio's own: tasks' errors stay inside, so one that escapes is the end of trio here.
        """
        for _ in range(len(self.callbacks)):
            self.callbacks.popleft()()
