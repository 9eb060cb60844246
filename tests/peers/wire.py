"""A blocking client connection that hides nothing: every byte in, every message out."""

import os
import socket
from abc import ABC, abstractmethod
from collections import deque
from typing import NamedTuple, Self

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


class Connection(ABC):
    """Messages over a stream of bytes.

    `events` holds the watch events that arrived while a reply was awaited, oldest first.
    """

    def __init__(self) -> None:
        self.events: deque[Message] = deque()
        self._input = bytearray()

    @abstractmethod
    def send_bytes(self, data: bytes) -> None:
        """`data` as it is, a whole message or not."""

    @abstractmethod
    def receive_bytes(self) -> bytes:
        """At least one byte, or b"" when the daemon has closed the connection.

        Raises:
            TimeoutError: nothing came in time.
        """

    @abstractmethod
    def close(self) -> None:
        """End the connection."""

    def send(self, type: int, payload: bytes = b"", *, req_id: int = 0, tx_id: int = 0) -> None:
        """One message, without waiting for anything."""
        self.send_bytes(pack(type, payload, req_id=req_id, tx_id=tx_id))

    def receive(self) -> Message:
        """The next message, whatever it is, also one that was put into `events` while waiting."""
        return self.events.popleft() if self.events else self.read()

    def read(self) -> Message:
        """The next message off the stream, whatever it is.

        Raises:
            Closed: the daemon hung up instead.
            TimeoutError: nothing came in time.
        """
        while (message := split_message(self._input)) is None:
            data = self.receive_bytes()
            if not data:
                raise Closed(f"connection closed by the daemon, {len(self._input)} bytes into a message")
            self._input += data
        return message

    def reply(self) -> Message:
        """The next message that is no watch event; those before it are appended to `events`."""
        while (message := self.read()).type == MessageType.WATCH_EVENT:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Wire(Connection):
    """A client of the daemon's socket; `timeout` bounds every wait, in seconds."""

    def __init__(self, path: str | os.PathLike[str], timeout: float = ANSWER_SECONDS) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(os.fspath(path))
        except OSError:
            self._socket.close()
            raise

    def set_timeout(self, seconds: float) -> None:
        """How long every wait from now on may last."""
        self._socket.settimeout(seconds)

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive_bytes(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._socket.close()
