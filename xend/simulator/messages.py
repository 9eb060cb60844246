"""The hypervisor's console, as far as it is kept."""

from collections.abc import Callable

#: How much is kept, in bytes.
KEPT = 64 * 1024
_CUT = b"(XEN) ... earlier lines are lost\n"


class MessageBuffer:
    """Lines, stamped with the seconds since the host came up; the oldest are lost.

    now: those seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._text = bytearray()

    def say(self, line: str) -> None:
        """Add a line."""
        self._text += f"(XEN) [{self._now():12.6f}] {line}\n".encode("utf-8", "surrogateescape")
        if len(self._text) > KEPT:
            end = self._text.index(b"\n", len(self._text) - KEPT // 2) + 1
            self._text[:end] = _CUT

    def read(self, clear: bool) -> bytes:
        """All that is kept; `clear`: nothing of it is afterwards."""
        text = bytes(self._text)
        if clear:
            self._text.clear()
        return text
