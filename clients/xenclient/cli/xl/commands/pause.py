"""xl pause and unpause: stop a domain from running, and let it run again."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform


def pause(call: Call) -> int:
    perform(call, "domain.pause", domain=call.arguments[0])
    return 0


def unpause(call: Call) -> int:
    perform(call, "domain.unpause", domain=call.arguments[0])
    return 0


PAUSE = Command("DOM", pause, DRY_RUN)
UNPAUSE = Command("DOM", unpause, DRY_RUN)
