"""What of the host's hardware a domain may touch itself: the options iomem, ioports and irqs of xl.cfg(5).

Numbers of page frames and ports are hexadecimal, those of interrupts decimal, as xl reads them.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from xend.config.place import Place, shown
from xend.config.problem import ConfigError, Findings
from xend.config.settings import Settings

__all__ = ["iomem_of", "ioports_of", "irqs_of"]

_HEX = r"(?:0[xX])?([0-9a-fA-F]{1,13})"
_IOMEM = re.compile(rf"{_HEX},{_HEX}(?:@{_HEX})?")
_IOPORTS = re.compile(rf"{_HEX}(?:-{_HEX})?")
_IRQ = re.compile(r"[0-9]{1,9}")
#: Frame numbers of a physical address of 52 bits, ports of x86, interrupts as Xen counts them at most.
MAX_FRAME, MAX_PORT, MAX_IRQ = (1 << 40) - 1, 0xFFFF, 0xFFFF
_T = TypeVar("_T")


def iomem_of(settings: Settings) -> Sequence[tuple[int, int, int | None]]:
    """Each range as (first frame of the host, how many, first frame in the domain's own memory).

    The last one is None where it is not given: the same as the host's.
    """

    def parse(text: str) -> tuple[int, int, int | None] | None:
        if (match := _IOMEM.fullmatch(text)) is None:
            return None
        first, count = int(match[1], 16), int(match[2], 16)
        gfn = None if match[3] is None else int(match[3], 16)
        is_possible = count > 0 and max(first, gfn or 0) + count - 1 <= MAX_FRAME
        return (first, count, gfn) if is_possible else None

    return _parsed(settings, "iomem", parse, 'FRAME,COUNT or FRAME,COUNT@OWN in hexadecimal, as in "fe000,8"')


def ioports_of(settings: Settings) -> Sequence[tuple[int, int]]:
    """Each range as (first port, how many)."""

    def parse(text: str) -> tuple[int, int] | None:
        if (match := _IOPORTS.fullmatch(text)) is None:
            return None
        first = int(match[1], 16)
        last = int(match[2] or match[1], 16)
        return (first, last - first + 1) if first <= last <= MAX_PORT else None

    return _parsed(settings, "ioports", parse, 'a port or a range of them in hexadecimal, as in "2f8-2ff"')


def irqs_of(settings: Settings) -> Sequence[int]:
    """Numbers of interrupts."""

    def parse(text: str) -> int | None:
        return int(text) if _IRQ.fullmatch(text) and int(text) <= MAX_IRQ else None

    return _parsed(settings, "irqs", parse, f"the number of an interrupt in decimal, up to {MAX_IRQ}")


def _parsed(
    settings: Settings, option: str, parse: Callable[[str], _T | None], expected: str
) -> Sequence[_T]:
    """The items of a list, all that are wrong told; parse: None for what is wrong."""
    findings = Findings()

    def read(text: str, place: Place) -> _T:
        found = parse(text.strip())
        if found is None:
            said = f"{option} holds {shown(text)}, expected {expected}"
            raise ConfigError.at(place, said, option=option, value=shown(text)[1:-1])
        return found

    found = [
        findings.attempt(lambda text=text, place=place: read(text, place), None)  # type: ignore[misc]
        for text, place in settings.words(option)
        if text
    ]
    findings.check()
    return tuple(each for each in found if each is not None)
