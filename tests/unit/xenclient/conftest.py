"""The two clients behind one face, so that each scenario is written once: as for the trio client."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, MockClock

from tests.unit.xenclient.face import Awaited, result_of
from tests.unit.xenclient.fake_store import FakeConnection, FakeStore
from xenclient.store import aio, blocking

#: Gets the store and a way to make a client, as `async with client(timeout=...) as c`.
Scenario = Callable[[FakeStore, Any], Coroutine[Any, Any, None]]


@pytest.fixture(params=["blocking", "aio"])
def play(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario with one of the clients, on a fresh store and a clock that jumps."""
    return {"blocking": play_blocking, "aio": play_aio}[request.param]


# trio


def play_aio(scenario: Scenario) -> None:
    async def main() -> None:
        store = FakeStore()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, store)
            await scenario(
                store, lambda **options: aio.Client("fake", connect=lambda: stream(store), **options)
            )
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def follow(store: FakeStore) -> None:
    """Do what is scheduled when it is due; what a scenario schedules later must not be due before."""
    start = trio.current_time()
    while True:
        if not store.schedule:
            await trio.sleep(0.125)
            continue
        seconds, action = store.schedule[0]
        await trio.sleep_until(start + seconds)
        store.schedule.pop(0)
        action()


def stream(store: FakeStore) -> trio.abc.Stream:
    connection = store.connect()
    receiving = MemoryReceiveStream()
    sending = MemorySendStream()

    async def sent() -> None:
        data = bytes(sending.get_data_nowait())
        await trio.lowlevel.checkpoint()
        if connection.closed:
            raise trio.BrokenResourceError from BrokenPipeError(32, "Broken pipe")
        connection.feed(data)

    def output() -> None:
        if connection.output:
            receiving.put_data(bytes(connection.output))
            connection.output.clear()
        if connection.closed:
            receiving.put_eof()

    sending.send_all_hook = sent
    connection.on_output = output
    return trio.StapledStream(sending, receiving)


# blocking


class Clock:
    """The seconds of a test; the store's schedule happens as they pass."""

    def __init__(self, store: FakeStore) -> None:
        self.now = 0.0
        self._store = store

    def sleep(self, seconds: float) -> None:
        self.pass_until(self.now + seconds)

    def pass_until(self, end: float, wanted: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until `end`, or until a scheduled action brought what is wanted."""
        while not wanted():
            if not self._store.schedule or self._store.schedule[0][0] > end:
                self.now = max(self.now, end)
                return
            seconds, action = self._store.schedule.pop(0)
            self.now = max(self.now, seconds)
            action()


class Transport:
    """A connection as the blocking client wants it; nothing waits, time is the clock's."""

    def __init__(self, connection: FakeConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def send(self, data: bytearray, timeout: float | None) -> int:
        if self._connection.closed:
            raise BrokenPipeError(32, "Broken pipe")
        # Seldom all at once.
        sent = bytes(data[:11])
        self._connection.feed(sent)
        return len(sent)

    def receive(self, size: int, timeout: float | None) -> bytes:
        end = float("inf") if timeout is None else self._clock.now + timeout
        assert timeout is not None or self._ready() or self._clock._store.schedule, "waits for ever"
        self._clock.pass_until(end, self._ready)
        output = self._connection.output
        if not output and not self._connection.closed:
            raise TimeoutError
        data = bytes(output[:size])
        del output[:size]
        return data

    def close(self) -> None:
        self._connection.closed = True

    def _ready(self) -> bool:
        return bool(self._connection.output) or self._connection.closed


def play_blocking(scenario: Scenario) -> None:
    store = FakeStore()
    clock = Clock(store)

    @asynccontextmanager
    async def client(**options: Any) -> AsyncIterator[Any]:
        with blocking.Client(
            "fake",
            connect=lambda: Transport(store.connect(), clock),
            clock=lambda: clock.now,
            sleep=clock.sleep,
            **options,
        ) as plain:
            yield Awaited(plain)

    result_of(scenario(store, client))
