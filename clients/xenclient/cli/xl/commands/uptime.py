"""xl uptime: how long domains have been running.

Source: toolstack.md section 8. All times are xend's: Xen's xl reads dom0's from /proc, which NetBSD lacks.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command, Option
from xenclient.cli.xl.domains import domid, name, named_domains

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenclient.cli.xl.domains import Domain

HEADER = f"{'Name':<33} {'ID':>4} Uptime"
DAY = 86400


def run(call: Call) -> int:
    found, status = named_domains(call)
    found = [_with_dom0s(call, each) for each in found]
    if found or call.json:
        keys = ("name", "domid", "uptime_s")
        items = [{key: each[key] for key in keys} for each in found]
        call.show(items, short(found, _now()) if call.given("short") else table(found))
    return status


UPTIME = Command("[DOM ...]", run, Option("s", "short", "without seconds and header"), JSON)


def _with_dom0s(call: Call, domain: Domain) -> Domain:
    """The domain; of dom0, which xend did not start, with the host's uptime."""
    if domain["domid"] != 0 or domain["uptime_s"] is not None:
        return domain
    return {**domain, "uptime_s": call.client.call("host.info")["uptime_s"]}


def table(found: Iterable[Domain]) -> str:
    """Header and a line per domain."""
    lines = [f"{name(each):<33} {domid(each):>4} {lasted(each['uptime_s'])}" for each in found]
    return "\n".join([HEADER, *lines]) + "\n"


def short(found: Iterable[Domain], now: str) -> str:
    """As uptime(1) begins: the time, and without seconds."""
    return "".join(
        f" {now} up {lasted(each['uptime_s'], seconds=False)}, {name(each)} ({domid(each)})\n"
        for each in found
    )


def lasted(duration_s: float | None, seconds: bool = True) -> str:
    """Days, if there are any, hours, minutes and seconds; "-" for a domain that has not started."""
    if duration_s is None:
        return "-"
    days, rest = divmod(int(duration_s), DAY)
    text = f"{rest // 3600:2}:{rest % 3600 // 60:02}"
    if seconds:
        text += f":{rest % 60:02}"
    if not days:
        return text
    return f"{days} day{'s' if days > 1 else ''}, {text}"


def _now() -> str:
    import time

    return time.strftime("%H:%M:%S")
