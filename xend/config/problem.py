"""What is wrong with a configuration, as values: where, which option, what was read, what is accepted."""

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import attrs

from xend.config.place import Place
from xend.errors import XendError

__all__ = ["MAX_PROBLEMS", "ConfigError", "Findings", "Problem"]

#: How many are told of one configuration, and of warnings as many: who has more has sent something else.
MAX_PROBLEMS = 50

_T = TypeVar("_T")


@attrs.frozen
class Problem:
    """One thing that is wrong, or to be warned of.

    Attributes:
        place: where it stands.
        text: what is wrong and what is accepted, without the place and the hint.
        code: one of xend.errors.CODES.
        option: the option's name; "disk" or "vif" for one of these.
        value: what was read, as text.
    """

    place: Place
    text: str
    code: str = "bad_config"
    hint: str | None = None
    option: str | None = None
    value: str | None = None

    @classmethod
    def at(cls, place: Place, text: str, **more: str | None) -> Self:
        """A problem at a place; more: the other attributes, None where one is not known."""
        return cls(place, text, **{name: value for name, value in more.items() if value is not None})

    @property
    def message(self) -> str:
        """ "SOURCE:LINE: text", in one line; of a call "text"."""
        return self.text if self.place.is_call else f"{self.place}: {self.text}"

    def as_map(self) -> dict[str, Any]:
        """As it travels over the bus: code, message, file; hint, line, option and value where known."""
        file, line = self.place.as_shown
        known = {"hint": self.hint, "line": line, "option": self.option, "value": self.value}
        return {
            "code": self.code,
            "message": self.message,
            "file": file,
            **{name: value for name, value in known.items() if value is not None},
        }


class ConfigError(XendError):
    """All that is wrong with a configuration; message and code are those of the first problem.

    Args:
        problems: at least one, the most important one first.
        warnings: what is to be warned of besides.
    """

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        first = problems[0]
        if first.place.is_call:
            super().__init__(first.code, first.message, hint=first.hint, method=first.place.source)
        else:
            maps = [problem.as_map() for problem in problems]
            more = [warning.as_map() for warning in warnings] or None
            super().__init__(first.code, first.message, hint=first.hint, problems=maps, warnings=more)
        self.problems = tuple(problems)

    @classmethod
    def at(cls, place: Place, text: str, **more: str | None) -> Self:
        """The error "SOURCE:LINE: text"; more: see Problem.at."""
        return cls([Problem.at(place, text, **more)])

    def __str__(self) -> str:
        """One line: the first problem, and how many there are besides."""
        more = len(self.problems) - 1
        return super().__str__() + (f"; and {more} more" if more else "")


@attrs.define
class Findings:
    """What was found in one configuration while it was read.

    Attributes:
        notes: what changes nothing, of which only who asks is told (xl config-check).
    """

    problems: list[Problem] = attrs.field(factory=list)
    warnings: list[Problem] = attrs.field(factory=list)
    notes: list[Problem] = attrs.field(factory=list)

    def attempt(self, read: Callable[[], _T], default: _T) -> _T:
        """What `read` returns; the default where something is wrong, which is noted."""
        try:
            return read()
        except ConfigError as error:
            self.problems += error.problems
            return default

    def check(self, first: Sequence[Problem] = ()) -> None:
        """Raise what is wrong, in the order in which it stands: the file, the command line, the whole.

        Args:
            first: what comes before that.

        Raises:
            ConfigError: something is.
        """
        problems = [*first, *sorted(self.problems, key=lambda each: each.place.order)]
        if problems:
            raise ConfigError(problems[:MAX_PROBLEMS], self.warnings[:MAX_PROBLEMS])
