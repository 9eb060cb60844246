"""xl set-parameters: change parameters of the hypervisor's command line while it runs."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command
from xenclient.cli.xl.operation import change


def run(call: Call) -> int:
    words = [word for argument in call.arguments for word in argument.split()]
    change(
        call, "host.set_parameters", f"set the hypervisor's parameters {' '.join(words)}", parameters=words
    )
    return 0


SET_PARAMETERS = Command("PARAMETER ...", run, DRY_RUN, least=1)
