"""What is to be reached, as data: goals, rows of the table, and the bound of one figure each.

A row without a target is measured and shown all the same.
"""

from dataclasses import dataclass
from typing import Literal

from tests.bench.workloads import BY_NAME, IMAGE, JOURNAL, OTHER_ROWS, RECOVERY

#: Of these more is better; of all other figures less is.
MORE_IS_BETTER = frozenset({"ops_per_s"})


@dataclass(frozen=True)
class Target:
    """A bound of one figure of ours.

    Attributes:
        figure: a name the load generator or the runner gives.
        against: what ours is divided by: the best peer's figure, the null server's, ours without its
            journal, ours with the workload of another row (`row`, run in the same rounds), or nothing.
        bound: at least this where more is better, at most this where less is.
    """

    figure: str
    against: Literal["peer", "null", "bare", "row", "nothing"]
    bound: float
    row: str = ""

    def __str__(self) -> str:
        sign = "≥" if self.figure in MORE_IS_BETTER else "≤"
        of = {
            "peer": " of the better peer",
            "null": " of null",
            "bare": " of that without the journal",
            "row": f" of {self.row!r}",
            "nothing": "",
        }
        return f"{self.figure} {sign} {self.bound:g}{of[self.against]}"


def peer(bound: float, figure: str = "ops_per_s") -> Target:
    return Target(figure, "peer", bound)


def null(bound: float) -> Target:
    return Target("ops_per_s", "null", bound)


def cpu(bound: float) -> Target:
    return peer(bound, "cpu_us_per_op")


def journal(bound: float) -> tuple[Target, ...]:
    return tuple(Target(figure, "bare", bound) for figure in ("us_per_op", "cpu_us_per_op"))


def at_most(figure: str, bound: float) -> Target:
    return Target(figure, "nothing", bound)


def flat(within: float, row: str, figure: str = "ops_per_s") -> Target:
    """Within a factor of another row of ours, in the direction that is worse."""
    bound = 1 / within if figure in MORE_IS_BETTER else within
    return Target(figure, "row", round(bound, 3), row)


Targets = dict[str, tuple[Target, ...]]


def _both(rest: str, *targets: Target) -> Targets:
    """The same for read and write."""
    return {f"read, {rest}": targets, f"write, {rest}": targets}


#: What the first release has to reach.
FOUNDATION: Targets = {
    **_both("1 client", peer(0.9)),
    **_both("8 clients", peer(1.2)),
    **_both("64 clients", peer(1.1)),
    **_both("512 clients", peer(1.1)),
    **_both("1 connection 16 deep", peer(1.5)),
    **_both("1 connection 64 deep", peer(3)),
    **_both("8 connections 16 deep", peer(3)),
    **_both("8 connections 64 deep", peer(3)),
    **_both("64 connections 16 deep", peer(3)),
    **_both("64 connections 64 deep", peer(3)),
    **{
        f"directory of {children}, {clients}": (peer(bound),)
        for children in ("10", "1,000")
        for clients, bound in (("1 client", 0.9), ("8 clients", 1.2), ("64 clients", 1.1))
    },
    "disjoint transactions, 1 client": (peer(1.0),),
    "disjoint transactions, 8 clients": (peer(1.2),),
    "disjoint transactions, 64 clients": (peer(1.2),),
    **{
        f"write beside {n} watches": (flat(1.5, "write beside 0 watches"),)
        for n in ("1,000", "10,000", "100,000")
    },
    **{
        f"write at {n} nodes": (flat(1.5, "write at 1,000 nodes"),)
        for n in ("10,000", "100,000", "1,000,000")
    },
}

