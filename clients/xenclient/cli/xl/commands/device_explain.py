"""xl device-explain: what happened to a device, what it waits for, and the likely cause."""

from __future__ import annotations

import time

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command
from xenclient.cli.xl.printing import printable
from xenclient.cli.xl.progress import waited
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Story = Mapping[str, Any]

#: By XenbusState's number (xen/include/public/io/xenbus.h).
STATES = (
    "Unknown", "Initialising", "InitWait", "Initialised", "Connected", "Closing", "Closed", "Reconfiguring",
    "Reconfigured",
)  # fmt: skip
CONNECTED = 4


def run(call: Call) -> int:
    domain, *words = call.arguments
    story = _story(call, domain, " ".join(words))
    awaited = awaits(story, _operations(call, story), time.time())
    call.show({**story, "awaited": awaited}, text(story, awaited))
    return 0


# "vif 0" may be one argument or two.
DEVICE_EXPLAIN = Command("DOM DEVICE", run, JSON, most=3)


def text(story: Story, awaited: str | None) -> str:
    """The story for people."""
    return "".join(f"{line}\n" for line in _lines(story, awaited))


def awaits(story: Story, operations: Sequence[Mapping[str, Any]], now: float) -> str | None:
    """What the device waits for and how long it has; or how long it waited in vain; None: nothing.

    Args:
        operations: those that run on the device's domain.
        now: seconds since 1970.
    """
    for operation in operations:
        key, waiting = operation["step_key"] or "", operation["waiting"]
        if waiting and key.startswith(f"{story['kind']}/{story['devid']}."):
            return f"{waiting['for']}, {waited(waiting, 0.0)}"
    error = story["error"]
    if error is not None and error.get("waited_s") is not None:
        return f"{error['waited_s']:g} s, in vain"
    if story["live"] is None:
        return None
    ends = [end for end in ("backend", "frontend") if story[f"{end}_state"] != CONNECTED]
    if not ends or not story["lines"]:
        return None
    since_s = max(0.0, now - story["lines"][-1]["at"])
    return f"{' and '.join(ends)} to be {state(CONNECTED)}, {since_s:.0f} s so far"


def state(number: int) -> str:
    """A state for people: "InitWait (2)"."""
    return f"{STATES[number]} ({number})" if 0 <= number < len(STATES) else f"{number}"


def _lines(story: Story, awaited: str | None) -> Iterator[str]:
    yield _heading(story)
    yield from _history(story)
    error = story["error"] or {}
    if output := error.get("script_output"):
        yield "script output:"
        for line in output.splitlines():
            yield f"    {printable(line)}"
    if reported := error.get("cause"):
        yield f"reported: {printable(reported)}"
    if awaited:
        yield f"awaited: {printable(awaited)}"
    if hint := error.get("hint"):
        yield f"hint: {printable(hint)}"
    if cause := story["cause"]:
        yield f"likely cause: {printable(cause)}"


def _heading(story: Story) -> str:
    where = f"{story['device']} of {story['domain']} (domain {story['domid']})"
    ends = f"backend {state(story['backend_state'])}, frontend {state(story['frontend_state'])}"
    return printable(f"{where}: {ends if story['live'] else 'gone'}")


def _history(story: Story) -> Iterator[str]:
    """The lines, with seconds since the first."""
    lines = story["lines"]
    for place, line in enumerate(lines):
        if place == 1 and story["dropped"]:
            yield f"    ... {story['dropped']} lines left out"
        yield f"{line['at'] - lines[0]['at']:10.3f} s  {printable(line['text'])}"


def _story(call: Call, domain: str, device: str) -> Story:
    """What xend knows of the device, by its whole name, or without the type.

    Raises:
        BusError: there is no such domain, or no device of this name was there.
    """
    last: BusError | None = None
    for name in _names(device):
        try:
            found: Story = call.client.call("device.explain", domain=domain, device=name)
        except BusError as error:
            if error.code != "no_such_device":
                raise
            last = error
        else:
            return found
    assert last is not None
    raise last


def _names(device: str) -> tuple[str, ...]:
    """The names to ask xend for: with the type, the only name of a device that is gone; then as given."""
    if " " in device:
        return (device,)
    return (f"{'vif' if device.isdigit() else 'vbd'} {device}", device)


def _operations(call: Call, story: Story) -> list[Mapping[str, Any]]:
    """Those that run on the domain of the device."""
    return [
        operation
        for operation in call.client.call("operation.list")
        if operation["domid"] == story["domid"] and operation["state"] in ("running", "undoing")
    ]
