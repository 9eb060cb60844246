"""xl dump-core: a domain's memory, as a file."""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    from xenclient.cli.xl.source import working_directory

    domain, file = call.arguments
    directory = working_directory()
    if directory is None and not os.path.isabs(file):
        raise Failure(f"{file}: the directory in which it would be is gone", hint="give an absolute path")
    perform(call, "domain.dump_core", domain=domain, path=os.path.join(directory or "/", file))
    return 0


DUMP_CORE = Command("DOM FILE", run, DRY_RUN)