#: What "the fastest xenstore there is" has to reach.
FASTEST: Targets = {
    **_both("1 client", null(0.85), cpu(0.85)),
    "directory of 10, 1 client": (null(0.85), cpu(0.85)),
    **_both("8 clients", peer(1.5), null(0.65), cpu(0.75)),
    **_both("64 clients", peer(1.4), null(0.6), cpu(0.7)),
    **_both("512 clients", peer(1.25), null(0.75), peer(0.85, "p99_us")),
    **_both("1 connection 16 deep", peer(2)),
    **_both("1 connection 64 deep", peer(5)),
    **_both("8 connections 16 deep", peer(6), cpu(0.2)),
    **_both("8 connections 64 deep", peer(6), cpu(0.2)),
    **_both("64 connections 16 deep", peer(6), cpu(0.2)),
    **_both("64 connections 64 deep", peer(6), cpu(0.2)),
    "directory of 1,000, 64 clients": (peer(1.2),),
    "disjoint transactions, 1 client": (peer(1.1), null(0.6)),
    "disjoint transactions, 8 clients": (peer(1.35), null(0.6)),
    "disjoint transactions, 64 clients": (peer(1.5), null(0.6)),
    "transactions on one key, 8 clients": (peer(2), at_most("eagain_share", 0)),
    "transactions on one key, 64 clients": (peer(2), at_most("eagain_share", 0)),
    "counter, 2 clients": (peer(1.3), at_most("eagain_share", 0.2)),
    "counter, 8 clients": (peer(1.1), at_most("eagain_share", 0.2)),
    "counter, 64 clients": (peer(4), at_most("eagain_share", 0.2)),
    **{f"fan-out to {n}": (peer(1.3), peer(0.85, "p99_us")) for n in ("10", "100", "1,000")},
    **{
        f"write beside {n} watches": (flat(1.3, "write beside 0 watches"),)
        for n in ("1,000", "10,000", "100,000")
    },
    "close 100 connections with 100,000 watches": (at_most("close_ms", 100),),
    "read, 8 clients beside 5,000 idle": (peer(50), null(0.75), at_most("bytes_each", 8192)),
    "read, 1 client beside 8 writers 64 deep": (peer(0.7, "p50_us"),),
    "read, 63 clients beside 1 writer 64 deep": (flat(2, "read, 63 clients"),),
    "read, 8 clients beside 1,000 unread events": (flat(1.2, "read, 8 clients", "p99_us"),),
    "create beside 100,000 siblings": (flat(1.5, "create beside 100 siblings", "p50_us"),),
    "remove 100,000 siblings": (at_most("remove_ms", 50),),
    "remove a subtree of 10,000 under 10,000 watches": (peer(3, "remove_ms"), at_most("pause_ms", 5)),
    **{
        f"{kind} at {n} nodes": (flat(1.3, f"{kind} at 1,000 nodes"), at_most("max_us", 5000))
        for kind in ("read", "write", "create")
        for n in ("10,000", "100,000", "1,000,000")
    },
    "memory of a node": (at_most("bytes_each", 200),),
    "resident memory, empty": (at_most("rss_mb", 30),),
}

#: What surviving whatever ends the daemon may cost.
SURVIVAL: Targets = {
    **{f"cost of the journal: write, {n}": journal(1.15) for n in ("1 client", "8 clients", "64 clients")},
    RECOVERY[1_000_000]: (at_most("ms", 5000),),
    IMAGE[1_000_000]: (at_most("max_us", 5000),),
    **{row: (at_most("journal_mb", 64), at_most("ms", 1000)) for row in JOURNAL.values()},
}

GOALS: dict[str, Targets] = {"foundation": FOUNDATION | SURVIVAL, "fastest": FASTEST | SURVIVAL}


def base_of(row: str, targets: Targets) -> str | None:
    """The row that a row is compared with; there is one at most."""
    return next((target.row for target in targets.get(row, ()) if target.row), None)


def unknown_rows() -> set[str]:
    """Rows that a target names and no workload is; a test says that there are none."""
    rows = {row for goal in GOALS.values() for row in goal}
    compared = {target.row for goal in GOALS.values() for targets in goal.values() for target in targets}
    return (rows | compared) - {""} - BY_NAME.keys() - OTHER_ROWS.keys()
