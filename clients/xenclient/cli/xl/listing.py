"""xl list, and vm-list: the rows of domains.

Source: toolstack.md section 8; xm's layout where the program is called xm.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from xenclient.cli.xl.call import Call

    Domain = Mapping[str, Any]
    #: Header and cell of columns that an option adds.
    Columns = tuple[str, Callable[[Domain], str]]

HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
XM_HEADER = f"{'Name':<40} {'ID':>5} {'Mem':>5} {'VCPUs':>5} {'State':>10} {'Time(s)':>9}"
VM_HEADER = "UUID                                  ID    name"

#: By shutdown reason: poweroff, reboot, suspend, crash, watchdog, soft reset.
REASONS = "-rscwS"
CRASHED = 3


def list_(call: Call) -> int:
    """xl list."""
    if (columns := call.value("columns")) is not None:
        return _list_columns(call, columns)
    if call.given("long"):
        from xenclient.cli.xl.configs import show_configs

        return show_configs(call)
    found, status = domains(call)
    if found or call.json or not call.arguments:
        lines = table(found, _extra(call), call.settings.program)
        call.show(found, lines.partition("\n")[2] if call.given("no-header") else lines)
    return status


def _list_columns(call: Call, columns: str) -> int:
    from xenclient.cli.xl import fields

    for other in ("long", "verbose", "cpupool", "numa", "context"):
        if call.given(other):
            raise call.usage(f"--columns or --{other}, not both")
    names = fields.chosen(call, columns)
    found, status = domains(call)
    if call.json:
        call.show(fields.maps(found, names), "")
    elif found or not call.arguments:
        call.show(found, fields.text(found, names, with_header=not call.given("no-header")))
    return status


def vm_list(call: Call) -> int:
    """xl vm-list."""
    found = call.client.call("domain.list")
    call.show(found, vm_table(found))
    return 0


def domains(call: Call) -> tuple[list[Domain], int]:
    """The domains named, or all; and status 1 if one of several is none, which is told.

    Raises:
        BusError: the only one is none.
    """
    if not call.arguments:
        return call.client.call("domain.list"), 0
    if len(call.arguments) == 1:
        return call.client.call("domain.list", domain=call.arguments[0]), 0
    from xenclient.cli.xl.each import for_each

    found: list[Domain] = []

    def find(name: str) -> None:
        found.extend(call.client.call("domain.list", domain=name))

    return found, for_each(call, call.arguments, find)


def table(found: Iterable[Domain], extra: Iterable[Columns], program: str) -> str:
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


def domid(domain: Domain) -> str:
    """The domain's number; between two lives it has none."""
    return "-" if domain["domid"] is None else str(domain["domid"])


def awaited(domain: Domain) -> str:
    """What a domain between two lives waits for, to follow its columns; "" of one that lives."""
    return "" if domain["domid"] is not None else f"  {next_life(domain)}"


def next_life(domain: Domain) -> str:
    """How often it failed, and when it is started again."""
    waiting = domain["waiting"]
    if waiting is None:
        return "is started again now"
    import time

    failures = waiting["failures"]
    how = f"{waiting['reason']}, failed {failures} time{'' if failures == 1 else 's'}"
    if domain["state"] != "waiting":
        return f"{how}; is started again now"
    return f"{how}; next try {time.strftime('%H:%M:%S', time.localtime(waiting['next_try']))}"


def name(domain: Domain) -> str:
    """The domain's name; what xl prints where it has none yet, so that there are always six columns."""
    return domain["name"] or "(null)"


def mem_mib(domain: Domain) -> int:
    """What it has and has claimed, whole MiB."""
    kib: int = domain["memory_kib"] + domain["outstanding_kib"]
    return kib // 1024


def flags(domain: Domain) -> str:
    """Six characters: running, blocked, paused, shut down, why, dying."""
    return (
        ("r" if domain["running"] else "-")
        + ("b" if domain["blocked"] else "-")
        + ("p" if domain["paused"] else "-")
        + ("s" if domain["shutdown"] else "-")
        + (_reason(domain["shutdown_reason"]) if domain["shutdown"] else "-")
        + ("d" if domain["dying"] else "-")
    )


def xm_flags(domain: Domain) -> str:
    """As `flags`, but of the reasons only "c", crashed."""
    crashed = domain["shutdown"] and domain["shutdown_reason"] == CRASHED
    return flags(domain)[:4] + ("c" if crashed else "-") + flags(domain)[5:]


def vm_table(found: Iterable[Domain]) -> str:
    """What vm-list prints."""
    lines = [VM_HEADER]
    lines += [f"{each['uuid']}  {domid(each)}    {name(each):<30}" for each in found]
    return "\n".join(lines) + "\n"


def _reason(reason: int | None) -> str:
    return REASONS[reason] if reason is not None and 0 <= reason < len(REASONS) else "?"


def _extra(call: Call) -> list[Columns]:
    if not (call.given("verbose") or call.given("context") or call.given("cpupool") or call.given("numa")):
        return []
    from xenclient.cli.xl.columns import chosen

    return chosen(call)
