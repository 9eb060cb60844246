"""The words after a sub-command's name: its options and arguments."""

from __future__ import annotations

import os

from xenclient.cli.options import Options
from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command
from xenclient.cli.xl.failure import usage_error
from xenclient.cli.xl.settings import Settings


class HelpWanted(Exception):
    """-h or --help was given."""


def parse(name: str, command: Command, words: list[bytes], settings: Settings) -> Call:
    """The call of the sub-command.

    Raises:
        Failure: these are not its options and arguments.
        HelpWanted: its help is to be printed instead.
    """
    settings.command = name
    # An option without a letter gets a control character, which nobody types.
    letters = {option.letter or chr(place + 1): option for place, option in enumerate(command.options)}

    def refuse(text: bytes) -> None:
        raise usage_error(name, command.arguments, os.fsdecode(text).removeprefix(": "))

    options = Options(
        [b"", *words],
        "".join(letter for letter, option in letters.items() if option.letter and not option.value),
        "".join(letter for letter, option in letters.items() if option.value),
        {option.name: letter for letter, option in letters.items() if option.name},
        refuse,
    )
    given: dict[str, list[str]] = {}
    for letter, value in options:
        given.setdefault(letters[letter].key, []).append(os.fsdecode(value))
    if "help" in given:
        raise HelpWanted
    settings.json = "json" in given
    arguments = [os.fsdecode(argument) for argument in options.arguments]
    call = Call(name, command.arguments, given, arguments, settings)
    _check_number(call, command)
    return call


def _check_number(call: Call, command: Command) -> None:
    """Raises: Failure: there are too few arguments, or too many."""
    number = len(call.arguments)
    if number < command.least:
        raise call.usage_error(f"needs {command.arguments}")
    if number > command.most:
        raise call.usage_error(f"{call.arguments[command.most]!r} is too much")
