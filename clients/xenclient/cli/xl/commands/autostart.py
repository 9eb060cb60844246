"""xl autostart and autostop: domains that start and stop with the host; a line for all that happens."""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import ALL, DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.errors import log_map
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.printing import printable, write
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Map = Mapping[str, Any]

#: How an event is printed, where that is more than its own word.
WORDS = {
    "already-running": "already running",
    "not-running": "not running",
    "not-started": "not started",
    "left": "left running",
}


def autostart(call: Call) -> int:
    if call.given("enable") or call.given("disable"):
        return _choose(call)
    hooks = {option: call.value(option) for option in ("prehook", "posthook") if call.given(option)}
    saved = {"saved": True} if call.given("saved") else {}
    return _run_on_domains(call, "autostart.start", "did not come up", {**_names(call), **hooks, **saved})


AUTOSTART = Command(
    "[NAME ...]",
    autostart,
    Option("", "prehook", "program to run before a domain is created, %s its name", "FORMAT"),
    Option("", "posthook", "program to run once a domain is up, %s its name", "FORMAT"),
    Option("", "saved", "restore also what else was saved as the host stopped"),
    Option("", "enable", "have these start with the host, and start none now"),
    Option("", "disable", "have these not start with the host, and stop none now"),
    DRY_RUN,
    JSON,
)


def _choose(call: Call) -> int:
    """Have domains start with the host, or not."""
    is_enabled = call.given("enable")
    if is_enabled == call.given("disable"):
        raise call.usage_error("--enable or --disable, not both")
    if not call.arguments:
        raise call.usage_error("needs names of configured domains")
    rows = call.client.call(f"autostart.{'enable' if is_enabled else 'disable'}", names=call.arguments)
    how = "starts with the host" if is_enabled else "does not start with the host"
    lines = (f"{row['name']} {how}{'' if row['changed'] else ', as before'}\n" for row in rows)
    call.show(rows, "".join(lines))
    return 0


def autostop(call: Call) -> int:
    if call.given("all") and call.arguments:
        raise call.usage_error("names, or -a, not both")
    parameters: dict[str, Any] = {"all": True} if call.given("all") else _names(call)
    if call.given("save"):
        parameters["save"] = True
    if (word := call.value("deadline")) is not None:
        parameters["timeout_s"] = _seconds(call, word)
    if (resort := call.value("last-resort")) is not None:
        if resort not in ("destroy", "leave"):
            raise call.usage_error(f"--last-resort {resort!r} is neither destroy nor leave")
        parameters["last_resort"] = resort
    return _run_on_domains(call, "autostart.stop", "did not go down by itself", parameters)


AUTOSTOP = Command(
    "[-a|NAME ...]",
    autostop,
    ALL,
    Option("", "save", "save those whose configuration says nothing, too"),
    Option("", "deadline", "for all; 60 and 5 for each domain, and time to save, unless given", "SECONDS"),
    Option("", "last-resort", "what is done then: destroy (unless given), or leave", "WORD"),
    DRY_RUN,
    JSON,
)


def _names(call: Call) -> dict[str, Any]:
    return {"names": call.arguments} if call.arguments else {}


def _seconds(call: Call, word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise call.usage_error(f"--deadline {word!r} is no number of seconds above 0")
    return seconds


def _run_on_domains(call: Call, method: str, failing: str, parameters: dict[str, Any]) -> int:
    """Call the method and print what it does; returns 1 if it failed for a domain, which `failing` says."""
    if call.dry_run:
        perform(call, method, **parameters)
        return 0
    parameters["key"] = os.urandom(16).hex()
    if not call.json:
        _print_until_ended(call, method, parameters)
    # The same key: it is the same call, whose end is waited for.
    rows: Sequence[Map] = call.client.call(method, **parameters)
    if call.json:
        call.show(rows, "")
    elif not rows:
        why = "there is only Domain-0" if call.given("all") else "nothing is named, and auto/ is empty"
        write(f"nothing to do: {why}\n")
    failed = [row["name"] for row in rows if not row["ok"]]
    if failed and not call.json:
        message = f"{len(failed)} of {len(rows)} {failing}: {', '.join(failed)}"
        log_map({"message": message}, call.settings.program)
    return 1 if failed else 0


def _print_until_ended(call: Call, method: str, parameters: dict[str, Any]) -> None:
    """Start the call and print its events; where the stream of events ends early, it is followed anew."""
    while not _print_events(call, method, parameters):
        pass


def _print_events(call: Call, method: str, parameters: dict[str, Any]) -> bool:
    """Print the events of a call until it ends; False: the stream ended before: xend was started anew, or the
    events came too fast.
    """
    client, key = call.client, parameters["key"]
    events = client.events(kinds=["autostart"])
    try:
        # A xend that was started anew does not know the call: it begins again, and finds what is up.
        if client.call(method, wait_for="accepted", **parameters)["ended"]:
            return True
        for event in events:
            if event.get("key") != key:
                continue
            if event["what"] == "ended":
                return True
            write(_line(event))
    except BusError as error:
        if error.code != "too_slow":
            raise
    finally:
        events.close()
    return False


def _line(event: Map) -> str:
    """An event for people; a script's last words indented below."""
    what = str(event["what"])
    text = f"{event['name']}: {WORDS.get(what, what)}"
    if reason := event.get("reason"):
        # "waiting for db"; "failed: ..."
        text += f" {reason}" if what == "waiting" else f": {reason}"
    output = (event.get("error") or {}).get("script_output") or ""
    lines = [text, *(f"    {each}" for each in output.splitlines())]
    return "".join(f"{printable(each)}\n" for each in lines)
