"""The time between two lives of a domain: it has ended, and is going to be started again.

A domain that ends early again and again is made to wait before each further life, ever longer.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from xend.stored import NOT_STORED
from xend.validators import domid_or_none, map_or_none, number, typed

#: A domain that ran for less than this, in seconds, and restarts, is made to wait before it does.
BRAKE_SECONDS = 60.0
#: The first wait; each further one in a row is twice as long, up to BRAKE_SECONDS.
FIRST_WAIT_SECONDS = 1.0


@attrs.define(kw_only=True)
class Waiting:
    """A domain waits for its next life.

    Attributes:
        reason: how the last one ended, one of SHUTDOWN_REASONS.
        next_try: when the next one begins, seconds since 1970.
        wait_s: how long it waits in all: no longer than this, whatever becomes of the host's clock.
        error: why the last try to begin one failed, a map of XendError's; None: none did.
        domid: of the last life, or of the last try to begin one.
        due: `next_try` on the clock of whoever keeps it, which nobody sets; None: not looked at yet.
    """

    reason: str = attrs.field(validator=typed(str))
    next_try: float = attrs.field(validator=number)
    wait_s: float = attrs.field(validator=number)
    error: dict[str, Any] | None = attrs.field(default=None, validator=map_or_none)
    domid: int | None = attrs.field(default=None, validator=domid_or_none)
    due: float | None = attrs.field(default=None, metadata=NOT_STORED)

    def left_s(self, now: float) -> float:
        """Seconds from `now` (since 1970) until the next try."""
        return min(self.wait_s, max(0.0, self.next_try - now))


def waiting_of(value: "Waiting | Mapping[str, Any]") -> Waiting:
    """A wait, or the one that these fields of a record make."""
    return value if isinstance(value, Waiting) else Waiting(**value)


def wait_seconds(restarts: int) -> float:
    """How long a domain waits that is restarted for this time in a row; the first time it does not."""
    if restarts <= 1:
        return 0.0
    return min(BRAKE_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(restarts - 2, 16))
