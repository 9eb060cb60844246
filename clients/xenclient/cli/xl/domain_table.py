"""The table of domains that xl list prints, and what options and other sub-commands add to it.

Source: toolstack.md section 8; xm's layout where the program is called xm.
"""

from __future__ import annotations

from xenclient.cli.xl.domains import domid, flags, name, next_life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenclient.cli.xl.domains import Domain

    #: Header and cell of columns that an option adds.
    Extra = tuple[str, Callable[[Domain], str]]

HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
XM_HEADER = f"{'Name':<40} {'ID':>5} {'Mem':>5} {'VCPUs':>5} {'State':>10} {'Time(s)':>9}"

CRASHED = 3

#: What is set aside for a domain, in whole MiB.
CLAIMED: Extra = ("  Claimed", lambda domain: f" {domain['outstanding_kib'] // 1024:5}")


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
