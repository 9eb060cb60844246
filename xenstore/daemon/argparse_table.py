"""Command lines read by argparse: abbreviations, --help and errors are its own."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from xenstore.daemon.options import Kind, Option, Table, UsageError

__all__ = ["ArgparseTable"]


class ArgparseTable(Table):
    """description: what the program does, for --help."""

    def __init__(self, program: str, options: Sequence[Option], *, description: str) -> None:
        super().__init__(program, options)
        self.description = description

    def parse(self, words: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """As `Table.parse`; exits after --help, and after an option that prints."""
        values = self.initial(environment)
        parser = _Parser(prog=self.program, description=self.description)
        for option in self.options:
            if option.names:
                _add(parser, option, values.get(option.attribute))
        chosen = vars(parser.parse_args(words))
        for option in self.options:
            if chosen.get(option.attribute) == []:  # argparse makes that of --option=--
                raise UsageError(f"argument {'/'.join(option.names)}: expected one argument")
        return values | {name: value for name, value in chosen.items() if name in values}


class _Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would end the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _add(parser: argparse.ArgumentParser, option: Option, default: Any) -> None:
    how: dict[str, Any] = {"help": option.help} if option.help else {}
    if option.prints:
        parser.add_argument(*option.names, action="version", version=option.prints, **how)
        return
    how["default"] = default
    if not option.names[0].startswith("-"):
        how["nargs"] = "?" if option.is_optional else None
        parser.add_argument(option.attribute, metavar=option.value, type=_typed(option.kind), **how)
        return
    how["dest"] = option.attribute or argparse.SUPPRESS
    if option.is_flag:
        parser.add_argument(*option.names, action="store_const", const=option.constant, **how)
    elif option.choices:
        parser.add_argument(*option.names, choices=option.choices, **how)
    else:
        parser.add_argument(*option.names, metavar=option.value, type=_typed(option.kind), **how)


def _typed(kind: Kind) -> Callable[[str], Any]:
    """A kind whose errors argparse shows in their own words."""

    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read
