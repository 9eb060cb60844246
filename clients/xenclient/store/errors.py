"""What can go wrong between a client and its server; what the server itself refuses is in xenstore.errors."""

from __future__ import annotations


class ClientError(Exception):
    """Base of this module: the store could not be asked, or did not answer."""


class ConnectError(ClientError):
    """No connection could be made; the text names the socket or device and what to check.

    Attributes:
        errno: the system's reason, or 0.
        tried: the paths that were looked for.
    """

    def __init__(self, text: str, errno: int = 0, tried: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.errno = errno
        self.tried = tried


class ConnectionLost(ClientError):
    """The server went away; the text says whether the request may have been executed."""


class WatchClosed(ClientError):
    """Nothing comes of this watch any more: it, or its client, was closed, or reset_watches was called."""


class ProtocolError(ClientError):
    """The server answered something that is no answer to this request."""


class DeadlineError(ClientError):
    """Nothing came in time.

    Attributes:
        awaited: what was waited for.
        seconds: how long.
        where: the socket.
    """

    def __init__(self, awaited: str, seconds: float, where: str) -> None:
        super().__init__(f"gave up after {seconds:.3g} s on {where}, waiting for {awaited}")
        self.awaited = awaited
        self.seconds = seconds
        self.where = where
