"""What can go wrong between a client and xend; each is one line of text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CALL", "BusError", "ClientError", "ConnectError", "ConnectionLost", "DeadlineError"]


#: Stands in an error's text for the call that it is about.
CALL = "{call}"


class ClientError(Exception):
    """Base of this module: xend refused, or could not be asked."""

    def __init__(self, text: str, call: object = "") -> None:
        """CALL in the text stands for the call."""
        super().__init__(text.replace(CALL, str(call)))
        self._text = text

    def about(self, call: str) -> str:
        """The text, with another name for the call: what somebody typed, for example."""
        return self._text.replace(CALL, call) if CALL in self._text else str(self)


class BusError(ClientError):
    """xend's refusal (docs/bus.md, "Errors").

    Attributes:
        code: a word of the table there.
        message: what failed, without cause and hint.
        fields: what else is known: method (the call at fault, which the message then does not name), domain,
            device, step, waited_s, cause, hint, script_output.
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
        """Method, message, cause, hint; one line."""
        text = f"{method}: {self.message}" if (method := self.fields.get("method")) else self.message
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

    def __init__(self, awaited: str, seconds: float, path: str, call: object = "") -> None:
        super().__init__(f"gave up after {seconds:.3g} s on {path}, waiting for {awaited}", call)
        self.awaited = awaited.replace(CALL, str(call))
        self.seconds = seconds
