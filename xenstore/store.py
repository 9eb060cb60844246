"""The store: what a daemon serves and tests talk to.

`Store` adds to the compiled core and its domains (`xenstore.domains`) the administrative requests
(`xenstore.administration`), its figures, what the journal tells of domains, and the check of the accounts.
"""

from collections.abc import Mapping
from typing import Any

from xenstore import administration
from xenstore._recorder import EntryKind
from xenstore._session import Session
from xenstore.domains import DomainStore
from xenstore.hypervisor import Ring
from xenstore.wire import DOMID_FIRST_RESERVED

__all__ = ["Session", "Store"]


#: The entries of the journal that are about one domain's connection.
_OF_A_CONNECTION = {EntryKind.IGNORE, EntryKind.TARGET, EntryKind.FEATURES}
_NOTHING = {"watches": 0, "transactions": 0, "outstanding": 0, "bytes": 0}


class Store(DomainStore):
    """A store with all that it answers."""

    def administer(self, session: Session, type: int, payload: bytes) -> bytes | None:
        return administration.answer(self, session, type, payload)

    def restore(self, state: Mapping[str, Any]) -> Session:
        """The session that `Session.export` told the state of; a guest's becomes its domain's session."""
        if not state["privileged"]:
            return self.restore_domain(state, Ring())
        session = self.open_session(state["domid"], True)
        session.take_over(state)
        return session

    # --- figures ----------------------------------------------------------------------------------

    def usage(self, domid: int) -> dict[str, int]:
        """What a domain holds, by quota name: nodes, watches, outstanding, memory, transactions.

        Raises:
            ENOENT: no such domain exists.
        """
        return self.hear_of(domid).usage()

    def peaks(self, domid: int) -> dict[str, int]:
        """The most that a domain ever held at a time, by quota name, as in `usage`.

        Raises:
            ENOENT: no such domain exists.
        """
        return self.hear_of(domid).peaks()

    def maxima(self, reset: bool = False) -> dict[str, int]:
        """The largest values seen of any guest, by quota name, since the start or the last reset."""
        return self.accounts.maxima(reset)

    def report(self) -> str:
        """What the store holds, a line for each figure and each domain; ends in a newline."""
        lines = [
            f"watches {self.watches.count}",
            f"open transactions {self.open_transactions}",
            f"sessions {self.session_count}, introduced domains {len(self.introduced)}",
        ]
        for account in self.accounts:
            lines.append(
                f"domain {account.domid}: "
                + ", ".join(f"{name} {value}" for name, value in account.usage().items())
            )
        return "\n".join(lines) + "\n"

    # --- the journal ------------------------------------------------------------------------------

    def recall(self, kind: int, domid: int, number: int, first: bytes, second: bytes) -> None:
        """Do again what an entry of the journal says, beside changes of nodes.

        Raises:
            ValueError, XenstoreError: it does not fit what came before.
        """
        if domid >= DOMID_FIRST_RESERVED:
            raise ValueError(f"{domid} is no domain")
        if kind in _OF_A_CONNECTION and domid not in self.introduced:
            raise ValueError(f"an entry of kind {kind} for domain {domid}, which is not introduced")
        if kind == EntryKind.CONNECT:
            if domid in self.introduced:
                self.introduced[domid].close()
            self.connect_domain(domid, Ring.parse(first))
        elif kind == EntryKind.GONE:
            if domid == 0:
                raise ValueError("dom0 is never gone")
            self.disconnect(domid)
            self.forget_domain(domid)
        elif kind == EntryKind.IGNORE:
            self.ignore(domid, _number(number, 1))
        elif kind == EntryKind.TARGET:
            target = _number(number, -1, DOMID_FIRST_RESERVED - 1)
            self.set_target(domid, None if target < 0 else target)
        elif kind == EntryKind.FEATURES:
            self.introduced[domid].features = _number(number)
        elif kind == EntryKind.FEATURES_AHEAD:
            self._set_features_ahead(domid, _number(number))
        elif kind == EntryKind.HEARD:
            self.accounts.open(domid).unique = _identity(first)
        elif kind == EntryKind.STOPPED:
            self._report_shutdown(domid, bool(number))
        elif kind == EntryKind.QUOTA:
            quota_of = _number(number, -1, 0xFFFF)  # whoever owns a node has an account
            self._recall_quota(first.decode("ascii", "replace"), int(second), quota_of)
        elif domid in self.introduced:
            self.introduced[domid].recall(kind, number, first, second)
        else:
            raise ValueError(f"an entry of kind {kind} for domain {domid}, which is not introduced")

    def _recall_quota(self, name: str, value: int, domid: int) -> None:
        if domid >= 0:
            self.accounts.open(domid)
        self._set_quota(name, value, None if domid < 0 else domid)

    def recalled(self) -> None:
        """All of the journal was done again: go on from here."""
        for session in self.introduced.values():
            if not session.closed:
                session.taken_over()

    # --- consistency ------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Count everything anew and compare with the accounts; returns a line for each difference.

        Cost: all nodes and watches.
        """
        problems = []
        counted = self.recount()
        held_by = self.held()
        for account in self.accounts:
            nodes, size = counted.pop(account.domid, (0, 0))
            held = held_by.get(account.domid, _NOTHING)
            expected = {
                "nodes": nodes,
                "watches": held["watches"],
                "transactions": held["transactions"],
                "outstanding": held["outstanding"],
                "memory": size + held["bytes"],
            }
            problems += [
                f"domain {account.domid}: {name} is booked as {value}, counted {expected[name]}"
                for name, value in account.usage().items()
                if value != expected[name]
            ]
        problems += [
            f"domain {domid} owns {nodes} nodes but has no account" for domid, (nodes, _) in counted.items()
        ]
        return problems


def _number(number: int, least: int = 0, most: int = 2**31 - 1) -> int:
    """A number that an entry of the journal tells; raises ValueError where it is out of range."""
    if not least <= number <= most:
        raise ValueError(f"{number} is not in {least} .. {most}")
    return number


def _identity(text: bytes) -> int:
    """An identity that an entry of the journal tells; raises ValueError where it is none."""
    if not text.isdigit() or len(text) > 20 or int(text) >> 64:
        raise ValueError(f"{text[:80]!r} tells no identity")
    return int(text)
