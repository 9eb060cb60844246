"""What the blocking and the trio client share of keeping a connection: making it, and making it again."""

from __future__ import annotations

from xenclient.store.core import Connection, Pause
from xenclient.store.errors import ConnectError
from xenclient.store.transactions import pauses
from xenclient.store.watches import Watches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import TypeVar

    Stream = TypeVar("Stream")

#: How long a call may take, and how long a lost server is tried for, unless the caller says otherwise.
TIMEOUT_SECONDS = 30.0
FIRST_RETRY_SECONDS = 0.01
LONGEST_RETRY_SECONDS = 1.0
#: Bytes read at once: fewer events than watches.QUEUE_MAX_EVENTS, the smallest being 19 bytes.
RECEIVE_BYTES = 16384

SERVER_CLOSED = "xenstored closed the connection"


class Link:
    """A client's state across connections.

    Attributes:
        where: the server's address, for errors.
        reconnect: seconds for which a lost server is tried; 0 is one attempt.
        connection: the last one; it may be lost.
    """

    def __init__(self, where: str, reconnect: float, random: Callable[[], float]) -> None:
        self.where = where
        self.reconnect = reconnect
        self.random = random
        self.watches = Watches()
        self.connection = Connection(self.watches.route)
        self.connection.lose("not connected")
        self._waits = self._new_waits()

    def connecting(self, connect: Callable[[], Stream], patient: bool) -> Generator[Pause, object, Stream]:
        """Connect, again and again while the server's backlog is full and, if patient, while it is gone.

        Raises:
            ConnectError: it is gone.
        """
        if self.connection.heard:
            self._waits = self._new_waits()
        if patient:
            # First, because a server that accepts and hangs up must not be tried in a tight loop.
            yield Pause(next(self._waits), f"xenstored to come back ({self.connection.lost})")
        while True:
            try:
                return connect()
            except BlockingIOError:
                awaited = "xenstored to accept the connection"
            except ConnectError as error:
                if not patient:
                    raise
                awaited = f"xenstored to come back ({error})"
            yield Pause(next(self._waits), awaited)

    def connected(self) -> Connection:
        """The protocol's state for a new stream, about to set every watch again; now `connection`."""
        self.connection = Connection(self.watches.route)
        self.watches.restore(self.connection)
        return self.connection

    def _new_waits(self) -> Iterator[float]:
        return pauses(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, self.random)
