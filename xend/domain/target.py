"""A domain of the host as a call finds it: one that lives, or one between two lives."""

import time
from typing import Any

import attrs

from xend.domain.registry import Domain
from xend.errors import XendError
from xend.hypervisor import DomainInfo
from xend.operation.locks import Lock, domain_locks

DOM0 = 0


@attrs.frozen
class Target:
    """A domain of the host that lives.

    Attributes:
        managed: what this xend knows of it; None: it was made by others.
    """

    info: DomainInfo
    name: str
    managed: Domain | None

    @property
    def domid(self) -> int:
        return self.info.domid

    @property
    def uuid(self) -> str:
        """Its identity."""
        return self.info.uuid if self.managed is None else self.managed.uuid

    @property
    def locks(self) -> list[Lock]:
        return domain_locks(self.uuid, self.name)

    @property
    def identity(self) -> dict[str, Any]:
        """The facts that operations of every kind have: domid, name and UUID."""
        return {"domid": self.domid, "name": self.name, "uuid": self.uuid}

    def require_managed(self, doing: str) -> Domain:
        """What this xend knows of it; doing: what for, for the error: "rename".

        Raises:
            XendError: wrong_state: nothing, as it is another toolstack's.
        """
        if self.managed is None:
            raise XendError(
                "wrong_state",
                f"{self.name} was not created by this xend, which cannot {doing} it",
                domain=self.name,
            )
        return self.managed

    def require_guest(self, doing: str) -> "Target":
        """Itself, unless it is dom0; doing: what the call does, for the error: "pause".

        Raises:
            XendError: wrong_state.
        """
        if self.domid == DOM0:
            raise XendError("wrong_state", f"cannot {doing} Domain-0: it is this host", domain=self.name)
        return self


@attrs.frozen
class Between:
    """A domain between two lives: it has ended, and waits to be started again."""

    managed: Domain
    info: None = None
    domid: None = None

    @property
    def name(self) -> str:
        return self.managed.name

    @property
    def uuid(self) -> str:
        return self.managed.uuid

    @property
    def locks(self) -> list[Lock]:
        return self.managed.locks

    @property
    def identity(self) -> dict[str, Any]:
        """As of one that lives; it has no domid."""
        return {"domid": None, "name": self.name, "uuid": self.uuid}

    @property
    def last_domid(self) -> int | None:
        """The domid of its last life, or of the last try to begin one."""
        waiting = self.managed.waiting
        return self.managed.domid if waiting is None else waiting.domid

    def require_managed(self, doing: str) -> Domain:
        """As of one that lives."""
        return self.managed

    def require_guest(self, doing: str) -> "Between":
        """As of one that lives."""
        return self

    def described(self, now: float) -> str:
        """What it waits for, as the rest of a sentence that begins with its name; now: seconds since 1970."""
        waiting = self.managed.waiting
        if waiting is None:
            return "is being started again"
        how = f"{waiting.reason}, failed {_times(self.managed.restarts)}"
        left_s = waiting.left_s(now)
        if not left_s:
            return f"is being started again ({how})"
        at = time.strftime("%H:%M:%S", time.localtime(now + left_s))
        return f"waits for its next life ({how}): it is started again at {at}, in {left_s:.0f} s"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
