"""What was found: problems, which keep a domain from starting, warnings, and notes of what has no effect."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from xend.config import DomainConfig
from xend.config.domain import parse
from xend.config.problem import ConfigError, Problem
from xend.errors import XendError

_T = TypeVar("_T")
Map = dict[str, Any]


@attrs.define(kw_only=True)
class Report:
    """As it travels over the bus: maps of errors (docs/bus.md), in the order in which they were found.

    Attributes:
        config: the effective configuration in libxl's JSON; None: there is none.
        checked: "text", or "host": with what this host has and runs.
    """

    problems: list[Map] = attrs.field(factory=list)
    warnings: list[Map] = attrs.field(factory=list)
    notes: list[Map] = attrs.field(factory=list)
    config: Map | None = None
    checked: str = "text"

    def attempt(self, look: Callable[[], _T]) -> _T | None:
        """What `look` returns; None where it finds a problem, which is noted."""
        try:
            return look()
        except XendError as error:
            self.problem(error)
            return None

    def problem(self, error: XendError) -> None:
        """Note one; the same one once."""
        if (found := error.as_map()) not in self.problems:
            self.problems.append(found)

    def warn(self, warning: Problem | XendError) -> None:
        """Note a warning; the same one once."""
        found = warning.as_map()
        if found not in self.warnings:
            self.warnings.append(found)


def parsed(
    report: Report, text: str, *, source: str, name: str | None, extra: list[str], directory: str | None
) -> DomainConfig | None:
    """The configuration that a text describes, as xend.config.domain.parse has it; None: it is wrong.

    What is to be said of it is in the report then.
    """
    try:
        config = parse(text, source=source, name=name, extra=extra, directory=directory)
    except ConfigError as error:
        fields = error.as_map()
        report.problems += fields.get("problems") or [fields]
        report.warnings += fields.get("warnings") or []
        return None
    report.warnings += [each.as_map() for each in config.warnings]
    report.notes += [each.as_map() for each in config.notes]
    return config
