"""What a domain sees of Hyper-V's interfaces: `viridian` of xl.cfg(5), and as libxl's JSON has it.

A list is read in its order: a word adds, one with ! takes away, and of two about one thing the later counts.
Source: tools/xl/xl_parse.c, libxl_x86.c and libxl_types.idl (libxl_viridian_enlightenment) of Xen.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from xend.config.libxl import flag
from xend.config.options import OPTIONS
from xend.config.settings import Settings
from xend.config.words import words_of

__all__ = ["Viridian", "viridian_of", "viridian_of_json"]

_OPTION = "viridian"
_ALL, _USUAL = OPTIONS[_OPTION].words[:2]
#: By libxl's numbers.
_WORDS = OPTIONS[_OPTION].words[2:]
#: So many bits libxl has for them, all of which "all" sets.
_BITS = 64
#: What viridian = 1 means, and what else a name needs.
_DEFAULTS = ("base", "freq", "time_ref_count", "apic_assist", "crash_ctl", "no_vp_limit", "cpu_hotplug")
_NEEDS = {"stimer": ("time_ref_count", "synic")}


@attrs.frozen(kw_only=True)
class Viridian:
    """What was asked for.

    Attributes:
        usual: whether what viridian = 1 means; None: not given.
        added, taken: the numbers of what is there besides, and of what is not.
    """

    usual: bool | None = None
    added: Sequence[int] = ()
    taken: Sequence[int] = ()

    @property
    def seen(self) -> Sequence[str]:
        """The words of what a domain sees, in the option's order."""
        wanted = {*(_DEFAULTS if self.usual else ()), *_names(self.added)} - {*_names(self.taken)}
        for word, needed in _NEEDS.items():
            wanted |= {*needed} if word in wanted else set()
        return tuple(word for word in _WORDS if word in wanted)

    def as_json(self) -> Mapping[str, Any]:
        """Keys of type.hvm."""
        usual = None if self.usual is None else str(self.usual)
        return {
            "viridian": usual,
            "viridian_enable": list(self.added),
            "viridian_disable": list(self.taken),
        }


def viridian_of(settings: Settings) -> Viridian:
    """As the option has it.

    Raises:
        ConfigError: no such word, or nothing can be seen of what is asked for.
    """
    value = settings.value(_OPTION)
    if value is None or value.items is None:
        return Viridian(usual=settings.boolean(_OPTION))
    found = _of_words(words_of(settings, _OPTION, plain=(_ALL, _USUAL)))
    if found.seen and "base" not in found.seen:
        raise settings.error(_OPTION, "nothing of it is there without base; expected base with it")
    return found


def _of_words(words: Sequence[str]) -> Viridian:
    added, taken = set[int](), set[int]()
    for word in words:
        if word == _ALL:
            added |= {*range(_BITS)}
        elif word != _USUAL:
            number = _WORDS.index(word.removeprefix("!"))
            gains, loses = (taken, added) if word.startswith("!") else (added, taken)
            gains.add(number)
            loses.discard(number)
    return Viridian(usual=True if _USUAL in words else None, added=sorted(added), taken=sorted(taken))


def _names(numbers: Collection[int]) -> list[str]:
    return [_WORDS[each] for each in sorted(numbers) if 0 <= each < len(_WORDS)]


def viridian_of_json(of_type: Mapping[str, Any]) -> list[str] | bool | None:
    """What the option says that means the same as type.hvm."""
    usual = flag(of_type, "viridian")
    added, taken = _bits(of_type, "viridian_enable"), _bits(of_type, "viridian_disable")
    if any(number >= len(_WORDS) for number in added):
        words = [*(f"!{word}" for word in _names(taken & added)), _ALL]  # which takes nothing back
        words += [f"!{word}" for word in _names(taken - added)]
    else:
        words = [*_names(added), *(f"!{word}" for word in _names(taken))]
    return [*([_USUAL] if usual else []), *words] if words else usual


def _bits(of_type: Mapping[str, Any], key: str) -> set[int]:
    bits = of_type.get(key)
    return {each for each in bits if isinstance(each, int)} if isinstance(bits, list) else set()
