"""What a parameter may be: each kind with its name for people and its check."""

from collections.abc import Callable
from typing import Any

import attrs

__all__ = [
    "DATA",
    "DOMAIN",
    "FLAG",
    "NUMBER",
    "SECONDS",
    "SPEC",
    "TEXT",
    "TEXTS",
    "Kind",
    "choice",
    "choices",
    "what_is",
]

_NUMBER_MAX = 1 << 63


@attrs.frozen
class Kind:
    """Attributes:
    name: as in "parameter text is a number, not a text".
    accepts: whether a decoded value is one.
    """

    name: str
    accepts: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < _NUMBER_MAX


def _is_list_of_texts(value: Any) -> bool:
    return type(value) is list and all(type(each) is str for each in value)


TEXT = Kind("a text", lambda value: type(value) is str)
TEXTS = Kind("a list of texts", _is_list_of_texts)
SPEC = Kind("a text or a list of texts", lambda value: type(value) is str or _is_list_of_texts(value))
DATA = Kind("bytes (bin)", lambda value: type(value) is bytes)
FLAG = Kind("true or false", lambda value: type(value) is bool)
NUMBER = Kind("a number from 0", _is_number)
SECONDS = Kind("a number of seconds above 0", lambda value: type(value) in (int, float) and 0 < value < 1e9)
DOMAIN = Kind("a domain's name, domid or UUID", lambda value: type(value) is str or _is_number(value))


def choice(*words: str) -> Kind:
    """One of these words."""
    return Kind(
        " or ".join(f'"{word}"' for word in words), lambda value: type(value) is str and value in words
    )


def choices(*words: str) -> Kind:
    """A list of some of these words."""
    return Kind(
        f"a list of {', '.join(words)}",
        lambda value: _is_list_of_texts(value) and all(each in words for each in value),
    )


def what_is(value: Any) -> str:
    """What a value is that is no such kind, for an error; short whatever it is."""
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    names: dict[type, str] = {bytes: "bytes (bin)", list: "a list", dict: "a map"}
    return names.get(type(value), "something else")


def quoted(text: str) -> str:
    """A text of the caller's as it may stand in an error: one short line."""
    shown = text if len(text) <= 40 else text[:40] + "..."
    return '"' + "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in shown) + '"'
