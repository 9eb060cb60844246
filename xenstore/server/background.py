"""What a server does under trio, beside the pump's turns: all that waits for time, signals or processes."""

import signal
from collections.abc import AsyncIterator, Callable

import trio

from xenstore._pump import Pump
from xenstore.daemon.start import notify_supervisor
from xenstore.journal.writer import Journal
from xenstore.server.drive import drive
from xenstore.server.handover import Handover
from xenstore.server.rings import Rings
from xenstore.server.server import Server
from xenstore.server.start import SIGNALS

#: How often all rings are looked at without having been notified, in seconds: lost notifications happen.
SCAN_SECONDS = 20.0
#: How often it is looked whether a journal has room again, in seconds.
LOOK_SECONDS = 0.25


def run(server: Server, on_up: Callable[[], object]) -> None:
    """Serve until a signal asks to stop: trio is the guest of the pump.

    server: one that is up; SIGNALS are blocked.
    on_up: called once they are received in order.
    """
    drive(server.pump, lambda: _serve(server, on_up))


def start(server: Server, nursery: trio.Nursery) -> None:
    """Begin what every server that is up needs."""
    if server.rings is not None:
        nursery.start_soon(scan_regularly, server.rings, server.pump)
    if server.journal is not None:
        nursery.start_soon(keep_trying, server.journal, server.pump)


async def scan_regularly(rings: Rings, pump: Pump) -> None:
    """Repair lost notifications, until cancelled."""
    while True:
        await trio.sleep(SCAN_SECONDS)
        pump.call_soon(rings.scan)


async def keep_trying(journal: Journal, pump: Pump) -> None:
    """Continue a journal that broke off as soon as that is possible, and give back what it does not need,
    until cancelled."""
    while True:
        await trio.sleep(LOOK_SECONDS)
        pump.call_soon(journal.look)


async def _serve(server: Server, on_up: Callable[[], object]) -> None:
    with trio.open_signal_receiver(*SIGNALS) as received:
        on_up()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        async with trio.open_nursery() as nursery:
            start(server, nursery)
            if server.live_update is not None:
                nursery.start_soon(Handover.of(server, server.live_update).serve)
            await _obey(server, received)
            nursery.cancel_scope.cancel()
        notify_supervisor("STOPPING=1")


async def _obey(server: Server, signals: AsyncIterator[int]) -> None:
    """Do what signals ask for, until one asks to stop."""
    async for number in signals:
        if number != signal.SIGHUP:
            server.log(f"{signal.Signals(number).name}: stopping")
            return
        server.reopen_trace()
