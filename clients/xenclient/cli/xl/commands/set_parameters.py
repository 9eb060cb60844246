"""xl set-parameters: change parameters of the hypervisor's command line while it runs."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command


def run(call: Call) -> int:
    words = [word for argument in call.arguments for word in argument.split()]
    call.client.call("host.set_parameters", parameters=words, dry_run=call.dry_run or None)
    return 0


SET_PARAMETERS = Command("PARAMETER ...", run, DRY_RUN, least=1)
