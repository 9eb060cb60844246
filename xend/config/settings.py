"""Assignments put together, and read out with their kinds checked: what a configuration says, by option."""

import re
from collections.abc import Iterable, Mapping

import attrs

from xend.config.degrees import judge, unread
from xend.config.grammar import Assignment, Value
from xend.config.number import NUMBER_FORMS, number_of
from xend.config.option import accepted, other_case
from xend.config.options import OPTIONS
from xend.config.place import MAX_VALUE_BYTES, Place, bytes_of, listed
from xend.config.problem import ConfigError, Findings, Problem

__all__ = ["Settings"]

_DIGITS = re.compile(r"-?[0-9]+")
_MAX_DIGITS = 20
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Settings:
    """What is assigned to each option in the end.

    Args:
        assignments: in order; a later one replaces an earlier one, or adds to it with `+=`.
        source: the configuration's name, for errors that concern no line.
        findings: take what is wrong: += on a number, or on another kind than before; and as warnings the
            names that are no options.
    """

    def __init__(self, assignments: Iterable[Assignment], source: str, findings: Findings) -> None:
        self.whole = Place(source)
        self._values = _merged(assignments, findings)
        self._given = dict(self._values)
        self._findings = findings

    def judge(self, guest_type: str, findings: Findings) -> None:
        """Note what is to be said of the options that nobody here reads, for this type or at all; from now on
        they are as if they were not given."""
        for name, value in self._given.items():
            option = OPTIONS.get(name)
            if option is not None and not (option.is_here and option.has_effect(guest_type)):
                judge(option, value, guest_type, findings)
                del self._values[name]

    def given(self) -> Mapping[str, object]:
        """All values, as str, int or list."""
        return {name: value.plain() for name, value in self._given.items()}

    def error(
        self, name: str, complaint: str, *, code: str = "bad_config", hint: str | None = None
    ) -> ConfigError:
        """The error "PLACE: NAME = VALUE: complaint", of an option that is given."""
        value = self._values[name]
        text = f"{name} = {value}: {complaint}"
        return ConfigError.at(value.place, text, code=code, hint=hint, option=name, value=str(value))

    def note(self, name: str, text: str) -> None:
        """Note what is to be said of an option that is given, and no error: "NAME = VALUE TEXT"."""
        value = self._values[name]
        said = f"{name} = {value} {text}"
        self._findings.notes.append(Problem.at(value.place, said, option=name, value=str(value)))

    def warn(self, name: str, text: str) -> None:
        """The same as a warning."""
        value = self._values[name]
        said = f"{name} = {value} {text}"
        self._findings.warnings.append(Problem.at(value.place, said, option=name, value=str(value)))

    def value(self, name: str) -> Value | None:
        """What an option was given, as kind and place stand."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """A text, or a number as it was written; None: not given.

        Raises:
            XendError: bad_config: a list, or control characters.
        """
        value = self._values.get(name)
        if value is None:
            return None
        if value.items is not None:
            raise _wrong_kind(name, value)
        return _printable(name, value)

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        """One of some words; None: not given."""
        word = self.text(name)
        if word is not None and word not in choices:
            raise self.error(name, f"expected {listed(choices)}", hint=other_case(word, choices))
        return word

    def number(self, name: str, lowest: int, highest: int, unit: str = "") -> int | None:
        """A number in bounds, also in quotes as xm wrote it; None: not given."""
        value = self._values.get(name)
        if value is None:
            return None
        if value.items is not None:
            raise _wrong_kind(name, value)
        number = number_of(value.text.strip()) if value.number is None else value.number
        if number is None and _DIGITS.fullmatch(value.text.strip()):
            number = _beyond(value.text.strip(), lowest)
        if number is None:
            raise self.error(name, f"expected {NUMBER_FORMS}{unit and ' of '}{unit}")
        if not lowest <= number <= highest:
            raise self.error(name, f"expected a number{unit and ' of '}{unit} from {lowest} to {highest}")
        return number

    def boolean(self, name: str) -> bool | None:
        """0, or 1 and any other number as for xl; None: not given."""
        value = self._values.get(name)
        if value is None:
            return None
        if value.items is not None:
            raise _wrong_kind(name, value)
        digits = value.text.strip()
        if number_of(digits.removeprefix("-")) is None:
            raise self.error(name, "expected 0 or 1")
        return number_of(digits) != 0

    def items(self, name: str) -> list[tuple[str, Place]]:
        """The texts of a list; empty: not given.

        Raises:
            XendError: bad_config: no list, or one of anything but texts.
        """
        for item in self._items(name):
            if item.kind != "a text":
                raise ConfigError.at(item.place, f"{name} holds {item}, expected texts in quotes")
        return self.words(name)

    def words(self, name: str) -> list[tuple[str, Place]]:
        """The same of a list that may hold numbers too, as they were written.

        Raises:
            XendError: bad_config: no list, or one that holds lists.
        """
        for item in self._items(name):
            if item.items is not None:
                raise ConfigError.at(item.place, f"{name} holds a list, expected texts or numbers")
        return [(_printable(name, item), item.place) for item in self._items(name)]

    def _items(self, name: str) -> tuple[Value, ...]:
        value = self._values.get(name)
        if value is None:
            return ()
        if value.items is None:
            raise _wrong_kind(name, value)
        return value.items


def _beyond(digits: str, lowest: int) -> int:
    """A number below zero, or one that is too large or has too many digits, which is out of bounds."""
    return int(digits) if len(digits) <= _MAX_DIGITS and digits.startswith("-") else lowest - 1


def _merged(assignments: Iterable[Assignment], findings: Findings) -> dict[str, Value]:
    parts: dict[str, list[Value]] = {}
    for assignment in map(_with_secrets_hidden, assignments):
        name, value = assignment.name, assignment.value
        before = parts.get(name)
        if before is None and name not in OPTIONS:
            findings.warnings.append(unread(assignment))
        if before is None or not assignment.append:
            if before is not None and name in OPTIONS:
                findings.notes += _replaced(name, before[-1], value)
            parts[name] = [value]
        elif before[0].kind == value.kind != "a number":
            before.append(value)
        elif name in OPTIONS:
            text = (
                f"{name} += {value}, but it is {before[0].kind}; "
                "expected a text after a text, or a list after a list"
            )
            findings.problems.append(Problem.at(assignment.place, text, option=name, value=str(value)))
    return {name: _joined(values) for name, values in parts.items()}


def _with_secrets_hidden(assignment: Assignment) -> Assignment:
    """The same; no error quotes what a password's option holds, nor one that may be a misspelt one."""
    option = OPTIONS.get(assignment.name)
    is_secret = "pas" in assignment.name if option is None else option.is_secret
    return attrs.evolve(assignment, value=assignment.value.hidden()) if is_secret else assignment


