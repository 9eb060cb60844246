"""A blocking connection to a xenstored socket that hides nothing: every byte in, every message out."""

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack

#: How long a daemon may take to answer before the test fails, in seconds.
ANSWER_SECONDS = 20.0


class Message(NamedTuple):
    """One message off the wire; `type` is a plain number, for peers send what they like."""

    type: int
    req_id: int
    tx_id: int
    payload: bytes


class Closed(Exception):
    """The daemon closed the connection where a message was expected."""


def split_message(buffer: bytearray) -> Message | None:
    """The first message of `buffer`, removed from it; None while it is incomplete."""
    if len(buffer) < HEADER_SIZE:
        return None
    type_, req_id, tx_id, size = HEADER.unpack_from(buffer)
    if len(buffer) < HEADER_SIZE + size:
        return None
    payload = bytes(buffer[HEADER_SIZE : HEADER_SIZE + size])
    del buffer[: HEADER_SIZE + size]
    return Message(type_, req_id, tx_id, payload)


class Wire:
    """One client connection.

    `events` holds the watch events that arrived while a reply was awaited, oldest first.  A daemon that
    does not answer within `timeout` seconds raises TimeoutError, one that hangs up raises Closed.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float = ANSWER_SECONDS) -> None:
        self.events: deque[Message] = deque()
        self._input = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(os.fspath(path))

    def send_bytes(self, data: bytes) -> None:
        """`data` as it is, a whole message or not."""
        self._socket.sendall(data)

    def send(self, type: int, payload: bytes = b"", *, req_id: int = 0, tx_id: int = 0) -> None:
        """One message, without waiting for anything."""
        self._socket.sendall(pack(type, payload, req_id=req_id, tx_id=tx_id))

    def receive(self) -> Message:
        """The next message, whatever it is, also one that was put into `events` while waiting."""
        return self.events.popleft() if self.events else self._read()

    def reply(self) -> Message:
        """The next message that is no watch event; those before it are appended to `events`."""
        while (message := self._read()).type == MessageType.WATCH_EVENT:
            self.events.append(message)
        return message

    def request(self, type: int, payload: bytes = b"", *, req_id: int = 0, tx_id: int = 0) -> Message:
        """Send one request and return its reply."""
        self.send(type, payload, req_id=req_id, tx_id=tx_id)
        return self.reply()

    def drain(self) -> list[Message]:
        """All watch events the daemon has queued up to now, removed from `events`; one round trip."""
        self.request(MessageType.GET_DOMAIN_PATH, b"0\0")
        events = list(self.events)
        self.events.clear()
        return events

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self) -> Message:
        return read_message(self._input, lambda: self._socket.recv(65536))


def read_message(buffer: bytearray, more: Callable[[], bytes]) -> Message:
    """The next message of `buffer`, which is filled from `more()` as long as it holds none."""
    while (message := split_message(buffer)) is None:
        try:
            data = more()
        except ConnectionError:
            data = b""
        if not data:
            raise Closed(f"connection closed by the daemon, {len(buffer)} bytes into a message")
        buffer += data
    return message
