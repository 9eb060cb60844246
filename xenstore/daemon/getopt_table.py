"""Command lines of programs that stand in for Xen's: read as getopt_long(3) does, which those use."""

import getopt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from xenstore.daemon.options import Option, Table, UsageError

__all__ = ["GetoptTable", "Given"]


class Given(NamedTuple):
    """An option that was given.

    Attributes:
        name: as it was typed, hyphens included; a beginning of a long one is completed.
        text: its value, as typed; "" for a flag.
        value: what the text stands for.
    """

    option: Option
    name: str
    text: str
    value: Any

    @property
    def words(self) -> list[str]:
        """The same option again, for a program that begins in another directory."""
        if self.option.is_flag:
            return [self.name]
        text = self.value if isinstance(self.value, str) else self.text
        return [f"{self.name}={text}"] if self.name.startswith("--") else [self.name, text]


class GetoptTable(Table):
    """Its help looks as it is told.

    help_column: where the help of each option begins.
    separator: what stands between a long option and its value in the help.
    epilogue: what the help says in the end.
    """

    def __init__(
        self, program: str, options: Sequence[Option], *, help_column: int, separator: str, epilogue: str
    ) -> None:
        super().__init__(program, options)
        self.help_column = help_column
        self.separator = separator
        self.epilogue = epilogue

    def parse(self, words: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        return self.parse_given(words, environment)[0]

    def parse_given(
        self, words: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[dict[str, Any], list[Given]]:
        """The values as of `parse`, and what was given, in its order."""
        pairs = self._pairs(words)
        values = self.initial(environment)
        given = [self._given(name, text) for name, text in pairs]
        for each in given:
            if each.option.is_repeated:
                values[each.option.attribute].append(each.value)
            elif each.option.attribute:
                values[each.option.attribute] = each.value
        return values, given

    def _pairs(self, words: Sequence[str]) -> list[tuple[str, str]]:
        short, long = "", []
        for option in self.options:
            for name in option.names:
                if name.startswith("--"):
                    long.append(name[2:] + ("" if option.is_flag else "="))
                else:
                    short += name[1:] + ("" if option.is_flag else ":")
        try:
            pairs, rest = getopt.gnu_getopt(list(words), short, long)
        except getopt.GetoptError as error:
            raise UsageError(f"{error.msg}; see --help") from error
        if rest:
            raise UsageError(f"unexpected argument {rest[0]!r}; see --help")
        return pairs

    def _given(self, name: str, text: str) -> Given:
        option = next(each for each in self.options if name in each.names)
        try:
            return Given(option, name, text, option.read(text))
        except ValueError as error:
            raise UsageError(f"{name} {text}: {error}") from error

    def usage(self) -> str:
        """The text of --help."""
        lines = [f"Usage: {self.program} [options]\n"]
        for option in self.options:
            if option.names:
                names = ", ".join(option.names)
                indent = "  " if len(option.names) > 1 else "      "
                value = self.separator + option.placeholder if option.placeholder else ""
                lines.append(f"{indent}{names}{value}".ljust(self.help_column) + option.help)
        return "\n".join([*lines, self.epilogue])
