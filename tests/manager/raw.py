"""A client that does nothing of its own accord: it neither connects again nor repeats a call."""

import socket
from pathlib import Path
from typing import Any, Self

import msgpack

from tests.manager.daemon import PATIENCE_SECONDS


class Raw:
    """One connection to xend."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect(str(path))
        self._answers = msgpack.Unpacker()
        self._last = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, method: str, **params: Any) -> None:
        """Call, and do not wait."""
        self._last += 1
        self._socket.sendall(msgpack.packb([0, self._last, method, [params]]))

    def answer(self) -> Any:
        """The result of the call that was sent last."""
        while True:
            for kind, number, error, result in self._answers:
                assert (kind, number, error) == (1, self._last, None)
                return result
            data = self._socket.recv(1 << 16)
            assert data, "xend has closed the connection"
            self._answers.feed(data)

    def until_loss(self) -> bytes:
        """Returns once xend has gone, with what it sent until then."""
        said = b""
        try:
            while data := self._socket.recv(1 << 16):
                said += data
        except ConnectionResetError:
            pass
        return said
