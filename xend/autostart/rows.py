"""What becomes of each domain: told while it happens, and a row of the answer in the end."""

from collections.abc import Callable
from typing import Any

import attrs

from xend.errors import XendError

#: What a row may say, and whether that is as it was wanted.
OUTCOMES = {
    "up": True,
    "restored": True,
    "already-running": True,
    "failed": False,
    "not-started": False,
    "ignored": True,
    "down": True,
    "saved": True,
    "not-running": True,
    "destroyed": False,
    "left": False,
}
#: Publishes an event about one domain: (what, its name, further fields of the event); nil ones are left out.
Publish = Callable[..., object]


@attrs.frozen(kw_only=True)
class Row:
    """How it ended for one domain.

    Attributes:
        name: its file's, or its own where it has none that is known.
        outcome: one of OUTCOMES, which is the event's `what` too.
        reason: for people: why, or what is amiss all the same.
        error: where something failed.
    """

    name: str
    outcome: str = attrs.field(validator=attrs.validators.in_(OUTCOMES))
    domid: int | None = None
    reason: str | None = None
    error: XendError | None = None

    @property
    def is_well(self) -> bool:
        return OUTCOMES[self.outcome]

    def as_map(self) -> dict[str, Any]:
        """As the answer has it: {name, outcome, ok, domid, reason, error}."""
        return {"name": self.name, "outcome": self.outcome, "ok": self.is_well, **self._more()}

    def published(self, publish: Publish) -> "Row":
        """Publish it as an event; returns the row itself."""
        publish(self.outcome, self.name, **self._more())
        return self

    def _more(self) -> dict[str, Any]:
        error = None if self.error is None else self.error.as_map()
        return {"domid": self.domid, "reason": self.reason, "error": error}


def failed(name: str, error: XendError) -> Row:
    """The row of a domain for which something failed."""
    return Row(name=name, outcome="failed", reason=str(error), error=error)
