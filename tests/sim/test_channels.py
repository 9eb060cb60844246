"""Notifications of the simulated host: an event channel is a bit, and takes nobody else's room."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from xenstore.daemon.locks import Held
from xenstore.platform.sim import STORE_PORT, SimulatedPlatform

#: More than what lies undone with all of them may fill one sender's buffer, on any system.
DOMAINS = 400
AGAIN = 20


@contextmanager
def domains(top: Path, number: int) -> Iterator[list[socket.socket]]:
    """The channels of so many domains, which nobody reads: they are paused."""
    with ExitStack() as stack:
        made = []
        for domid in range(number):
            home = top / str(domid)
            home.mkdir()
            (home / "store.page").write_bytes(bytes(4096))
            channel = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            channel.bind(os.fspath(home / "store.channel"))
            channel.setblocking(False)
            made.append(channel)
        yield made


def test_domains_that_stand_still_leave_room_for_notifying_others(tmp_path: Path) -> None:
    held = Held()
    platform = SimulatedPlatform(tmp_path, held)
    try:
        with domains(tmp_path, DOMAINS) as channels:
            for domid in range(DOMAINS):
                assert platform.bind_interdomain(domid, 1) == STORE_PORT + domid
                for _ in range(AGAIN):
                    platform.channels.notify(STORE_PORT + domid)
            for domid in range(DOMAINS):
                assert channels[domid].recv(1) == b"\0", f"domain {domid} was not notified"
    finally:
        platform.close()
        held.close()
