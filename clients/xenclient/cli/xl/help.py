"""xl help: all sub-commands, or one."""

from __future__ import annotations

from xenclient.cli.xl.commands import COMMANDS, LATER, find
from xenclient.cli.xl.printing import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.call import Call
    from xenclient.cli.xl.command import Command

WIDTH_COLUMNS = 78
GLOBAL = (
    ("-v", "each step of an operation on a line"),
    ("-N", "dry run: change nothing, print the steps"),
    ("-t", "progress on a pipe too"),
    ("-T", "date and time before each line of -v"),
    ("-f", "accepted"),
)


def help_(call: Call) -> int:
    """xl help."""
    program = call.settings.program
    if call.arguments:
        write(of(find(call.arguments[0]), program))
    elif call.given("long"):
        write("\n".join(of(command, program) for command in COMMANDS))
    else:
        write(general(program))
    return 0


def general(program: str) -> str:
    """Every sub-command in a line."""
    lines = [f"Usage: {program} [-vfNtT] COMMAND [OPTION ...] [ARGUMENT ...]", ""]
    width = max(len(command.name) for command in COMMANDS)
    lines += [f" {command.name:<{width}} {command.text}" for command in COMMANDS]
    lines += ["", "Any beginning of a name does that no other has. Global options:", ""]
    lines += [f" {option:<{width}} {text}" for option, text in GLOBAL]
    lines += ["", "Not there yet:", "", *_wrapped(LATER), ""]
    lines += [f"{program} help COMMAND tells a command's options."]
    return "\n".join(lines) + "\n"


def of(command: Command, program: str) -> str:
    """One sub-command with its options."""
    arguments = f" {command.arguments}" if command.arguments else ""
    lines = [f"Usage: {program} {command.name} [OPTION ...]{arguments}", "", f"{command.text}.", ""]
    width = max(len(option.spelled()) for option in command.options)
    lines += [f" {option.spelled():<{width}}  {option.text}" for option in command.options]
    return "\n".join(lines) + "\n"


def _wrapped(names: tuple[str, ...]) -> list[str]:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) + 1 > WIDTH_COLUMNS:
            lines.append("")
        lines[-1] += f" {name}"
    return lines