def _replaced(name: str, old: Value, new: Value) -> list[Problem]:
    """The note of a value that another line of the file replaces; a command line replaces silently."""
    if not isinstance(new.place.line, int) or old.plain() == new.plain():
        return []
    said = f"{name} = {old}" if old.items is None else name
    text = f"{said} has no effect: it is assigned again in line {new.place.line}"
    hint = f"{name} += [ ... ] adds to a list" if new.items is not None else None
    return [Problem.at(old.place, text, hint=hint, option=name, value=str(old))]


def _joined(values: list[Value]) -> Value:
    """Several values of one kind as one, which stands where the last one does."""
    if len(values) == 1:
        return values[0]
    if values[0].items is None:
        return attrs.evolve(values[-1], text="".join(value.text for value in values))
    return attrs.evolve(values[-1], items=tuple(item for value in values for item in value.items or ()))


def _wrong_kind(name: str, value: Value) -> ConfigError:
    text = f"{name} is {value.kind}, expected {accepted(OPTIONS[name].kind)}"
    return ConfigError.at(value.place, text, option=name, value=str(value))


def _printable(name: str, value: Value) -> str:
    """A value's text, which goes into the store, to scripts and into logs: bounded, no control characters."""
    if _CONTROL.search(value.text):
        raise ConfigError.at(value.place, f"{name} holds {value}, expected no control characters")
    if len(bytes_of(value.text)) > MAX_VALUE_BYTES:
        raise ConfigError.at(value.place, f"{name} holds {value}, expected at most {MAX_VALUE_BYTES} bytes")
    return value.text
