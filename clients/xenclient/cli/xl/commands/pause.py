"""xl pause and unpause: stop domains from running, and let them run again."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform_each


def pause(call: Call) -> int:
    return perform_each(call, "domain.pause")


def unpause(call: Call) -> int:
    return perform_each(call, "domain.unpause")


PAUSE = Command("DOM ...", pause, DRY_RUN)
UNPAUSE = Command("DOM ...", unpause, DRY_RUN)
