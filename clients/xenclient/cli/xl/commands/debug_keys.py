"""xl debug-keys: keys for the hypervisor, as on its serial line."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command


def run(call: Call) -> int:
    call.client.call("host.debug_keys", keys=call.arguments[0], dry_run=call.dry_run or None)
    return 0


DEBUG_KEYS = Command("KEYS", run, DRY_RUN)
