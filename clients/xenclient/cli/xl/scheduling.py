"""What xl sched-credit, sched-credit2 and sched-rtds have in common: tables by CPU pool, and what is set.

Source of the tables: what Debian's xl 4.17 prints (tools/xl/xl_sched.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.domains import name
from xenclient.cli.xl.numbers import option_number
from xenclient.cli.xl.operation import change, perform
from xenclient.cli.xl.printing import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    #: As scheduling.show, or a pool of scheduling.list.
    Map = Mapping[str, Any]

DOMAIN = Option("d", "domain", "this domain's", "DOM")
POOL = Option("p", "cpupool", "only domains of this CPU pool", "POOL")
WEIGHT = Option("w", "weight", "set its weight, 1 to 65535 (256)", "WEIGHT")
CAP = Option("c", "cap", "set the most of one CPU that it gets, in percent; 0: no bound", "CAP")
SCHEDULE = Option("s", "schedparam", "of the pool itself (Pool-0), not of domains")
RATELIMIT = Option("r", "ratelimit_us", "set how long a vCPU runs at least, in us; 0: no such bound", "US")

HEADER = f"{'Name':<33} {'ID':>4} {'Weight':>6} {'Cap':>4}"


def row(domain: Map) -> str:
    """A domain's weight and cap."""
    parameters = domain["parameters"]
    return f"{name(domain):<33} {domain['domid']:>4} {parameters['weight']:>6} {parameters['cap']:>4}"


class CreditCommand:
    """sched-credit, or sched-credit2.

    settings: options that set something of a pool, by the bus's parameter.
    pool_line: what is printed of a pool's parameters.
    """

    def __init__(
        self, scheduler: str, settings: Mapping[str, Option], pool_line: Callable[[Map], str]
    ) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._pool_line = pool_line

    def command(self) -> Command:
        """Its declaration."""
        options = (DOMAIN, WEIGHT, CAP, SCHEDULE, *self._settings.values(), POOL, DRY_RUN, JSON)
        return Command("", self.run, *options)

    def run(self, call: Call) -> int:
        domain, weight, cap = call.value("domain"), option_number(call, "weight"), option_number(call, "cap")
        settings = {key: option_number(call, option.key) for key, option in self._settings.items()}
        sets_pool = any(value is not None for value in settings.values())
        if (call.given("cpupool") or call.given("schedparam")) and (domain or weight or cap):
            raise call.usage_error("-p and -s are of a pool: no -d, -w or -c beside them")
        if domain is None and (weight is not None or cap is not None):
            raise call.usage_error("-w and -c need the domain: -d DOM")
        if sets_pool and not call.given("schedparam"):
            raise call.usage_error("what is set of a pool needs -s")
        if call.given("schedparam"):
            return self._of_pool(call, settings if sets_pool else {})
        if domain is None:
            return show_pools(call, self._scheduler, self._pool_text, lambda each: [HEADER, *map(row, each)])
        if weight is None and cap is None:
            shown = scheduled(call, domain, self._scheduler)
            call.show(shown, f"{HEADER}\n{row(shown)}\n")
            return 0
        perform(
            call,
            "domain.set_scheduling",
            domain=domain,
            scheduler=self._scheduler,
            weight=weight,
            cap=cap,
        )
        return 0

    def _of_pool(self, call: Call, settings: Mapping[str, int | None]) -> int:
        pool = call.value("cpupool") or "0"
        given: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
        if given:
            said = " ".join(f"{key}={value}" for key, value in given.items())
            step = f"set how the CPU pool {pool} is scheduled: {said}"
            change(call, "pool.set_scheduling", step, pool=pool, **given)
            return 0
        (found,) = call.client.call("scheduling.list", pool=pool)
        call.show(found, self._pool_text(found) + "\n")
        return 0

    def _pool_text(self, pool: Map) -> str:
        # As from Xen's xl: a pool under another scheduler has none of these.
        here = pool["scheduler"] == self._scheduler
        line = self._pool_line(pool["parameters"]) if here else "[sched params unavailable]"
        return f"Cpupool {pool['name']}: {line}"


def show_pools(
    call: Call,
    scheduler: str,
    pool_text: Callable[[Map], str],
    lines: Callable[[Sequence[Map]], Iterable[str]],
) -> int:
    """Print the pools that have the scheduler, and after each the lines of its domains."""
    pools = call.client.call("scheduling.list", scheduler=scheduler, pool=call.value("cpupool"))
    text = [line for pool in pools for line in (pool_text(pool), *lines(pool["members"]))]
    call.show(pools, "".join(f"{line}\n" for line in text))
    if not pools:
        log(f"{call.settings.program}: no CPU pool{_asked(call)} has the scheduler {scheduler}\n")
    return 0


def _asked(call: Call) -> str:
    pool = call.value("cpupool")
    return "" if pool is None else f" called {pool}"


def scheduled(call: Call, domain: str, scheduler: str) -> Map:
    """How a domain is scheduled.

    Raises:
        BusError: it runs under another scheduler.
    """
    shown: Map = call.client.call("scheduling.show", domain=domain)
    if shown["scheduler"] != scheduler:
        from xenclient.xend.errors import BusError

        raise BusError(
            "wrong_state",
            f"{name(shown)} runs under the scheduler {shown['scheduler']}, not {scheduler}",
            {"hint": f"{call.settings.program} sched-{shown['scheduler']}"},
        )
    return shown
