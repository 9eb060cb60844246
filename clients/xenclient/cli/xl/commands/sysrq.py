"""xl sysrq: send a system request to a domain."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    domain, letter = call.arguments
    if len(letter) != 1:
        raise call.usage_error(f"{letter!r} is not one letter")
    perform(call, "domain.sysrq", domain=domain, letter=letter)
    return 0


SYSRQ = Command("DOM LETTER", run, DRY_RUN)
