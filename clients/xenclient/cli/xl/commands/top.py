"""xl top: the load of all domains; xentop is the same program by another name."""

from __future__ import annotations

from xenclient.cli.top.choices import OPTIONS, choices
from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command


def run(call: Call) -> int:
    from xenclient.cli.top.program import watch

    return watch(call.client, choices(call.given, call.value))


TOP = Command("", run, *OPTIONS)
