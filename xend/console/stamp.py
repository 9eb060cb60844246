"""What may be done to a console's bytes on their way into its log."""

import time
from collections.abc import Callable

__all__ = ["LineStamp", "replace_escape"]

_ESCAPE = b"\x1b"


class LineStamp:
    """Begins each line with the local time, as xenconsoled does: [2026-11-27 13:55:07]."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` returns seconds since 1970."""
        self._now = now
        self._at_start = True

    def __call__(self, data: bytes) -> bytes:
        """The bytes with stamps; a stamp comes with the first byte of its line."""
        if not data:
            return data
        stamp = time.strftime("[%Y-%m-%d %H:%M:%S] ", time.localtime(self._now())).encode()
        ended = data.endswith(b"\n")
        inner = data[:-1] if ended else data
        stamped = (stamp if self._at_start else b"") + inner.replace(b"\n", b"\n" + stamp)
        self._at_start = ended
        return stamped + b"\n" if ended else stamped


def replace_escape(data: bytes) -> bytes:
    """The bytes with a dot in place of each escape character, so that no terminal obeys the guest."""
    return data.replace(_ESCAPE, b".")
