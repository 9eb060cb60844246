"""xl destroy: end a domain at once."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    perform(call, "domain.destroy", domain=call.arguments[0])
    return 0


DESTROY = Command("DOM", run, Option("f", "", "accepted: xend never ends Domain-0"), DRY_RUN)
