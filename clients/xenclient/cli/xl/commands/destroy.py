"""xl destroy: end domains at once."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.operation import perform_each


def run(call: Call) -> int:
    return perform_each(call, "domain.destroy")


DESTROY = Command("DOM ...", run, Option("f", "", "accepted: xend never ends Domain-0"), DRY_RUN)
