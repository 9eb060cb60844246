"""The parts of a device's specification: `key=value` and flags between commas, each at most once."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from xend.config.number import number_of
from xend.config.option import closest, other_case
from xend.config.place import HIDDEN, MAX_VALUE_BYTES, Place, bytes_of, listed, shown
from xend.config.problem import ConfigError, Problem

__all__ = ["Fields"]

_NONE: Mapping[str, str] = MappingProxyType({})

_KEYED = re.compile(r"([a-z][-_a-z0-9]*)\s*=(.*)", re.DOTALL)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.+]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: What a program takes for an option, and what leads out of a directory.
_MISTAKEN = ("-", "/", ".")


class Fields:
    """What was given in one specification, and the errors about it.

    Args:
        device: "disk" or "vif", for errors.
        specification: one text, or the words of one.
        secret: the key whose value no error shows.

    Attributes:
        text: the whole of it.
    """

    def __init__(
        self, device: str, specification: str | Sequence[str], place: Place, secret: str | None = None
    ) -> None:
        text = specification if isinstance(specification, str) else ",".join(specification)
        self.text = text
        self._device = device
        self._shown_text = text if secret is None else _without(secret, text)
        self._secret = secret
        self._place = place
        self._values: dict[str, str] = {}
        if (length := len(bytes_of(text))) > MAX_VALUE_BYTES:
            raise self.error(f"found {length} bytes, expected at most {MAX_VALUE_BYTES}")
        if _CONTROL.search(text):
            raise self.error("expected no control characters")

    def fill(
        self,
        known: Sequence[str],
        warnings: list[Problem] | None = None,
        old: Mapping[str, str] = _NONE,
    ) -> None:
        """Note the values of the specification, which holds nothing but `key=value` between commas.

        Args:
            known: the keys there are.
            warnings: take what is no such key, for types of which xl passes that over; None: it is an error.
            old: keys of xm's, each with what says the same now.
        """
        words = tuple(f"{key}=" for key in known)
        for item in filter(str.strip, self.text.split(",")):
            key, value = Fields.keyed(item.strip()) or (item.strip(), None)
            if value is not None and key in known:
                self.put(key, item.partition("=")[2] if key == self._secret else value)
                continue
            found = item.strip() if value is None else f"{key}="
            if warnings is None:
                raise self.unknown(found, words)
            complaint = f"{shown(found)} has no effect: there is no such key"
            warnings.append(self.problem(complaint, hint=old.get(key) or closest(found, words)))

    def problem(self, complaint: str, *, hint: str | None = None, code: str = "bad_config") -> Problem:
        """The problem "PLACE: disk "...": complaint"."""
        specification = shown(self._shown_text)
        return Problem.at(
            self._place,
            f"{self._device} {specification}: {complaint}",
            hint=hint,
            code=code,
            option=self._device,
            value=specification[1:-1],
        )

    def error(self, complaint: str, *, hint: str | None = None, code: str = "bad_config") -> ConfigError:
        """The same as an error."""
        return ConfigError([self.problem(complaint, hint=hint, code=code)])

    def unsupported(self, what: str, why: str) -> ConfigError:
        """The error that something is known, and cannot be had: why not, and what can."""
        return self.error(f"{what}: {why}", code="unsupported")

    def wrong(self, key: str, expected: str, hint: str | None = None) -> ConfigError:
        """The error that a key's value is not what was expected."""
        return self.error(f"{key} {self._shown(key)}, expected {expected}", hint=hint)

    def _shown(self, key: str, value: str | None = None) -> str:
        return HIDDEN if key == self._secret else shown(self._values[key] if value is None else value)

    def unknown(self, word: str, known: Mapping[str, object] | tuple[str, ...]) -> ConfigError:
        names = tuple(known)
        return self.error(f"found {shown(word)}, expected {listed(names)}", hint=closest(word, names))

    def put(self, key: str, value: str) -> None:
        """Note a value; an error if the key has one already."""
        if key in self._values:
            raise self.error(
                f"{key} is given twice, {self._shown(key)} and {self._shown(key, value)}, expected once"
            )
        self._values[key] = value

    def replace(self, key: str, value: str) -> None:
        """Note another value of a key that has one."""
        self._values[key] = value

    def has(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> str | None:
        """A value; None: not given, or empty."""
        return self._values.get(key) or None

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """A value that is one of some words; the default where it is not given, or empty."""
        value = self.get(key)
        if value is not None and value not in choices:
            raise self.wrong(key, listed(choices), other_case(value, choices))
        return value or default

    def domain(self, key: str) -> str:
        """A domain's name or domid; dom0 where it is not given."""
        value = self.get(key) or "0"
        if "/" in value or not value.isprintable():
            raise self.wrong(key, "a domain's name or domid")
        return "0" if value == "Domain-0" else value

    def switch(self, key: str) -> bool | None:
        """0, or 1 and any other number; None: not given."""
        value = self.get(key)
        if value is None:
            return None
        number = number_of(value)
        if number is None:
            raise self.wrong(key, "0 or 1")
        return number != 0

    def number(self, key: str, lowest: int, highest: int) -> int | None:
        """A number in bounds; None: not given."""
        value = self.get(key)
        if value is None:
            return None
        number = number_of(value)
        if number is None or not lowest <= number <= highest:
            raise self.wrong(key, f"a number from {lowest} to {highest}")
        return number

    def free_text(self, key: str) -> str | None:
        """A text that a script interprets, whatever it is; but none that is mistaken for something else."""
        value = self.get(key)
        if value is not None and value.startswith(_MISTAKEN):
            raise self.wrong(key, f"what does not begin with {listed(_MISTAKEN)}")
        return value

    def script(self, key: str) -> str | None:
        """The name of a file in the script directory, or an absolute path."""
        value = self.get(key)
        if value is None:
            return None
        parts = value[1:].split("/") if value.startswith("/") else [value]
        if not all(_FILE_NAME.fullmatch(part) for part in parts):
            raise self.wrong(key, "the name of a file in the script directory, or an absolute path")
        return value

    @staticmethod
    def keyed(item: str) -> tuple[str, str] | None:
        """An item's key and value; None: it is none of `key=value`."""
        match = _KEYED.fullmatch(item)
        return (match[1], match[2].strip()) if match else None


def _without(secret: str, specification: str) -> str:
    """A specification without the value of a key, nor of what may be that key misspelt."""
    keys = rf"(?:{secret}|[-\w]*pas[-\w]*)"
    return re.sub(rf"((?:^|,)\s*{keys}\s*=)[^,]*", rf"\1{HIDDEN}", specification)
