"""xl events: what happens, as it happens, until it is interrupted, or nobody reads it any more."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command, Option
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.printing import as_text, clean, write
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Event = Mapping[str, Any]

KINDS = ("domain", "device", "operation", "autostart", "managed", "store")


def run(call: Call) -> int:
    from xenclient.cli.reader import Reader

    seq = _since(call)
    watch = call.values("watch") or None
    reader = Reader()

    def idle(connection: int) -> None:
        reader.wait([connection])

    try:
        for event in call.client.events(since=seq, kinds=_kinds(call), watch=watch, idle=idle):
            seq = event["seq"]
            write(as_text(event) + "\n" if call.json else clean(line(event)))
    except BusError as error:
        if error.code != "too_slow" or seq is None or "hint" in error.fields:
            raise
        hint = f"PROGRAM events --since {seq} goes on from there"
        raise Failure(error.message, hint) from error
    raise Failure("xend ended the stream")


EVENTS = Command(
    "",
    run,
    Option("", "since", "resume after the event of this number", "SEQ"),
    Option("", "kind", "only these (with commas, or again)", "domain|device|operation|autostart"),
    Option("", "watch", "changes of the store at PATH too", "PATH"),
    Option("", "json", "one object a line"),
)


def line(event: Event) -> str:
    """An event for people."""
    kind, what = event["kind"], event["what"]
    described = {
        "domain": _domain,
        "device": _device,
        "operation": _operation,
        "autostart": _autostart,
        "store": _store,
    }.get(kind)
    more = described(event) if described else ""
    return f"{event['seq']} {kind} {what}{' ' if more else ''}{more}\n"


def _since(call: Call) -> int | None:
    word = call.value("since")
    if word is None:
        return None
    if not (word.isascii() and word.isdigit()):
        raise call.usage_error(f"--since {word!r} is no number of an event")
    return int(word)


def _kinds(call: Call) -> list[str] | None:
    kinds = [kind for value in call.values("kind") for kind in value.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise call.usage_error(f"--kind {kind!r} is none of {', '.join(KINDS)}")
    if kinds and call.given("watch") and "store" not in kinds:
        kinds.append("store")
    return kinds or None


def _domain(event: Event) -> str:
    reason = event.get("reason")
    return _who(event) + (f": {reason}" if reason is not None else "")


def _device(event: Event) -> str:
    error = event.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    return f"{_who(event)} {event['device']}" + (f": {message}" if message else "")


def _operation(event: Event) -> str:
    from xenclient.cli.xl.progress import describe

    operation = event["operation"]
    error = operation.get("error")
    return f"{operation['operation']} {describe(operation)}" + (f": {error['message']}" if error else "")


def _autostart(event: Event) -> str:
    name = event.get("name")
    return "" if name is None else _who(event) + (f": {event['reason']}" if event.get("reason") else "")


def _store(event: Event) -> str:
    return str(event["path"])


def _who(event: Event) -> str:
    return f"{event.get('name') or '-'} ({event.get('domid', '-')})"
