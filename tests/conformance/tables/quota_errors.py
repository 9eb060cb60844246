"""What a refusal by a quota leaves behind: at once, in a transaction that commits, in one that is given up.

A refusal before anything was touched leaves the transaction as it was; one in the middle of a change spoils
it.  As xenstored of Xen 4.22 and later does it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.conformance.table import Row, Scenario, do, home, node, scenario
from tests.conformance.words import (
    EINVAL,
    ENOMEM,
    ENOSPC,
    OK,
    Error,
    Request,
    begins,
    end,
    mkdir,
    read,
    set_perms,
    start,
    watch,
    write,
)

WHY_NOT = {"c": "4.17 counts otherwise", "o": "oxenstored has other quotas"}


class Refusal(NamedTuple):
    """A request that a quota refuses.

    Attributes:
        quotas: those that are not the defaults.
        first: what is done before, outside of the transaction.
        inside: what is done before, in the transaction if there is one.
        spoils: the transaction cannot be committed any more.
        only_inside: outside of a transaction it is not refused.
        only_at_once: a transaction's nodes are counted at its end, see the table `quotas`.
        in_own: it is sent with the transaction's id.
        loses: what the transaction has done so far is let go of at once, to be served at all.
    """

    what: str
    quotas: Mapping[str, int]
    request: Request
    reply: Error
    spoils: bool
    first: Sequence[Request] = ()
    inside: Sequence[Request] = ()
    only_inside: bool = False
    only_at_once: bool = False
    in_own: bool = True
    loses: bool = False


LONG = "n" * 250
TOO_MANY = "n3 r1 r2 r4"
REFUSALS = [
    Refusal("permissions", {"node-permissions": 3}, set_perms("a", TOO_MANY), ENOSPC, False),
    Refusal("permissions of nothing", {"node-permissions": 3}, set_perms("none", TOO_MANY), ENOSPC, False),
    Refusal(
        "permissions of a closed node", {"node-permissions": 3}, set_perms("/u", TOO_MANY), ENOSPC, False
    ),
    Refusal("permissions of a bad path", {"node-permissions": 3}, set_perms("a//b", TOO_MANY), ENOSPC, False),
    Refusal("nodes, written", {"nodes": 2}, write("b"), ENOSPC, False, only_at_once=True),
    Refusal("nodes, made", {"nodes": 2}, mkdir("b"), ENOSPC, False, only_at_once=True),
    Refusal("nodes, several", {"nodes": 2}, write("b/c/d"), ENOSPC, False, only_at_once=True),
    Refusal("nodes of one transaction", {"nodes": 4}, write("b/c/d/e/f"), ENOSPC, True, only_inside=True),
    Refusal("value", {"node-size": 200}, write("a", "v" * 300), ENOSPC, True),
    Refusal("value of a new node", {"node-size": 200}, write("b", "v" * 300), ENOSPC, True),
    Refusal("value of a new node further down", {"node-size": 200}, write("b/c", "v" * 300), ENOSPC, True),
    Refusal("name of a child", {"node-size": 200}, mkdir(LONG), ENOSPC, True),
    Refusal("name of a child further down", {"node-size": 200}, mkdir(f"b/{LONG}"), ENOSPC, True),
    Refusal("permissions in a node", {"node-size": 50}, set_perms("a", "n3 r1 r2 r4"), ENOSPC, True),
    Refusal("path, written", {"path-max": 20}, write("p" * 21), EINVAL, False),
    Refusal("path, read", {"path-max": 20}, read("p" * 21), EINVAL, False),
    Refusal("path, permissions", {"path-max": 20}, set_perms("p" * 21, "n3"), EINVAL, False),
    Refusal("path, watched", {"path-max": 20}, watch("p" * 21, "t"), EINVAL, False),
    Refusal("watches", {"watches": 1}, watch("a", "2"), ENOSPC, False, first=[watch("x", "1")]),
    Refusal("transactions", {"transactions": 1}, start(), ENOSPC, False, only_inside=True, in_own=False),
    Refusal(
        "nodes accessed",
        {"transaction-nodes": 2},
        read("x"),
        ENOSPC,
        True,
        inside=[read("none")],
        only_inside=True,
    ),
    Refusal(
        "nodes accessed, permissions",
        {"transaction-nodes": 2},
        set_perms("x", "n3"),
        ENOSPC,
        True,
        inside=[read("none")],
        only_inside=True,
    ),
    Refusal(
        "permissions that are none come before nodes accessed",
        {"transaction-nodes": 1},
        set_perms("x", "what"),
        EINVAL,
        False,
        only_inside=True,
    ),
    Refusal("memory, a value", {"memory": 1500}, write("a", "v" * 1800), ENOMEM, True, loses=True),
    Refusal("memory, a node", {"memory": 1500}, write("b", "v" * 1800), ENOMEM, True, loses=True),
    Refusal("memory, a watch", {"memory": 1500}, watch("a", "t" * 1500), ENOMEM, False),
]


def rows(refusal: Refusal, tx: str, commits: bool) -> list[Row]:
    """One refusal; `tx` is empty outside of a transaction."""
    found: list[Row] = []
    for request in refusal.first:
        events = ["x 1"] if request == watch("x", "1") else []
        found.append(do("d3", request, OK, "first", events=events))
    if tx:
        found.append(do("d3", start(), begins(tx), "a transaction"))
    own = tx or 0
    found.append(do("d3", write("a", "changed"), OK, "changes something", tx=own))
    for request in refusal.inside:
        reply: bytes | Error = Error("ENOENT") if request == read("none") else OK
        found.append(do("d3", request, reply, "and goes on", tx=own))
    found.append(do("d3", refusal.request, refusal.reply, "a quota refuses", tx=own if refusal.in_own else 0))
    seen = b"before" if tx and refusal.loses else b"changed"
    found.append(do("d3", read("a"), seen, "it goes on", tx=own))
    found.append(do("d3", write("a", "again"), OK, "and may change what it has touched", tx=own))
    value = "again"
    if tx:
        spoilt = commits and refusal.spoils
        found.append(do("d3", end(commits), ENOMEM if spoilt else OK, "its end", tx=tx))
        value = "again" if commits and not refusal.spoils else "before"
    found.append(do("a", read("/local/domain/3/a"), value.encode(), "what is left"))
    found.append(do("d3", end(commits), Error("ENOENT"), "and the transaction is gone", tx=77))
    return found


def scenarios() -> list[Scenario]:
    found = []
    for refusal in REFUSALS:
        ways = []
        if not refusal.only_at_once:
            ways += [("in a commit", "T", True), ("in a transaction given up", "T", False)]
        if not refusal.only_inside:
            ways.append(("at once", "", True))
        for how, tx, commits in ways:
            found.append(
                scenario(
                    f"{refusal.what}, {how}",
                    *rows(refusal, tx, commits),
                    quotas=refusal.quotas,
                    given=[home(3), node("/local/domain/3/a", "before", perms="n3"), node("/u", perms="n0")],
                    not_on=WHY_NOT,
                )
            )
    return found


SCENARIOS = scenarios()
