"""xl qemu-monitor-command: a command for the monitor of a domain's device model."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import perform


def run(call: Call) -> int:
    domain, *words = call.arguments
    result = perform(call, "domain.monitor_command", domain=domain, command=" ".join(words))
    if not call.dry_run:
        text = str(result["output"]).replace("\r\n", "\n").rstrip("\n")
        call.show(result, f"{text}\n" if text else "")
    return 0


QEMU_MONITOR_COMMAND = Command("DOM COMMAND ...", run, DRY_RUN)
