"""Domains as xend lists them: those that were named, and how their facts are printed."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.each import from_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    #: As domain.list has it.
    Domain = Mapping[str, Any]

#: By shutdown reason: poweroff, reboot, suspend, crash, watchdog, soft reset.
REASONS = "-rscwS"


def named_domains(call: Call, **parameters: Any) -> tuple[list[Domain], int]:
    """The domains that the arguments name, or all; and 1 if one of several is none, which is logged, else 0.

    parameters: further ones of domain.list.

    Raises:
        BusError: the only one is none.
    """
    if not call.arguments:
        return call.client.call("domain.list", **parameters), 0
    found, status = from_each(call, lambda name: call.client.call("domain.list", domain=name, **parameters))
    return [domain for domains in found for domain in domains], status


def listed(call: Call, found: list[Domain]) -> list[Domain]:
    """What a list shows of the domains found.

    Those between two lives are no domains of the hypervisor: Xen's xl has no line of them, and programs that
    parse its lines expect a number in each.  They are shown where somebody asks for them, or looks.
    """
    import os

    if call.arguments or call.given("all") or os.isatty(1):
        return found
    return [domain for domain in found if domain["domid"] is not None]


def name(domain: Domain) -> str:
    """The domain's name; what xl prints where it has none yet, so that there are always six columns."""
    return domain["name"] or "(null)"


def domid(domain: Domain) -> str:
    """The domain's number; between two lives it has none."""
    return "-" if domain["domid"] is None else str(domain["domid"])


def identity(domain: Domain) -> int | str:
    """What xend knows the domain by: its domid, or its UUID while it has none, between two lives."""
    return domain["uuid"] if domain["domid"] is None else domain["domid"]  # type: ignore[no-any-return]


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


def _reason(reason: int | None) -> str:
    return REASONS[reason] if reason is not None and 0 <= reason < len(REASONS) else "?"


def next_life(domain: Domain) -> str:
    """Of a domain between two lives: how often it failed, and when it is started again."""
    waiting = domain["waiting"]
    if waiting is None:
        return "is started again now"
    import time

    failures = waiting["failures"]
    how = f"{waiting['reason']}, failed {failures} time{'' if failures == 1 else 's'}"
    if domain["state"] != "waiting":
        return f"{how}; is started again now"
    return f"{how}; next try {time.strftime('%H:%M:%S', time.localtime(waiting['next_try']))}"
