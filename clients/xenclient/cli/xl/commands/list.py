"""xl list: the rows of domains.

Source: toolstack.md section 8; xm's layout where the program is called xm.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.columns import COLUMNS, NO_HEADER
from xenclient.cli.xl.command import JSON, Command, Option
from xenclient.cli.xl.domains import domid, flags, name, named_domains, next_life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenclient.cli.xl.domains import Domain

    #: Header and cell of columns that an option adds.
    Extra = tuple[str, Callable[[Domain], str]]

HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
XM_HEADER = f"{'Name':<40} {'ID':>5} {'Mem':>5} {'VCPUs':>5} {'State':>10} {'Time(s)':>9}"

#: Columns that --columns takes: keys of the bus's domain map, and "flags", the letters of xl list.
NAMES = (
    "name", "domid", "uuid", "type", "state", "flags", "shutdown_reason", "memory_kib", "outstanding_kib",
    "max_memory_kib", "vcpus", "max_vcpus", "cpu_time_ns", "start_time", "uptime_s", "operation",
)  # fmt: skip
#: Options that choose another layout than --columns.
LAYOUTS = ("long", "verbose", "cpupool", "numa", "context")

CRASHED = 3


def run(call: Call) -> int:
    if call.given("columns"):
        return _show_columns(call)
    if call.given("long"):
        from xenclient.cli.xl.configurations import show_configurations

        return show_configurations(call)
    found, status = named_domains(call)
    if found or call.json or not call.arguments:
        lines = table(found, _extra(call), call.settings.program)
        call.show(found, lines.partition("\n")[2] if call.given("no-header") else lines)
    return status


LIST = Command(
    "[DOM ...]",
    run,
    Option("l", "long", "whole configurations, as JSON"),
    Option("v", "verbose", "UUID, shutdown reason and security label too"),
    Option("c", "cpupool", "cpupool too"),
    Option("n", "numa", "NUMA nodes too"),
    Option("Z", "context", "security label too"),
    COLUMNS,
    NO_HEADER,
    JSON,
)


def table(found: Iterable[Domain], extra: Iterable[Extra], program: str) -> str:
    """Header and a line per domain."""
    extra = list(extra)
    header, line = (XM_HEADER, xm_row) if program == "xm" else (HEADER, row)
    lines = ["".join([header, *(title for title, _ in extra)])]
    lines += [
        "".join([line(domain), *(cell(domain) for _, cell in extra), awaited(domain)]) for domain in found
    ]
    return "\n".join(lines) + "\n"


def row(domain: Domain) -> str:
    """A domain as xl lists it."""
    return (
        f"{name(domain):<40} {domid(domain):>5} {mem_mib(domain):5} {domain['vcpus']:5}     "
        f"{flags(domain)}  {domain['cpu_time_ns'] / 1e9:8.1f}"
    )


def xm_row(domain: Domain) -> str:
    """A domain as xm listed it."""
    return (
        f"{name(domain):<40} {domid(domain):>5} {mem_mib(domain):5} {domain['vcpus']:5} "
        f"{xm_flags(domain):>10} {domain['cpu_time_ns'] / 1e9:8.1f}"
    )


def mem_mib(domain: Domain) -> int:
    """What it has and has claimed, whole MiB."""
    kib: int = domain["memory_kib"] + domain["outstanding_kib"]
    return kib // 1024


def xm_flags(domain: Domain) -> str:
    """As `flags`, but of the reasons only "c", crashed."""
    crashed = domain["shutdown"] and domain["shutdown_reason"] == CRASHED
    return flags(domain)[:4] + ("c" if crashed else "-") + flags(domain)[5:]


def awaited(domain: Domain) -> str:
    """What a domain between two lives waits for, to follow its columns; "" of one that lives."""
    return "" if domain["domid"] is not None else f"  {next_life(domain)}"


def _extra(call: Call) -> list[Extra]:
    """The columns that options add, in the order in which xl prints them.  What xend does not tell is "-"."""
    found: list[Extra] = []
    if call.given("verbose"):
        found.append(("   UUID                            Reason-Code\tSecurity Label", _verbose))
    elif call.given("context"):
        found.append(("   Security Label", _label))
    if call.given("cpupool"):
        found.append(("         Cpupool", lambda domain: f"{domain.get('cpupool', '-'):>16}"))
    if call.given("numa"):
        found.append((" NODE Affinity", lambda domain: f" {domain.get('node_affinity', '-')}"))
    return found


def _verbose(domain: Domain) -> str:
    """UUID, the number of the shutdown reason, label."""
    reason = domain["shutdown_reason"] if domain["shutdown"] else None
    number = "-" if reason is None else f"{reason:x}"
    return f" {domain['uuid']} {number:>8}{_label(domain)}"


def _label(domain: Domain) -> str:
    return f" {domain.get('security_label', '-'):>16}"


def _show_columns(call: Call) -> int:
    """Print what --columns chooses; JSON has the same keys."""
    from xenclient.cli.xl import columns

    for other in LAYOUTS:
        if call.given(other):
            raise call.usage_error(f"--columns or --{other}, not both")
    chosen = columns.chosen_columns(call, NAMES)
    found, status = named_domains(call)
    items = [{**domain, "flags": flags(domain)} for domain in found]
    if found or call.json or not call.arguments:
        printed = ({**item, "name": name(item)} for item in items)
        lines = columns.table(printed, chosen, with_header=not call.given("no-header"))
        call.show([{key: item[key] for key in chosen} for item in items], lines)
    return status
