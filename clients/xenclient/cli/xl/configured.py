"""Domains that are configured and down, as xl list --all shows them: why, and since when."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.errors import log_error
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    #: As managed.list has them.
    Row = Mapping[str, Any]

MIB = 1024
#: What an end is called, and what its reason is for.
WORDS = {"shutdown": "shut down", "destroyed": "destroyed", "failed": "failed"}


def down(call: Call, names: Collection[str]) -> tuple[list[Row], int]:
    """Those that are down, and the status: 1 where they cannot be read, which is logged.

    names: only these, unless empty.
    """
    try:
        rows: list[Row] = call.client.call("managed.list")
    except BusError as error:
        if error.code != "bad_config":
            raise
        log_error(error, call.settings)
        return [], 1
    return [row for row in rows if not row["up"] and (not names or row["name"] in names)], 0


def line(row: Row) -> str:
    """A domain in the columns of xl list, and what is said of it after them."""
    memory = "-" if row["memory_kib"] is None else row["memory_kib"] // MIB
    vcpus = "-" if row["vcpus"] is None else row["vcpus"]
    return f"{row['name']:<40} {'-':>5} {memory:>5} {vcpus:>5}     ------  {0.0:8.1f}  {why(row)}"


def why(row: Row) -> str:
    """Why it is down, in words."""
    if (error := row["error"]) is not None:
        problems = error.get("problems") or [error]
        cause = f": {problems[0]['cause']}" if problems[0].get("cause") else ""
        return f"its configuration is wrong: {problems[0]['message']}{cause}"
    text = "never started"
    if (end := row["end"]) is not None:
        import time

        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(end["at"]))
        text = f"{WORDS.get(end['what'], end['what'])} {when}"
        text += f": {end['reason']}" if end["reason"] else ""
    return text + ("; starts with the host" if row["autostart"] else "")
