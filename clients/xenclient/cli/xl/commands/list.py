"""xl list: the rows of domains."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.columns import COLUMNS, NO_HEADER
from xenclient.cli.xl.command import JSON, Command, Option
from xenclient.cli.xl.cpu_ranges import cpus_text
from xenclient.cli.xl.domain_table import table
from xenclient.cli.xl.domains import flags, listed, name, named_domains

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenclient.cli.xl.domain_table import Extra
    from xenclient.cli.xl.domains import Domain

#: Columns that --columns takes: keys of the bus's domain map, and "flags", the letters of xl list.
NAMES = (
    "name", "domid", "uuid", "type", "state", "flags", "shutdown_reason", "memory_kib", "outstanding_kib",
    "max_memory_kib", "vcpus", "max_vcpus", "cpu_time_ns", "start_time", "uptime_s", "operation",
)  # fmt: skip
#: Options that choose another layout than --columns.
LAYOUTS = ("all", "long", "verbose", "cpupool", "numa", "context")


def run(call: Call) -> int:
    if call.given("columns"):
        return _show_columns(call)
    if call.given("long"):
        from xenclient.cli.xl.configurations import show_configurations

        return show_configurations(call)
    asked: dict[str, bool | None] = {
        "placing": call.given("cpupool") or call.given("numa") or None,
        "labels": call.given("context") or call.given("verbose") or None,
    }
    if call.given("all"):
        return _show_all(call, asked)
    found, status = named_domains(call, **asked)
    if found or call.json or not call.arguments:
        lines = table(listed(call, found), _extra(call), call.settings.program)
        call.show(found, lines.partition("\n")[2] if call.given("no-header") else lines)
    return status


def _show_all(call: Call, asked: Mapping[str, bool | None]) -> int:
    """Those that live, then those that are configured and down."""
    from xenclient.cli.xl.configured import down, line

    found, status = ([], 0) if call.arguments else named_domains(call, **asked)
    resting, failed = down(call, call.arguments)
    if call.arguments:
        names = {row["name"] for row in resting}
        call.arguments = [each for each in call.arguments if each not in names]
        if call.arguments or not resting:
            found, status = named_domains(call, **asked)
    lines = table(found, _extra(call), call.settings.program)
    lines += "".join(f"{line(row)}\n" for row in resting)
    shown = lines.partition("\n")[2] if call.given("no-header") else lines
    call.show([*found, *({**row, "state": "down"} for row in resting)], shown)
    return status | failed


LIST = Command(
    "[DOM ...]",
    run,
    Option("a", "all", "those that are configured and down, too, and why they are"),
    Option("l", "long", "whole configurations, as JSON"),
    Option("v", "verbose", "UUID, shutdown reason and security label too"),
    Option("c", "cpupool", "cpupool too"),
    Option("n", "numa", "NUMA nodes too"),
    Option("Z", "context", "security label too"),
    COLUMNS,
    NO_HEADER,
    JSON,
)


def _extra(call: Call) -> list[Extra]:
    """The columns that options add, in the order in which xl prints them.  What xend does not tell is "-"."""
    found: list[Extra] = []
    if call.given("verbose"):
        found.append(("   UUID                            Reason-Code\tSecurity Label", _verbose))
    elif call.given("context"):
        found.append(("   Security Label", _label))
    if call.given("cpupool"):
        found.append(("         Cpupool", lambda domain: f"{domain['cpupool'] or '-':>16}"))
    if call.given("numa"):
        nodes = call.client.call("host.info")["nr_nodes"]
        found.append((" NODE Affinity", lambda domain: f" {_nodes(domain, nodes)}"))
    return found


def _nodes(domain: Domain, number: int) -> str:
    """The NUMA nodes of its memory, on a host that has so many; "-" where there are none, or not known."""
    nodes = domain["node_affinity"]
    return "-" if nodes is None else cpus_text(nodes, number)


def _verbose(domain: Domain) -> str:
    """UUID, the number of the shutdown reason, label."""
    reason = domain["shutdown_reason"] if domain["shutdown"] else None
    number = "-" if reason is None else f"{reason:x}"
    return f" {domain['uuid']} {number:>8}{_label(domain)}"


def _label(domain: Domain) -> str:
    return f" {domain.get('security_label') or '-':>16}"


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
