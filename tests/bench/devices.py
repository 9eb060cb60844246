"""What devices cost: domains with 4 vifs and 4 vbds each, first a tenth of so many, then all of them.

    python -m tests.bench.devices [--domains N] [--json FILE]

Prints a table and writes it to build/bench/ as devices.md and devices.json.  The domains' scripts do nothing
but say that they are connected (`native/hotplug.c`).  Times and CPU of creating and destroying are those of
whole domains, divided by their devices.  Requests are those that xend sends the store; libxl's, of which ours
are to be fewer, are counted by `libxl_requests`.  A hot attach is timed from its call until its answer is
there and the word that the device is connected, one at a time, on a host full of domains.
"""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import trio

from tests.bench.device_table import KINDS, SHAPE, judged, percentiles
from tests.bench.domain_load import SILENCE_SECONDS, count_nodes, count_requests, create, destroy
from tests.bench.domain_table import Figures, few_of
from tests.bench.domains import carry_out, costs
from tests.bench.host import MeasuredHost, Shape, measured_host
from xenclient.xend.aio import Client, Events

NO_DEVICES = Shape(vifs=0, vbds=0)
WARM_UP = 10
#: Domains, or devices, whose requests are counted.
TRACED = 10
#: Domains that get one more device of each kind while time is taken.
HOT = 100
#: How long the last words of a device's ends are waited for, where requests are counted.
SETTLE_SECONDS = 0.2


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.devices", description="Measure devices.")
    parser.add_argument("--domains", type=int, default=1000, help="how many at most (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where else the figures go")
    chosen = parser.parse_args(words)
    if chosen.domains < HOT:
        parser.error(f"{HOT} domains at least")
    return chosen


def measure(domains: int) -> Figures:
    """All figures, of a host made for it.

    Raises:
        Failed: it did not come up.
        BusError, ClientError: xend did not do what it was asked for.
    """
    with measured_host(domains + 2 * TRACED) as host:
        return trio.run(_measure, host, domains)


async def _measure(host: MeasuredHost, domains: int) -> Figures:
    names = [f"d{number}" for number in range(domains)]
    async with Client(str(host.bus)) as client:
        warm = [f"w{number}" for number in range(WARM_UP)]
        await create(host, client, warm, SHAPE)
        await destroy(client, warm)
        figures = await domains_requests(host, client) | await hot_requests(host, client)
        nodes = await count_nodes(host)
        figures |= await growth(host, client, names)
        figures |= await hot_times(host, client, names[:HOT])
        figures |= await decline(host, client, names)
        figures["nodes_left"] = await count_nodes(host) - nodes
    return figures


async def growth(host: MeasuredHost, client: Client, names: list[str]) -> Figures:
    """What a device costs where there are few domains, and where there are many."""
    few = few_of(len(names))
    begin = host.cost()
    await create(host, client, names[:few], SHAPE)
    first = host.cost()
    await create(host, client, names[few:], SHAPE)
    figures = costs("few", first - begin, few * SHAPE.devices)
    return figures | costs("all", host.cost() - begin, len(names) * SHAPE.devices)


async def decline(host: MeasuredHost, client: Client, names: list[str]) -> Figures:
    """What a device costs as all domains are destroyed, and as the last few are that are left."""
    few = few_of(len(names))
    begin = host.cost()
    await destroy(client, names[few:])
    before_last = host.cost()
    await destroy(client, names[:few])
    figures = costs("destroy", host.cost() - begin, len(names) * SHAPE.devices)
    return figures | costs("destroy_few", host.cost() - before_last, few * SHAPE.devices)


# --- requests ---------------------------------------------------------------------------------------------


async def domains_requests(host: MeasuredHost, client: Client) -> Figures:
    """For one device of domains created and destroyed: what they take more than domains without any."""
    totals: Figures = {}
    for kind, shape in (("bare", NO_DEVICES), ("full", SHAPE)):
        names = [f"{kind}{number}" for number in range(TRACED)]
        totals[f"create {kind}"] = await _asked(host, partial(create, host, client, names, shape))
        totals[f"destroy {kind}"] = await _asked(host, partial(destroy, client, names))
    return {
        f"{what}_requests": (totals[f"{what} full"] - totals[f"{what} bare"]) / TRACED / SHAPE.devices
        for what in ("create", "destroy")
    }


async def hot_requests(host: MeasuredHost, client: Client) -> Figures:
    """For one device put into, and taken out of, a domain that has some already."""
    await create(host, client, ["t"], SHAPE)
    totals: Figures = {}
    async with client.events(kinds=["device"]) as events:
        for kind, attach, detach in _each_kind(host, client, events, "t"):
            asked = [await _asked(host, work) for _ in range(TRACED) for work in (attach, detach)]
            totals[f"attach_{kind}_requests"] = sum(asked[::2]) / TRACED
            totals[f"detach_{kind}_requests"] = sum(asked[1::2]) / TRACED
    await destroy(client, ["t"])
    return totals


async def _asked(host: MeasuredHost, work: Callable[[], Awaitable[object]]) -> int:
    async def settled() -> None:
        await work()
        await trio.sleep(SETTLE_SECONDS)

    of_xend, _ = await count_requests(host, settled)
    return of_xend.total()


# --- hot devices ------------------------------------------------------------------------------------------


async def hot_times(host: MeasuredHost, client: Client, names: list[str]) -> Figures:
    """How long a hot attach and a detach take; one at a time."""
    attached, detached = list[float](), list[float]()
    async with client.events(kinds=["device"]) as events:
        for name in names:
            for _, attach, detach in _each_kind(host, client, events, name):
                attached.append(await _timed(attach))
                detached.append(await _timed(detach))
    return percentiles("attach", attached) | percentiles("detach", detached)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    """In milliseconds."""
    began = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - began)


Work = Callable[[], Awaitable[object]]


def _each_kind(
    host: MeasuredHost, client: Client, events: Events, name: str
) -> Iterator[tuple[str, Work, Work]]:
    """For each kind of device: what puts one more into a domain, and what takes it out."""
    specs = {"vif": "devid=9,bridge=bridge0", "vbd": f"{host.disk(f'{name}-hot')},0x9,w"}
    for kind in KINDS:
        attach = partial(_attach, client, events, name, kind, specs[kind])
        yield kind, attach, partial(client.device_detach, name, kind, "9")


async def _attach(client: Client, events: Events, name: str, kind: str, spec: str) -> None:
    """Returns once the device is connected."""
    answer = await client.device_attach(name, kind, spec)
    wanted = (answer["domid"], answer["device"], "connected")
    while True:
        event = await events.next(SILENCE_SECONDS)
        if (event.get("domid"), event.get("device"), event["what"]) == wanted:
            return


def run(domains: int, copy: Path | None, words: list[str]) -> int:
    """Measure, print and write; returns the exit status."""
    return carry_out(
        "devices", words, copy, lambda: measure(domains), lambda figures: judged(figures, domains)
    )


def main(words: list[str]) -> int:
    chosen = arguments(words)
    return run(chosen.domains, chosen.json, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
