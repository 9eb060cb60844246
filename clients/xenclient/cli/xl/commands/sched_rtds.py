"""xl sched-rtds: periods and budgets of virtual CPUs under the scheduler rtds.

Source of the tables: what Debian's xl 4.17 prints (tools/xl/xl_sched.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.domains import name
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.scheduling import DOMAIN, scheduled, show_pools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Map = Mapping[str, Any]

#: What all vCPUs are called.
ALL = "all"
FIGURES = f"{'Period':>9} {'Budget':>9} {'Extratime':>10}"
HEADER = f"{'Name':<33} {'ID':>4} {FIGURES}"
VCPU_HEADER = f"{'Name':<33} {'ID':>4} {'VCPU':>4} {FIGURES}"
#: Options that set something, by the bus's parameter.
SETTINGS = {"period_us": "period", "budget_us": "budget", "extra_time": "extratime"}


def run(call: Call) -> int:
    domain, vcpus = call.value("domain"), call.values("vcpuid")
    sets = any(call.given(key) for key in SETTINGS.values())
    if call.given("cpupool") and (domain or vcpus or sets):
        raise call.usage_error("-c is of a pool: no other option beside it")
    if domain is None and (sets or set(vcpus) - {ALL}):
        raise call.usage_error("needs the domain: -d DOM")
    if sets and not vcpus:
        raise call.usage_error("needs the vCPUs: -v VCPU, or -v all")
    if ALL in vcpus and len(vcpus) > 1:
        raise call.usage_error("-v all and other vCPUs cannot be said together")
    if domain is None:
        return show_pools(call, "rtds", pool_text, _all_vcpus if vcpus else _all_domains)
    if sets:
        rows = _rows(call, vcpus)
        perform(call, "domain.set_scheduling", domain=domain, scheduler="rtds", vcpus=rows)
        return 0
    shown = scheduled(call, domain, "rtds")
    lines = [HEADER, row(shown)] if not vcpus else [VCPU_HEADER, *_chosen(call, shown, vcpus)]
    call.show(shown, "".join(f"{line}\n" for line in lines))
    return 0


SCHED_RTDS = Command(
    "",
    run,
    DOMAIN,
    Option("v", "vcpuid", "this vCPU's, or all vCPUs'; may be repeated", "VCPU|all"),
    Option("p", "period", "set its period, in us; one for each -v", "US"),
    Option("b", "budget", "set its budget in a period, in us; one for each -v", "US"),
    Option("e", "extratime", "set whether it gets more if nobody wants it; one for each -v", "0|1"),
    Option("c", "cpupool", "only domains of this CPU pool", "POOL"),
    DRY_RUN,
    JSON,
)


def pool_text(pool: Map) -> str:
    """A pool; it has no parameters."""
    return f"Cpupool {pool['name']}: sched=RTDS"


def figures(parameters: Map) -> str:
    """Period, budget, and whether there is extra time."""
    extra = "yes" if parameters["extra_time"] else "no"
    return f"{parameters['period_us']:>9} {parameters['budget_us']:>9} {extra:>10}"


def row(domain: Map) -> str:
    """What vCPUs of a domain have of which nothing else was said."""
    return f"{name(domain):<33} {domain['domid']:>4} {figures(domain['parameters'])}"


def vcpu_row(domain: Map, vcpu: Map) -> str:
    """One virtual CPU."""
    return f"{name(domain):<33} {domain['domid']:>4} {vcpu['vcpu']:>4} {figures(vcpu)}"


def _all_domains(domains: Sequence[Map]) -> list[str]:
    return [HEADER, *map(row, domains)]


def _all_vcpus(domains: Sequence[Map]) -> list[str]:
    return [VCPU_HEADER, *(vcpu_row(domain, vcpu) for domain in domains for vcpu in domain["vcpus"])]


def _chosen(call: Call, domain: Map, words: Sequence[str]) -> list[str]:
    """The rows of the vCPUs that are named."""
    known = {vcpu["vcpu"]: vcpu for vcpu in domain["vcpus"]}
    numbers = list(known) if ALL in words else [whole(call, "-v", word) for word in words]
    for number in numbers:
        if number not in known:
            raise call.usage_error(f"{name(domain)} has no vCPU {number}; it has {len(known)}")
    return [vcpu_row(domain, known[number]) for number in numbers]


def _rows(call: Call, vcpus: Sequence[str]) -> list[dict[str, Any]]:
    """What each of the vCPUs is to have; an option that is given at all is given once for each."""
    rows: list[dict[str, Any]] = [{} if word == ALL else {"vcpu": whole(call, "-v", word)} for word in vcpus]
    for parameter, key in SETTINGS.items():
        values = call.values(key)
        if values and len(values) != len(rows):
            raise call.usage_error(f"{len(values)} times --{key}, but {len(rows)} times --vcpuid")
        for each, value in zip(rows, values, strict=False):
            each[parameter] = whole(call, f"--{key}", value)
            if key == "extratime":
                if value not in ("0", "1"):
                    raise call.usage_error(f"--extratime {value!r} is neither 0 nor 1")
                each[parameter] = value == "1"
    return rows
