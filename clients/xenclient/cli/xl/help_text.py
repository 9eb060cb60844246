"""The texts of xl help."""

from __future__ import annotations

from xenclient.cli.xl.table import COMMANDS, LATER, Row

WIDTH_COLUMNS = 78
GLOBAL = (
    ("-v", "each step of an operation on a line"),
    ("-N", "dry run: change nothing, print the steps"),
    ("-t", "progress on a pipe too"),
    ("-T", "date and time before each line of -v"),
    ("-f", "accepted"),
)


def help_of_all(program: str) -> str:
    """Every sub-command in a line.

    The bash completion of Debian's xen-utils-common drops the first four lines, and takes for a sub-command
    what follows a single blank at the beginning of a line: so only the table has one, and it has line five.
    """
    lines = [f"Usage: {program} [-vfNtT] COMMAND [OPTION ...] [ARGUMENT ...]", ""]
    lines += ["Commands; any beginning of a name does that no other has:", ""]
    width = max(len(row.name) for row in COMMANDS)
    lines += [f" {row.name:<{width}} {row.text}" for row in COMMANDS]
    lines += ["", "Global options:", ""]
    lines += [f"  {option:<{width}} {text}" for option, text in GLOBAL]
    lines += ["", "Not there yet:", "", *_wrapped(LATER), ""] if LATER else [""]
    lines += [f"{program} help COMMAND tells a command's options."]
    return "\n".join(lines) + "\n"


def help_of(row: Row, program: str) -> str:
    """One sub-command with its options; imports its module."""
    command = row.command()
    arguments = f" {command.arguments}" if command.arguments else ""
    lines = [f"Usage: {program} {row.name} [OPTION ...]{arguments}", "", f"{row.text}.", ""]
    width = max(len(option.spelled()) for option in command.options)
    lines += [f" {option.spelled():<{width}}  {option.text}" for option in command.options]
    return "\n".join(lines) + "\n"


def _wrapped(names: tuple[str, ...]) -> list[str]:
    lines = [" "]
    for name in names:
        if len(lines[-1]) + len(name) + 1 > WIDTH_COLUMNS:
            lines.append(" ")
        lines[-1] += f" {name}"
    return lines
