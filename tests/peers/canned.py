"""A store that answers from a table and remembers what it was asked; says what no real one will."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from xenstore.wire import HEADER, HEADER_SIZE, TYPE_NAMES, MessageType, pack


class Asked(NamedTuple):
    """A request: name of its type, transaction id, payload."""

    name: str
    tx_id: int
    payload: bytes


#: A payload, the name of an errno, or None to hang up.
Answer = bytes | str | None


class CannedStore:
    """Serves one connection after the other on `path`; a context manager.

    Attributes:
        asked: the requests of the last connection; complete once it is closed and the manager left.
    """

    def __init__(self, path: Path, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.asked = []
            # A client that is done may leave without reading the last answer.
            with connection, contextlib.suppress(ConnectionResetError, BrokenPipeError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while len(header := stream.read(HEADER_SIZE)) == HEADER_SIZE:
            type, req_id, tx_id, size = HEADER.unpack(header)
            request = Asked(TYPE_NAMES[type], tx_id, stream.read(size))
            self.asked.append(request)
            answer = self._answer(request)
            if answer is None:
                return
            if isinstance(answer, str):
                type, answer = MessageType.ERROR, answer.encode() + b"\0"
            connection.sendall(pack(type, answer, req_id=req_id, tx_id=tx_id))
