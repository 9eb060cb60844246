"""The fake xend on a socket, for xl in a process of its own with the real client."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack

from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.xend.errors import BusError


class Bus:
    """Serves until it is closed; a thread for each connection.

    Operations report their steps to all who listen, and end when all were told.
    """

    def __init__(self, path: Path, xend: FakeXend) -> None:
        self._xend = xend
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listeners: list[socket.socket] = []
        self._is_followed = threading.Event()
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Hang up."""
        for each in (self._listener, *self._connections):
            each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def await_listener(self) -> None:
        """Until somebody follows the events."""
        self._is_followed.wait()

    def tell(self, event: dict[str, Any]) -> None:
        """An event for all who follow."""
        for listener in self._listeners:
            listener.sendall(msgpack.packb([2, "event", [{"seq": 1, **event}]]))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # it did not wait for an answer, or the test has ended and closed this
            self._answer_all(connection)

    def _answer_all(self, connection: socket.socket) -> None:
        unpacker = msgpack.Unpacker()
        while data := connection.recv(65536):
            unpacker.feed(data)
            for _, number, method, params in unpacker:
                answer = self._answer(connection, number, method, params[0] if params else {})
                if answer is not None:
                    connection.sendall(msgpack.packb(answer))

    def _answer(
        self, connection: socket.socket, number: int, method: str, params: dict[str, Any]
    ) -> list[Any] | None:
        """The message; None: it was sent."""
        if method == "events.subscribe":
            connection.sendall(msgpack.packb([1, number, None, {"seq": 0}]))
            self._listeners.append(connection)
            self._is_followed.set()
            return None
        try:
            result = self._xend.call(method, progress=lambda step: self._tell(step, params["key"]), **params)
        except BusError as error:
            return [1, number, {"code": error.code, "message": error.message, **error.fields}, None]
        return [1, number, None, result]

    def _tell(self, step: dict[str, Any], key: str) -> None:
        event = {"seq": 1, "kind": "operation", "what": "step", "operation": {**step, "key": key}}
        for listener in self._listeners:
            # Those of calls that have ended are gone.
            with suppress(BrokenPipeError):
                listener.sendall(msgpack.packb([2, "event", [event]]))
