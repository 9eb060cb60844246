"""What can go wrong between a client and xend; each is one line of text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["BusError", "ClientError", "ConnectError", "ConnectionLost", "DeadlineError"]


class ClientError(Exception):
    """Base of this module: xend refused, or could not be asked."""


class BusError(ClientError):
    """xend's refusal (docs/bus.md, "Errors").

    Attributes:
        code: a word of the table there.
        message: what failed, without cause and hint.
        fields: what else is known: domain, device, step, waited_s, cause, hint, script_output.
    """

    def __init__(self, code: str, message: str, fields: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields or {}

    @classmethod
    def from_map(cls, error: dict[str, Any]) -> BusError:
        """From the map that came over the bus; what it lacks is left empty."""
        fields = {name: value for name, value in error.items() if name not in ("code", "message")}
        return cls(str(error.get("code", "internal")), str(error.get("message", "no reason given")), fields)

    def __str__(self) -> str:
        """Message, cause, hint; one line."""
        text = self.message
        if cause := self.fields.get("cause"):
            text += f": {cause}"
        if hint := self.fields.get("hint"):
            text += f" ({hint})"
        return " ".join(text.split())


class ConnectError(ClientError):
    """No connection could be made; the text names the socket and what to do.

    Attributes:
        errno: the system's reason.
        path: the socket that was tried.
    """

    def __init__(self, text: str, errno: int, path: str) -> None:
        super().__init__(text)
        self.errno = errno
        self.path = path


class ConnectionLost(ClientError):
    """xend went away; the text says whether the call may have been executed."""


class DeadlineError(ClientError):
    """No answer came in time.

    Attributes:
        awaited: what was waited for.
        seconds: how long.
    """

    def __init__(self, awaited: str, seconds: float, path: str) -> None:
        super().__init__(f"gave up after {seconds:.3g} s on {path}, waiting for {awaited}")
        self.awaited = awaited
        self.seconds = seconds
