"""What is measured, as data: every workload with its name, and the load generator's words for it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        name: what the row, the targets and --only call it.
        arguments: for the load generator, less the socket and what the runner adds.
        figure: the one figure that speaks for the row.
        quick: part of the default subset.
        null: fixed replies satisfy it, so that the null server can run it.
        journal: it shows what our journal costs, so only ours runs it, with it and without.
    """

    name: str
    arguments: str
    figure: str = "ops_per_s"
    quick: bool = False
    null: bool = True
    journal: bool = False

    @property
    def kind(self) -> str:
        return self.arguments.split()[0]

    def number(self, name: str, default: int) -> int:
        """The value of a NAME=NUMBER argument."""
        pairs = dict(pair.split("=") for pair in self.arguments.split()[1:])
        return int(pairs.get(name, default))


def _clients(count: int) -> str:
    return f"{count} client" if count == 1 else f"{count} clients"


def _deep(connections: int, depth: int) -> str:
    return f"{connections} connection{'' if connections == 1 else 's'} {depth} deep"


def _closed_loop() -> list[Workload]:
    return [
        Workload(f"{kind}, {_clients(n)}", f"{kind} clients={n}", quick=n < 512 or kind == "read")
        for kind in ("read", "write")
        for n in (1, 8, 64, 512)
    ]


def _pipelined() -> list[Workload]:
    quick = {("read", 1, 16), ("read", 1, 64), ("write", 1, 64), ("read", 8, 64), ("write", 8, 64)}
    return [
        Workload(f"{kind}, {_deep(n, d)}", f"{kind} clients={n} depth={d}", quick=(kind, n, d) in quick)
        for kind in ("read", "write")
        for n in (1, 8, 64)
        for d in (16, 64)
    ]


def _directories() -> list[Workload]:
    return [
        Workload(
            f"directory of {children:,}, {_clients(n)}",
            f"directory clients={n} children={children}",
            quick=(children, n) in {(10, 8), (1000, 64)},
        )
        for children, n in ((10, 1), (10, 8), (10, 64), (1000, 1), (1000, 8), (1000, 64))
    ]


def _transactions() -> list[Workload]:
    disjoint = [
        Workload(f"disjoint transactions, {_clients(n)}", f"transaction clients={n}", quick=True)
        for n in (1, 8, 64)
    ]
    one_key = [
        Workload(
            f"transactions on one key, {_clients(n)}",
            f"transaction shared=1 clients={n}",
            quick=n == 8,
            null=False,
        )
        for n in (1, 8, 64)
    ]
    transfers = [
        Workload(
            f"transfers among 100 nodes, {_clients(n)}", f"transfer clients={n}", quick=n == 8, null=False
        )
        for n in (8, 64)
    ]
    counter = [
        Workload(f"counter, {_clients(n)}", f"counter clients={n}", quick=n in (8, 64), null=False)
        for n in (1, 2, 8, 64)
    ]
    return disjoint + one_key + transfers + counter


def _watches() -> list[Workload]:
    fan_out = [Workload(f"fan-out to {n:,}", f"fanout clients={n}", quick=n == 100) for n in (10, 100, 1000)]
    beside = [
        Workload(f"write beside {n:,} watches", f"write clients=8 watches={n}", quick=n in (0, 100_000))
        for n in (0, 1_000, 10_000, 100_000)
    ]
    closing = Workload(
        "close 100 connections with 100,000 watches",
        "close watches=100000",
        "close_ms",
        quick=True,
        null=False,
    )
    return [*fan_out, *beside, closing]


def _crowds() -> list[Workload]:
    return [
        Workload("read, 8 clients beside 5,000 idle", "read clients=8 idle=5000", quick=True),
        Workload("read, 1 client beside 8 writers 64 deep", "read clients=1 beside=8", "p50_us", quick=True),
        Workload("read, 63 clients", "read clients=63"),
        Workload("read, 63 clients beside 1 writer 64 deep", "read clients=63 beside=1"),
        Workload("read, 8 clients beside 1,000 unread events", "read clients=8 deaf=1000"),
    ]


