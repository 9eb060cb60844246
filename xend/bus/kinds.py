"""What a parameter may be: each kind with its name for people and its check."""

from collections.abc import Callable
from typing import Any

import attrs

__all__ = [
    "BYTES",
    "DATA",
    "DOMAIN",
    "FLAG",
    "LIST_OF_BYTES",
    "NUMBER",
    "NUMBERS_BY_NAME",
    "REAL_TIME",
    "SECONDS",
    "SPEC",
    "TEXT",
    "TEXTS",
    "Kind",
    "choice",
    "choices",
    "no_text",
    "what_is",
]

_NUMBER_MAX = 1 << 63


@attrs.frozen
class Kind:
    """Attributes:
    name: as in "parameter text is a number, not a text".
    accepts: whether a decoded value is one.
    read: makes of it what the method gets.
    """

    name: str
    accepts: Callable[[Any], bool]
    read: Callable[[Any], Any] = lambda value: value


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < _NUMBER_MAX


def _is_list_of_texts(value: Any) -> bool:
    return type(value) is list and all(type(each) is str for each in value)


def _is_bytes_or_text(value: Any) -> bool:
    return type(value) in (str, bytes)


def _is_list_of_them(value: Any) -> bool:
    return type(value) is list and all(map(_is_bytes_or_text, value))


def _is_real_time(value: Any) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "vcpu": _is_number,
        "period_us": _is_number,
        "budget_us": _is_number,
        "extra_time": lambda each: type(each) is bool,
    }
    return type(value) is list and all(
        type(row) is dict
        and all(key in checks and (each is None or checks[key](each)) for key, each in row.items())
        for row in value
    )


def _read_bytes(value: Any) -> Any:
    """The same as text, bytes that are no UTF-8 as os.fsdecode has them."""
    if type(value) is list:
        return [_read_bytes(each) for each in value]
    return value.decode("utf-8", "surrogateescape") if type(value) is bytes else value


TEXT = Kind("a text", lambda value: type(value) is str)
TEXTS = Kind("a list of texts", _is_list_of_texts)
#: What may hold names of files, which are any bytes.
BYTES = Kind("a text, or bytes (bin)", _is_bytes_or_text, _read_bytes)
LIST_OF_BYTES = Kind("a list of texts, or of bytes (bin)", _is_list_of_them, _read_bytes)
SPEC = Kind(
    "a text or a list of texts, or of bytes (bin)",
    lambda value: _is_bytes_or_text(value) or _is_list_of_them(value),
    _read_bytes,
)
DATA = Kind("bytes (bin)", lambda value: type(value) is bytes)
FLAG = Kind("true or false", lambda value: type(value) is bool)
NUMBER = Kind("a number from 0", _is_number)
SECONDS = Kind("a number of seconds above 0", lambda value: type(value) in (int, float) and 0 < value < 1e9)
#: Of sched-rtds: what some virtual CPUs are to have; without vcpu: all of them.
REAL_TIME = Kind("a list of maps with vcpu?, period_us?, budget_us? and extra_time?", _is_real_time)
NUMBERS_BY_NAME = Kind(
    "a map of numbers from 0, by name",
    lambda value: (
        type(value) is dict and all(type(key) is str and _is_number(each) for key, each in value.items())
    ),
)
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


def no_text(value: Any) -> str | None:
    """Bytes that no text has, a value's own or those of one in a list, for an error; None: there are none."""
    for each in value if type(value) is list else [value]:
        if type(each) is bytes:
            try:
                each.decode()
            except UnicodeDecodeError:
                return quoted(each.decode("utf-8", "backslashreplace"))
    return None


def quoted(text: str) -> str:
    """A text of the caller's as it may stand in an error: one short line."""
    shown = text if len(text) <= 40 else text[:40] + "..."
    return '"' + "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in shown) + '"'
