"""The vocabulary of the conformance tables: what is sent, what must come back, and where peers differ.

A scenario is a list of rows played on a store that holds nothing but what `given` says.  A row says who
asks what, the reply, the watch events this causes on every connection (all others must stay silent),
and in one sentence why.  Connections named d3, d5 ... are those domains' rings; any other name is a
client of the socket.  All open when they are first named.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.conformance.words import CREATE, SILENCE, Action, Raw, Reply, Request, Text, text

#: Watch events, "PATH TOKEN" each, in order.
Events = Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What a row causes.

    Attributes:
        reply: of the request.
        events: on the same connection; they come before the reply, the initial event of WATCH after it.
        after: on the same connection, after the reply all the same.
        others: on other connections, by name.
        tx_id: the transaction id that the reply bears; None: the request's.
    """

    reply: Reply
    events: Events = ()
    after: Events = ()
    others: Mapping[str, Events] = field(default_factory=dict)
    tx_id: int | None = None


@dataclass(frozen=True)
class Difference:
    """What a peer does instead, and why that is accepted."""

    reason: str
    changes: Mapping[str, object]


def but(reason: str, reply: Reply | None = None, **changes: object) -> Difference:
    """A declared difference: fields of Outcome that are otherwise on this peer."""
    if reply is not None:
        changes["reply"] = reply
    if not changes:
        raise ValueError(f"difference without any: {reason}")
    return Difference(reason, changes)


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    who: str
    what: Request | Raw | Action
    outcome: Outcome
    why: str
    tx: str | int
    differs: Mapping[str, Difference]
    where: str

    def outcome_on(self, peer: str) -> Outcome:
        """What to expect of "c", "o" or "ours"."""
        difference = self.differs.get(peer)
        return replace(self.outcome, **difference.changes) if difference else self.outcome  # type: ignore[arg-type]


def do(
    who: str,
    what: Request | Raw,
    reply: Reply,
    why: str,
    *,
    tx: str | int = 0,
    events: Events = (),
    after: Events = (),
    others: Mapping[str, Events] | None = None,
    c: Difference | None = None,
    o: Difference | None = None,
) -> Row:
    """A row; `c` and `o` are what xenstored 4.17 and oxenstored 4.17 do instead, by `but`."""
    outcome = Outcome(reply, events, after, others or {})
    return Row(who, what, outcome, why, tx, _differs(c, o), _caller())


def act(
    who: str,
    action: Action,
    why: str,
    *,
    others: Mapping[str, Events] | None = None,
    c: Difference | None = None,
    o: Difference | None = None,
) -> Row:
    """A row that is no request."""
    return Row(who, action, Outcome(SILENCE, others=others or {}), why, 0, _differs(c, o), _caller())


def _differs(c: Difference | None, o: Difference | None) -> dict[str, Difference]:
    return {peer: difference for peer, difference in (("c", c), ("o", o)) if difference}


def _caller() -> str:
    frame = sys._getframe(2)
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


@dataclass(frozen=True)
class Node:
    """A node that exists before the first row."""

    path: str
    value: bytes
    perms: str


def node(path: str, value: Text = b"", perms: str = "n0") -> Node:
    return Node(path, text(value), perms)


def home(domid: int) -> Node:
    """The domain's own directory."""
    return node(f"/local/domain/{domid}", perms=f"n{domid}")


@dataclass(frozen=True)
class Scenario:
    """Rows that build on each other.

    Attributes:
        given: nodes written, in this order, before the first row.
        alive: domains that the hypervisor knows but nobody has introduced; the connection d5 then opens
            only when it is used, after some row has introduced domain 5.
        quotas: per-domain limits other than the default.
        not_on: targets ("session", "daemon", "c", "o") that cannot play it, with the reason.
    """

    name: str
    rows: tuple[Row, ...]
    given: tuple[Node, ...] = ()
    alive: tuple[int, ...] = ()
    quotas: Mapping[str, int] = field(default_factory=dict)
    not_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def domains(self) -> list[int]:
        """The domains that have a ring from the beginning: all but those that a row creates first."""
        first: dict[int, Row] = {}
        for row in self.rows:
            if (domid := domid_of(row.who)) is not None:
                first.setdefault(domid, row)
        return sorted(domid for domid, row in first.items() if row.what != CREATE)

    def does(self, action: str) -> bool:
        """Whether some row is this action."""
        return any(isinstance(row.what, Action) and row.what.name == action for row in self.rows)


def scenario(
    name: str,
    *rows: Row,
    given: Sequence[Node] = (),
    alive: Sequence[int] = (),
    quotas: Mapping[str, int] | None = None,
    not_on: Mapping[str, str] | None = None,
) -> Scenario:
    return Scenario(name, rows, tuple(given), tuple(alive), quotas or {}, not_on or {})


def domid_of(who: str) -> int | None:
    """The domain whose ring the connection `who` is; None for a client of the socket."""
    return int(who[1:]) if who[0] == "d" and who[1:].isdigit() else None
