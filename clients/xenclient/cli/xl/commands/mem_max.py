"""xl mem-max: limit the memory that a domain may have."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.sizes import size_kib


def run(call: Call) -> int:
    domain, size = call.arguments
    perform(call, "domain.set_max_memory", domain=domain, max_memory_kib=size_kib(call, size))
    return 0


MEM_MAX = Command("DOM SIZE[bkmgt]", run, DRY_RUN)
