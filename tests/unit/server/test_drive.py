"""Both ways to keep the pump turning beside trio; the guest form also where things go wrong."""

import gc
import os
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import closing

import pytest
import trio

from tests.unit.server.clients import Client, read_request
from xenstore._pump import Pump
from xenstore.server.drive import drive
from xenstore.store import Store
from xenstore.wire import MessageType


@pytest.fixture
def pump() -> Iterator[Pump]:
    with closing(Pump(Store())) as pump:
        yield pump


both_forms = pytest.mark.parametrize("guest", [True, False], ids=["guest", "task"])


def ask(client: Client, requests: int = 1) -> int:
    """Sends requests from this thread, one after another, waiting for each reply; returns how many came."""
    client.socket.setblocking(True)
    for number in range(requests):
        client.socket.sendall(read_request(number))
        assert client.socket.recv(100)[:4] == MessageType.READ.to_bytes(4, "little")
    return requests


@both_forms
def test_main_runs_and_its_result_comes_back(pump: Pump, guest: bool) -> None:
    async def main() -> str:
        await trio.sleep(0)
        return "result"

    assert drive(pump, main, guest=guest) == "result"


@both_forms
def test_what_main_raises_comes_back(pump: Pump, guest: bool) -> None:
    async def main() -> None:
        await trio.sleep(0)
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError, match="planted"):
        drive(pump, main, guest=guest)
    trio.run(trio.sleep, 0)  # and this thread can still run trio


@both_forms
def test_clients_are_served_while_main_waits(pump: Pump, guest: bool) -> None:
    client = Client(pump)

    async def main() -> int:
        return await trio.to_thread.run_sync(ask, client, 200)

    assert drive(pump, main, guest=guest) == 200


@both_forms
def test_trio_runs_while_clients_press(pump: Pump, guest: bool) -> None:
    """Timers, a process, a socket of trio's own and threads, beside a client that never pauses."""
    client = Client(pump)
    over = threading.Event()

    def press() -> None:
        while not over.is_set():
            ask(client)

    async def main() -> list[object]:
        seen: list[object] = []
        for _ in range(3):
            await trio.sleep(0.001)
            seen.append(await trio.to_thread.run_sync(lambda: "thread"))
        seen.append((await trio.run_process(["true"])).returncode)
        one, other = trio.socket.socketpair()
        await one.send(b"x")
        seen.append(await other.recv(1))
        one.close()
        other.close()
        return seen

    thread = threading.Thread(target=press)
    thread.start()
    try:

        async def all() -> list[object]:
            try:
                return await main()
            finally:
                over.set()
                await trio.to_thread.run_sync(thread.join)

        assert drive(pump, all, guest=guest) == ["thread"] * 3 + [0, b"x"]
    finally:
        over.set()


@both_forms
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("load", [False, True], ids=["idle", "load"])
def test_signals_arrive(pump: Pump, guest: bool, number: signal.Signals, load: bool) -> None:
    client = Client(pump)
    over = threading.Event()
    ready = threading.Event()
    unwound = []

    def press() -> None:
        while load and not over.is_set():
            ask(client)

    def send_signal() -> None:
        ready.wait()
        os.kill(os.getpid(), number)

    async def main() -> int:
        with trio.open_signal_receiver(number) as received:
            ready.set()
            try:
                async for arrived in received:
                    return arrived
                raise AssertionError("no signal")
            finally:
                unwound.append(True)
                over.set()
                # the pressing thread needs the pump until its last reply
                await trio.to_thread.run_sync(threads[0].join)

    threads = [threading.Thread(target=press), threading.Thread(target=send_signal)]
    for thread in threads:
        thread.start()
    assert drive(pump, main, guest=guest) == number
    threads[1].join()
    assert unwound == [True]


@both_forms
def test_an_interrupt_that_nobody_receives_ends_main(pump: Pump, guest: bool) -> None:
    unwound = []
    # It is no function of Python's where the tests were started with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    async def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep_forever()
        finally:
            unwound.append(True)

    try:
        with pytest.raises(KeyboardInterrupt):
            drive(pump, main, guest=guest)
    finally:
        signal.signal(signal.SIGINT, before)
    assert unwound == [True]
    trio.run(trio.sleep, 0)


def test_twenty_runs_in_a_row(pump: Pump) -> None:
    gc.collect()  # what tests before this one left open is not to be closed meanwhile
    before = len(os.listdir("/dev/fd"))
    client = Client(pump)
    threads = threading.active_count()
    for number in range(20):

        async def main(number: int = number) -> int:
            await trio.sleep(0.001)
            await trio.to_thread.run_sync(ask, client)
            return number

        assert drive(pump, main) == number
        assert threading.active_count() <= threads + 2  # trio keeps idle helper threads for a while
    assert len(os.listdir("/dev/fd")) == before + 2


def test_the_poll_poller_serves_as_host_and_not_as_task() -> None:
    with closing(Pump(Store(), "poll")) as pump:
        client = Client(pump)

        async def main() -> int:
            return await trio.to_thread.run_sync(ask, client, 20)

        assert drive(pump, main) == 20
        with pytest.raises(ValueError, match="no descriptor"):
            drive(pump, main, guest=False)


class FailingPump(Pump):
    """Raises what is planted, as a signal's handler does when it interrupts the wait."""

    planted: BaseException | None = None

    def turn_until(self, calls: Collection[object]) -> None:
        if self.planted is not None:
            planted, self.planted = self.planted, None
            raise planted
        super().turn_until(calls)


def test_an_error_in_the_host_loop_cancels_main_and_is_raised() -> None:
    unwound = []
    with closing(FailingPump(Store())) as pump:

        async def main() -> None:
            try:
                pump.planted = ZeroDivisionError("planted")
                await trio.sleep_forever()
            finally:
                unwound.append(True)

        with pytest.raises(ZeroDivisionError, match="planted"):
            drive(pump, main)
    assert unwound == [True]
    trio.run(trio.sleep, 0)
