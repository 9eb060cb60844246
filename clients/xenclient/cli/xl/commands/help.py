"""xl help: all sub-commands, or one."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command, Option
from xenclient.cli.xl.help_text import help_of, help_of_all
from xenclient.cli.xl.printing import write
from xenclient.cli.xl.table import COMMANDS, find


def run(call: Call) -> int:
    program = call.settings.program
    if call.arguments:
        write(help_of(find(call.arguments[0]), program))
    elif call.given("long"):
        write("\n".join(help_of(row, program) for row in COMMANDS))
    else:
        write(help_of_all(program))
    return 0


HELP = Command("[COMMAND]", run, Option("", "long", "the options of all"))
