"""The other end of a pump's connection, as a test holds it."""

import socket
from collections.abc import Iterator
from pathlib import Path

from xenstore._pump import Pump
from xenstore.store import Session
from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack


def read_request(req_id: int = 0) -> bytes:
    """A request that every store answers, with little: READ of the root."""
    return pack(MessageType.READ, b"/\0", req_id=req_id)


class Client:
    """One connection over a socketpair; nothing here blocks."""

    def __init__(self, pump: Pump, *, server_buffer_bytes: int | None = None) -> None:
        self.pump = pump
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        if server_buffer_bytes is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, server_buffer_bytes)
        self.socket = ours
        self.session: Session = pump.store.connect()
        self.fd = theirs.detach()
        pump.add(self.fd, self.session)
        self.is_over = False
        self._received = b""

    def send(self, data: bytes) -> int:
        """How many of the bytes the socket took."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def send_all(self, data: bytes) -> None:
        assert self.send(data) == len(data)

    def replies(self) -> list[tuple[int, int]]:
        """(type, req_id) of every whole message that has arrived since the last call."""
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            if not data:
                self.is_over = True
                break
            self._received += data
        found = []
        at = 0
        while len(self._received) - at >= HEADER_SIZE:
            type, req_id, _, size = HEADER.unpack_from(self._received, at)
            if len(self._received) - at < HEADER_SIZE + size:
                break
            at += HEADER_SIZE + size
            found.append((type, req_id))
        self._received = self._received[at:]
        return found

    def close(self) -> None:
        self.socket.close()


def listen(directory: Path) -> socket.socket:
    """A listening socket in `directory`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "s"))
    listener.listen(128)
    return listener


#: More turns than any test here has use for.
TURNS_MAX = 100_000


def turns(pump: Pump) -> Iterator[None]:
    """Turns the pump once for each step of a loop, to be left when what it waits for has come; else fails."""
    for _ in range(TURNS_MAX):
        pump.turn(0)
        yield
    raise AssertionError(f"still waiting after {TURNS_MAX} turns")


def settle(pump: Pump) -> None:
    """Turns until nothing is left to do."""
    for _ in turns(pump):
        if not pump.busy and not pump.store.has_work and pump.pause() > 0:
            return
