"""xl debug-keys: keys for the hypervisor, as on its serial line."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import change


def run(call: Call) -> int:
    (keys,) = call.arguments
    change(call, "host.debug_keys", f"send the debug keys {keys} to the hypervisor", keys=keys)
    return 0


DEBUG_KEYS = Command("KEYS", run, DRY_RUN)
