"""xl suspend and resume: domains stop themselves in memory, and go on."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform_each


def suspend(call: Call) -> int:
    return perform_each(call, "domain.suspend")


def resume(call: Call) -> int:
    return perform_each(call, "domain.resume")


SUSPEND = Command("DOM ...", suspend, DRY_RUN)
RESUME = Command("DOM ...", resume, DRY_RUN)
