"""What is known of an option of xl.cfg(5), and what a value of it comes to for a guest of some type.

Kinds are letters: s a text, n a number, b a boolean, l a list; two letters: either.
"""

import difflib
from collections.abc import Collection, Iterable

import attrs

from xend.config.grammar import Value
from xend.config.number import number_of
from xend.config.place import listed, shown

__all__ = [
    "ACTIONS", "ALL", "HVM", "NONE", "PARAVIRTUAL", "PV", "PVH", "Option", "accepted", "closest",
    "other_case",
]  # fmt: skip

#: What may be done with a domain when something happened to it; soft-reset only for on_soft_reset.
ACTIONS = (
    "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart", "soft-reset",
)  # fmt: skip

#: Types of guests for which an option means something.
ALL: tuple[str, ...] = ("pv", "pvh", "hvm")
PV: tuple[str, ...] = ("pv",)
PVH: tuple[str, ...] = ("pvh", "hvm")
PARAVIRTUAL: tuple[str, ...] = ("pv", "pvh")
HVM: tuple[str, ...] = ("hvm",)
#: It means nothing by itself: it says more about something else, or is for other machines than x86.
NONE: tuple[str, ...] = ()

#: The values of each kind that ask for nothing, where a row names no others.
_NEUTRAL: dict[str, tuple[int | str, ...]] = {"b": (0,), "n": (), "s": ("",), "l": ("",)}
#: A name so much less like a word than the nearest one was not meant.
_MUCH_LESS = 0.3
_KIND_WORDS = {"s": "a text in quotes", "n": "a number", "b": "0 or 1", "l": "a list in brackets"}


@attrs.frozen
class Option:
    """An option.

    Attributes:
        kind: one or two of the letters s, n, b, l.
        guests: the types for which it means something.
        neutral: values that are what happens anyway, so that they ask for nothing; an empty list always is,
            and so is one of nothing else.
        lacks: why another value cannot be had, or has no effect: "it needs ...".
        words: the only texts that it takes, and where it takes numbers, which of them each means; in a list
            one may have ! in front; empty: any.
        protects: it restricts what could be attacked, so that it is never taken without its effect.
        is_here: this xend reads it; what its values mean stands with who reads it.
        is_secret: its value is a password, or holds one: no error shows it.
    """

    name: str
    kind: str
    guests: tuple[str, ...] = ALL
    neutral: tuple[int | str, ...] = ()
    lacks: str = ""
    words: tuple[str, ...] = ()
    protects: bool = False
    is_here: bool = False
    is_secret: bool = False

    def has_effect(self, guest_type: str) -> bool:
        """Whether it means something for a guest of this type."""
        return self.protects or guest_type in self.guests

    def is_neutral(self, value: Value) -> bool:
        """Whether a value asks for nothing."""
        neutral = self.asks_for_nothing
        if value.items is not None:
            return "l" in self.kind and all(
                item.items is None and item.text in neutral for item in value.items
            )
        number = number_of(value.text.strip()) if value.number is None else value.number
        return value.text in neutral or (number is not None and number in neutral)

    def is_of_kind(self, value: Value) -> bool:
        """Whether a value is what the option takes, whatever it means; a number may stand in quotes."""
        if value.items is not None:
            words = [item.text.removeprefix("!") for item in value.items]
            return "l" in self.kind and (not self.words or all(word in self.words for word in words))
        number = number_of(value.text.strip().removeprefix("-")) if value.number is None else value.number
        is_number = number is not None
        if self.words and is_number and "n" in self.kind:
            return number in range(len(self.words))
        if self.words and not (is_number and "b" in self.kind):
            return value.text in self.words
        return "s" in self.kind or (is_number and self.kind not in ("l", ""))

    @property
    def accepted(self) -> str:
        """What it takes, in words."""
        return listed(self.words) if self.words else accepted(self.kind)

    @property
    def accepted_here(self) -> str:
        """What it takes as long as the rest cannot be had, in words."""
        values = [
            shown(each) if isinstance(each, str) else str(each)
            for each in self.asks_for_nothing
            if each != ""
        ]
        values += ["an empty list"] if "l" in self.kind else []
        return listed([*values, "no such option"])

    @property
    def asks_for_nothing(self) -> tuple[int | str, ...]:
        """The values, besides an empty list, that are neutral."""
        return self.neutral or tuple(each for letter in self.kind for each in _NEUTRAL[letter])


def accepted(kind: str) -> str:
    """What a kind takes, in words: "a text in quotes or a list in brackets"."""
    return " or ".join(_KIND_WORDS[letter] for letter in kind)


def other_case(word: str, choices: Collection[str]) -> str | None:
    """A hint at the one of some words in lower case that was written otherwise; None: it is none of them."""
    meant = word.lower()
    return f"did you mean {meant}?" if meant != word and meant in choices else None


def closest(word: str, names: Iterable[str]) -> str | None:
    """A hint that names what somebody may have meant; None: nothing is near."""
    # difflib takes the square of a word's length.
    near = difflib.get_close_matches(word[:40], list(names), n=3)
    likeness = [difflib.SequenceMatcher(None, word[:40], name).ratio() for name in near]
    near = [name for name, ratio in zip(near, likeness, strict=True) if ratio > likeness[0] - _MUCH_LESS]
    return f"did you mean {' or '.join(near)}?" if near else None
