"""What a daemon's command line may hold: a table with a row for each option.

`getopt_table` reads the lines of programs that stand in for Xen's, `argparse_table` those of the others;
both give a value for each attribute that rows set.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Kind", "Option", "Table", "UsageError", "path"]

#: Makes the value out of the text that was given; ValueError: it cannot, and says what was expected.
Kind = Callable[[str], Any]


class UsageError(Exception):
    """An option or value that does not exist, in one line."""


def path(text: str) -> str:
    """The kind of a file's name: absolute, as a daemon's directory is another; an empty one stays empty."""
    return os.path.abspath(text) if text else text


class Option(NamedTuple):
    """A row.

    Attributes:
        spelling: what may be typed, "-F --pid-file"; a word without hyphens: what is known by its place;
            "": nothing, only `variable` sets it.
        value: what it takes, as the help names it; "" (and no choices): nothing, it is a flag.
        help: what it is for.
        sets: the attribute that it sets; "": called like the last spelling.
        default: where neither the line nor the environment has it; of a flag what `constant` is not.
        variable: of the environment, read where the line does not have it; an empty one counts as none.
        choices: all texts that `kind` may be given.
        constant: what a flag sets.
        is_repeated: each time it is given counts: the attribute is a list, which rows may share.
        is_optional: what is known by its place may be missing.
        prints: the text that is printed, whereupon the program exits.
        no_effect: it is accepted and sets nothing: why.
    """

    spelling: str
    value: str = ""
    help: str = ""
    kind: Kind = str
    sets: str = ""
    default: Any = None
    variable: str = ""
    choices: tuple[str, ...] = ()
    constant: bool = True
    is_repeated: bool = False
    is_optional: bool = False
    prints: str = ""
    no_effect: str = ""

    @property
    def names(self) -> list[str]:
        """As they are typed, hyphens included."""
        return self.spelling.split()

    @property
    def attribute(self) -> str:
        """What it sets; "": nothing."""
        if self.prints or self.no_effect:
            return ""
        return self.sets or self.names[-1].lstrip("-").replace("-", "_")

    @property
    def placeholder(self) -> str:
        """What it takes, as the help names it; "": nothing."""
        return self.value or "|".join(self.choices)

    @property
    def is_flag(self) -> bool:
        """Whether it takes nothing."""
        return bool(self.spelling) and not self.placeholder

    @property
    def initial(self) -> Any:
        """What its attribute is where nobody sets it."""
        if self.is_repeated:
            return []
        return not self.constant if self.is_flag else self.default

    def read(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            ValueError: none; the text says what was expected.
        """
        if self.is_flag:
            return self.constant
        if self.choices and text not in self.choices:
            raise ValueError(f"expected {', '.join(self.choices)}")
        return self.kind(text)


class Table(ABC):
    """All options of a program."""

    def __init__(self, program: str, options: Sequence[Option]) -> None:
        self.program = program
        self.options = options

    @abstractmethod
    def parse(self, words: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """A value for each attribute, by a command line without the program's name.

        Raises:
            UsageError: there is no such option or value.
        """

    def initial(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """The values where the command line is empty.

        Raises:
            UsageError: a variable's value is none.
        """
        values: dict[str, Any] = {}
        for option in self.options:
            if option.attribute:
                values.setdefault(option.attribute, option.initial)
            if text := environment.get(option.variable):
                try:
                    values[option.attribute] = option.read(text)
                except ValueError as error:
                    raise UsageError(f"{option.variable}={text}: {error}") from error
        return values
