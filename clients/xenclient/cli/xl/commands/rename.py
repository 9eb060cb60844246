"""xl rename: give a domain another name."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    domain, name = call.arguments
    perform(call, "domain.rename", domain=domain, name=name)
    return 0


RENAME = Command("DOM NAME", run, DRY_RUN)
