"""xl autostart and autostop: domains that start and stop with the host, a line for all that happens."""

from __future__ import annotations

import os

from xenclient.cli.xl.printing import printable, write
from xenclient.cli.xl.report import tell
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from xenclient.cli.xl.call import Call

    Map = Mapping[str, Any]

#: What an event says, where it is more than its own word.
WORDS = {
    "already-running": "already running",
    "not-running": "not running",
    "not-started": "not started",
    "left": "left running",
}


def autostart(call: Call) -> int:
    """xl autostart."""
    hooks = {option: call.value(option) for option in ("prehook", "posthook") if call.given(option)}
    return _do(call, "autostart.start", "did not come up", {**_names(call), **hooks})


def autostop(call: Call) -> int:
    """xl autostop."""
    if call.given("all") and call.arguments:
        raise call.usage("names, or -a, not both")
    parameters: dict[str, Any] = {"all": True} if call.given("all") else _names(call)
    if (word := call.value("deadline")) is not None:
        parameters["timeout_s"] = _seconds(call, word)
    if (resort := call.value("last-resort")) is not None:
        if resort not in ("destroy", "leave"):
            raise call.usage(f"--last-resort {resort!r} is neither destroy nor leave")
        parameters["last_resort"] = resort
    return _do(call, "autostart.stop", "did not go down by itself", parameters)


def line(event: Map) -> str:
    """An event, or a row of the answer, for people; a script's last words indented below."""
    what = str(event["what"] if "what" in event else event["outcome"])
    text = f"{event['name']}: {WORDS.get(what, what)}"
    if reason := event.get("reason"):
        # "waiting for db"; "failed: ..."
        text += f" {reason}" if what == "waiting" else f": {reason}"
    output = (event.get("error") or {}).get("script_output") or ""
    lines = [text, *(f"    {each}" for each in output.splitlines())]
    return "".join(f"{printable(each)}\n" for each in lines)


def _do(call: Call, method: str, failing: str, parameters: dict[str, Any]) -> int:
    if call.dry_run:
        call.preview(method, **parameters)
        return 0
    rows = _followed(call, method, {**parameters, "key": os.urandom(16).hex()})
    if call.json:
        call.show(rows, "")
    elif not rows:
        why = "there is only Domain-0" if call.given("all") else "nothing is named, and auto/ is empty"
        write(f"nothing to do: {why}\n")
    failed = [row["name"] for row in rows if not row["ok"]]
    if failed and not call.json:
        program = call.settings.program
        tell({"message": f"{len(failed)} of {len(rows)} {failing}: {', '.join(failed)}"}, program)
    return 1 if failed else 0


def _followed(call: Call, method: str, parameters: dict[str, Any]) -> Sequence[Map]:
    """The answer's rows; what happens meanwhile is printed."""
    client = call.client
    if not call.json:
        while not _told_to_its_end(call, method, parameters):
            pass
    # The same key: it is the same call, whose end is waited for.
    rows: Sequence[Map] = client.call(method, **parameters)
    return rows


def _told_to_its_end(call: Call, method: str, parameters: dict[str, Any]) -> bool:
    """Print the events of a call; False: they broke off, as xend was started anew, or they came too fast."""
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
            write(line(event))
    except BusError as error:
        if error.code != "too_slow":
            raise
    finally:
        events.close()
    return False


def _names(call: Call) -> dict[str, Any]:
    return {"names": call.arguments} if call.arguments else {}


def _seconds(call: Call, word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise call.usage(f"--deadline {word!r} is no number of seconds above 0")
    return seconds
