"""What domains cost: xend with its embedded store, from a tenth of so many domains to all of them.

    python -m tests.bench.domains [--domains N] [--cycles N] [--json FILE]

Prints a table and writes it to build/bench/ as domains.md and domains.json.  The exit status says whether
all that was asked for was done; what was not reached is for the reader.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from tests.bench.domain_load import AT_A_TIME, count_nodes, count_requests, create, cycle, destroy
from tests.bench.domain_table import Figures, Verdict, few_of, heading, judged, line, write
from tests.bench.host import Cost, Failed, MeasuredHost, measured_host
from tests.bench.programs import BUILD
from tests.bench.report import Origin
from xenclient.xend.aio import Client
from xenclient.xend.errors import BusError, ClientError

WARM_UP = 20
TRACED = 10
RUNS = 15
XL = str(Path(sys.executable).with_name("xl"))


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.domains", description="Measure xend.")
    parser.add_argument("--domains", type=int, default=1000, help="how many at most (%(default)s)")
    parser.add_argument("--cycles", type=int, help="how many are created and destroyed (as many)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where else the figures go")
    chosen = parser.parse_args(words)
    chosen.cycles = chosen.domains if chosen.cycles is None else chosen.cycles
    if chosen.domains < 100 or chosen.cycles < 1:
        parser.error("100 domains at least, and a cycle")
    return chosen


def measure(domains: int, cycles: int) -> Figures:
    """All figures, of two hosts made for it.

    Raises:
        Failed: a host did not come up, or a command failed.
        BusError, ClientError: xend did not do what it was asked for.
    """
    with measured_host(domains + WARM_UP) as host:
        figures = cold_start(host) | trio.run(growth, host, domains)
    with measured_host(AT_A_TIME) as host:
        return figures | trio.run(there_and_back, host, cycles)


def cold_start(host: MeasuredHost) -> Figures:
    """What `xl list` of dom0 alone takes, and Python with nothing to do; alternating."""
    bare, listing = [sys.executable, "-c", "pass"], [XL, "list"]
    pairs = [(_seconds(bare, host), _seconds(listing, host)) for _ in range(RUNS)]
    return {
        "bare_python_ms": 1000 * statistics.median(pair[0] for pair in pairs),
        "cold_xl_list_ms": 1000 * statistics.median(pair[1] for pair in pairs),
    }


async def growth(host: MeasuredHost, domains: int) -> Figures:
    """The cost of a domain where there are few, and where there are many."""
    few = few_of(domains)
    names = [f"d{number}" for number in range(domains)]
    async with Client(str(host.bus)) as client:
        warm = [f"w{number}" for number in range(WARM_UP)]
        await create(host, client, warm)
        await destroy(client, warm)
        figures = await requests(host, client, "few")
        nodes, rss, begin = await count_nodes(host), host.rss(), host.cost()
        await create(host, client, names[:few])
        first = host.cost()
        figures["few_memory_kib"] = (host.rss() - rss) / few / 1024
        await create(host, client, names[few:-few])
        before_last = host.cost()
        await create(host, client, names[-few:])
        last = host.cost()
        figures |= costs("few", first - begin, few)
        figures |= costs("all", last - begin, domains)
        figures |= costs("last", last - before_last, few)
        figures["all_memory_kib"] = (host.rss() - rss) / domains / 1024
        figures["simulator_memory_kib"] = host.simulator_rss() / domains / 1024
        figures |= await requests(host, client, "all")
        figures["xl_list_ms"] = 1000 * statistics.median(_seconds([XL, "list"], host) for _ in range(RUNS))
        began = host.cost()
        await destroy(client, names)
        figures |= costs("destroy", host.cost() - began, domains)
        figures["nodes_left"] = await count_nodes(host) - nodes
    return figures


async def requests(host: MeasuredHost, client: Client, when: str) -> Figures:
    """The store's requests for one domain created, and for one destroyed, beside those that are there."""
    names = [f"t{number}" for number in range(TRACED)]
    figures: Figures = {}
    for what, work in (
        ("create", partial(create, host, client, names)),
        ("destroy", partial(destroy, client, names)),
    ):
        of_xend, of_others = await count_requests(host, work)
        figures[f"{when}_{what}_requests"] = of_xend.total() / TRACED
        figures[f"{when}_{what}_other_requests"] = of_others.total() / TRACED
    return figures


async def there_and_back(host: MeasuredHost, cycles: int) -> Figures:
    """What so many domains leave behind that were created and destroyed.

    The first half of them fills what is kept on purpose: ended operations, events, allocators' reserves.
    """
    async with Client(str(host.bus)) as client:
        await cycle(host, client, [f"w{number}" for number in range(WARM_UP)])
        states = [await _state(host)]
        for round in range(2):
            await cycle(host, client, [f"c{round}-{number}" for number in range(cycles)])
            states.append(await _state(host))
    start, first, second = states
    return {
        "descriptors_left": first["descriptors"] - start["descriptors"],
        "cycle_nodes_left": first["nodes"] - start["nodes"],
        "cycle_rss_mib": (first["rss"] - start["rss"]) / (1 << 20),
        "next_cycle_rss_mib": (second["rss"] - first["rss"]) / (1 << 20),
    }


async def _state(host: MeasuredHost) -> Figures:
    await trio.sleep(2.0)  # consoles' last words are waited for
    return {"descriptors": host.descriptors(), "nodes": await count_nodes(host), "rss": host.rss()}


def costs(when: str, cost: Cost, number: int) -> Figures:
    """In milliseconds for one of so many domains or devices."""
    return {
        f"{when}_ms": 1000 * cost.wall_s / number,
        f"{when}_xend_cpu_ms": 1000 * cost.xend_cpu_s / number,
        f"{when}_simulator_cpu_ms": 1000 * cost.simulator_cpu_s / number,
    }


def _seconds(command: list[str], host: MeasuredHost) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env={"XEND_SOCKET": str(host.bus)}, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise Failed(f"{shlex.join(command)}: {done.stderr.strip()[-300:]}")
    return took


def run(domains: int, cycles: int, copy: Path | None, words: list[str]) -> int:
    """Measure, print and write; returns the exit status."""
    return carry_out(
        "domains",
        words,
        copy,
        lambda: measure(domains, cycles),
        lambda figures: judged(figures, domains, cycles),
    )


def carry_out(
    name: str,
    words: list[str],
    copy: Path | None,
    measure: Callable[[], Figures],
    judge: Callable[[Figures], list[Verdict]],
) -> int:
    """What a program of this name does: measures, prints and writes; returns the exit status."""
    origin = Origin.of(shlex.join(["python", "-m", f"tests.bench.{name}", *words]))
    began = time.monotonic()
    figures: Figures = {}
    try:
        figures = measure()
    except* (Failed, BusError, ClientError) as errors:
        print(f"{name}: {_first(errors)}", file=sys.stderr)
    if not figures:
        return 1
    verdicts = judge(figures)
    print(heading(name), *map(line, verdicts), sep="\n")
    files = write(name, verdicts, figures, origin, BUILD, copy)
    print(f"\n{time.monotonic() - began:.0f} s; wrote {', '.join(map(str, files))}")
    return 0


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def main(words: list[str]) -> int:
    chosen = arguments(words)
    return run(chosen.domains, chosen.cycles, chosen.json, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
