"""What domains cost: xend's embedded store, xend and the simulated host, from 100 domains to 1,000.

    python -m tests.bench.domains [--domains N] [--cycles N] [--json FILE]

Prints a table and writes it to build/bench/ as domains.md and domains.json.  The exit status says whether
all that was asked for was done; what was not reached is for the reader.
"""

import argparse
import json
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import trio

from tests.bench.domain_table import Figures, Row, heading, line, markdown, rows
from tests.bench.host import Cost, Failed, MeasuredHost, configuration, measured_host
from tests.bench.programs import BUILD
from tests.bench.report import Origin
from xenclient.store.aio import Client as Store
from xenclient.xend.aio import Client
from xenclient.xend.errors import BusError, ClientError

AT_A_TIME = 50
WARM_UP = 20
TRACED = 10
XL_RUNS = 9
SETTLE_SECONDS = 120.0
LOOK_SECONDS = 0.25
CONNECTED = 4
#: One request in the store's trace: the connection and the type.
_REQUEST = re.compile(r"IN (0x[0-9a-f]+) \S+ \S+ ([A-Z_]+) ", re.ASCII)

Names = list[str]


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.domains", description="Measure xend.")
    parser.add_argument("--domains", type=int, default=1000, help="how many at most (%(default)s)")
    parser.add_argument("--cycles", type=int, help="how many are created and destroyed (as many)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where else the figures go")
    chosen = parser.parse_args(words)
    chosen.cycles = chosen.domains if chosen.cycles is None else chosen.cycles
    if chosen.domains < 10 or chosen.cycles < 1:
        parser.error("10 domains at least, and a cycle")
    return chosen


def measure(domains: int, cycles: int) -> Figures:
    """All figures, of two hosts that are made for it.

    Raises:
        Failed: something was not done.
    """
    figures: Figures = {"domains": domains, "few": domains // 10, "cycles": cycles}
    with measured_host(domains) as host:
        figures |= cold_start(host)
        trio.run(_growth, host, domains, figures)
    with measured_host(AT_A_TIME) as host:
        trio.run(_cycles, host, cycles, figures)
    return figures


async def _growth(host: MeasuredHost, domains: int, figures: Figures) -> None:
    async with Client(str(host.bus)) as client:
        await _create_and_destroy(client, _names("warm", WARM_UP))
        await _count_requests(host, client, figures)
        nodes, rss, begin = await count_nodes(host), host.rss(), host.cost()
        names = _names("d", domains)
        few = domains // 10
        await create(client, names[:few])
        figures |= _per_domain("few", host.cost() - begin, few)
        rest = host.cost()
        await create(client, names[few : -few])
        last = host.cost()
        await create(client, names[-few:])
        figures |= _per_domain("last", host.cost() - last, few)
        figures |= _per_domain("all", _sum(host.cost() - rest, figures, few), domains)
        figures["rss_kib_per_domain"] = (host.rss() - rss) / 1024 / domains
        figures["xl_list_s"] = statistics.median(_timed(["xl", "list"], host, domains + 2) for _ in range(XL_RUNS))
        began = host.cost()
        await each(names, client.destroy)
        figures |= _per_domain("destroy", host.cost() - began, domains)
        figures["nodes_left"] = await count_nodes(host) - nodes