def _sizes() -> list[Workload]:
    nodes = [
        Workload(
            f"{kind} at {n:,} nodes",
            f"{kind} clients=8 nodes={n}",
            quick=(kind, n) in {("write", 1_000), ("write", 100_000)},
        )
        for kind in ("read", "write", "create")
        for n in (1_000, 10_000, 100_000, 1_000_000)
    ]
    wide = [
        Workload(f"create beside {n:,} siblings", f"create children={n}", "p50_us", null=False)
        for n in (100, 10_000, 100_000)
    ]
    removal = [
        Workload("remove 10,000 siblings", "wide children=10000", "remove_ms", null=False),
        Workload("remove 100,000 siblings", "wide children=100000", "remove_ms", null=False),
        Workload("remove a subtree of 10,000", "subtree children=10000", "remove_ms", quick=True, null=False),
        Workload(
            "remove a subtree of 10,000 under 10,000 watches",
            "subtree children=10000 watches=10000",
            "remove_ms",
            null=False,
        ),
    ]
    return nodes + wide + removal


def _journal() -> list[Workload]:
    return [
        Workload(
            f"cost of the journal: write, {_clients(n)}",
            f"write clients={n}",
            "us_per_op",
            quick=True,
            null=False,
            journal=True,
        )
        for n in (1, 8, 64)
    ]


def _memory() -> list[Workload]:
    return [
        Workload("resident memory, empty", "hold", "rss_mb", quick=True, null=False),
        Workload("memory of a watch", "hold watches=100000", "bytes_each", null=False),
        Workload("memory of a node", "hold nodes=1000000", "bytes_each", null=False),
    ]


WORKLOADS: tuple[Workload, ...] = (
    *_closed_loop(),
    *_pipelined(),
    *_directories(),
    *_transactions(),
    *_watches(),
    *_crowds(),
    *_sizes(),
    *_memory(),
    *_journal(),
)
BY_NAME: dict[str, Workload] = {workload.name: workload for workload in WORKLOADS}

#: Rows that start programs instead of loading a server (see cold.py); the second is what the first cannot
#: go below.
COLD_START, COLD_PYTHON = "cold start of xenstore-read", "cold start of Python itself"
#: The compiled program that hotplug scripts find.
COLD_SCRIPT = "cold start of xenstore-read in a script"
#: Rows of a store that ends and goes on (see restart.py), by number of nodes.
SIZES = (1_000, 100_000, 1_000_000)
RECOVERY = {nodes: f"recovery of {nodes:,} nodes" for nodes in SIZES}
IMAGE = {nodes: f"read beside the writing of an image of {nodes:,} nodes" for nodes in SIZES}
LIVE_UPDATE = {nodes: f"live update with {nodes:,} nodes" for nodes in SIZES}
#: Rows of a journal under load (see growth.py), by number of clients and bytes of the values that they write.
WRITERS = tuple((clients, size) for size in (16, 3_900) for clients in (8, 64, 512))
JOURNAL = {
    (clients, size): f"journal of values of {size:,} bytes, {clients} clients" for clients, size in WRITERS
}

#: The figure that speaks for each row that is no Workload.
OTHER_ROWS: dict[str, str] = {
    COLD_PYTHON: "ms",
    COLD_START: "ms",
    COLD_SCRIPT: "ms",
    **dict.fromkeys(RECOVERY.values(), "ms"),
    **dict.fromkeys(IMAGE.values(), "max_us"),
    **dict.fromkeys(LIVE_UPDATE.values(), "pause_ms"),
    **dict.fromkeys(JOURNAL.values(), "journal_mb"),
}


def figure_name(row: str) -> str:
    """The figure that speaks for a row of the table."""
    return OTHER_ROWS[row] if row in OTHER_ROWS else BY_NAME[row].figure
