"""xl dump-core: a domain's memory, as a file."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    from xenclient.cli.xl.source import absolute_path

    domain, file = call.arguments
    perform(call, "domain.dump_core", domain=domain, path=absolute_path(file))
    return 0


DUMP_CORE = Command("DOM FILE", run, DRY_RUN)
