"""What a domain sees of its processor: the option cpuid of xl.cfg(5), in libxl's form and in xm's.

    cpuid = "host,htt=0,family=6"                  names, each with a number or one of 1 0 x k s
    cpuid = [ "1:ecx=xxxxxxxx...", "7,0:ebx=..." ]  leaf, perhaps subleaf, and registers bit by bit

1 and 0 force a bit; x leaves it as Xen gives it by itself; k, and s, take it from the host.
"""

import re
from collections.abc import Sequence
from typing import NoReturn

import attrs

from xend.config.cpuid_names import FIELDS, REGISTERS
from xend.config.number import NUMBER_FORMS, number_of
from xend.config.option import closest
from xend.config.place import Place, shown
from xend.config.problem import ConfigError, Findings
from xend.config.settings import Settings

__all__ = ["CpuidPolicy", "cpuid_of"]

_LINE = re.compile(r"([^,:]+)(?:,([^:]+))?:(.+)")
_BITS = "01xks"
_REGISTER_BITS = 32
_MAX_LEAVES = 64
_BIT_WORDS = "1, 0, x (as it would be), k or s (the host's)"
_LINE_FORM = "LEAF:REGISTER=BITS or LEAF,SUBLEAF:REGISTER=BITS with 32 of 0 1 x k s"
#: These two are in pieces: base number, and how much more (model 4 bits, family 8).
_FAMILY_MAX, _FAMILY_BASE = 0xF + 0xFF, 0xF
_MODEL_MAX = 0xFF


@attrs.frozen
class CpuidPolicy:
    """What is different from what Xen gives by itself.

    Attributes:
        leaves: each (leaf, subleaf or None, registers): of each of cpuid_names.REGISTERS its 32 bits, the
            highest first, or nothing.
        capabilities: 64 bits of the register IA32_ARCH_CAPABILITIES, or nothing.
    """

    leaves: Sequence[tuple[int, int | None, Sequence[str]]] = ()
    capabilities: str = ""


class _Bits:
    """The bits as they are put together."""

    def __init__(self) -> None:
        self._leaves: dict[tuple[int, int | None], list[str]] = {}
        self._capabilities = ""

    def registers(self, leaf: int, subleaf: int | None) -> list[str]:
        return self._leaves.setdefault((leaf, subleaf), [""] * len(REGISTERS))

    def put(self, leaf: int | None, subleaf: int | None, register: str, lowest: int, bits: str) -> None:
        if leaf is None:
            bits = bits.replace("s", "k")  # as these registers know it
            self._capabilities = _with(self._capabilities or "x" * 64, lowest, bits)
            return
        registers = self.registers(leaf, subleaf)
        at = REGISTERS.index(register)
        registers[at] = _with(registers[at] or "x" * _REGISTER_BITS, lowest, bits)

    def policy(self) -> CpuidPolicy:
        leaves = [(leaf, sub, tuple(registers)) for (leaf, sub), registers in self._leaves.items()]
        return CpuidPolicy(leaves=tuple(leaves), capabilities=self._capabilities)


def cpuid_of(settings: Settings) -> CpuidPolicy:
    """The policy; an empty one where nothing is asked for.

    Raises:
        ConfigError: of each word that is wrong, what is accepted there.
    """
    bits, findings = _Bits(), Findings()
    value = settings.value("cpuid")
    if value is None:
        return CpuidPolicy()
    if value.items is None:
        first, *words = [word.strip() for word in value.text.split(",")]
        if value.text and first != "host":
            raise settings.error("cpuid", 'expected "host" as the first word, as in "host,htt=0"')
        for word in words:
            findings.attempt(lambda word=word: _take_word(bits, word, value.place), None)  # type: ignore[misc]
    else:
        for line, place in settings.items("cpuid"):
            findings.attempt(
                lambda line=line, place=place: _take_line(bits, line, place),  # type: ignore[misc]
                None,
            )
    findings.check()
    policy = bits.policy()
    if len(policy.leaves) > _MAX_LEAVES:
        raise settings.error("cpuid", f"expected at most {_MAX_LEAVES} leaves")
    return policy


def _take_word(bits: _Bits, word: str, place: Place) -> None:
    """ "htt=0"."""
    name, sign, text = word.partition("=")
    if not sign:
        _refuse(word, place, f"NAME=VALUE, such as {shown('htt=0')}")
    if name == "family":
        _take_family(bits, word, text, place)
    elif name == "model":
        _take_model(bits, word, text, place)
    elif name in FIELDS:
        leaf, subleaf, register, lowest, width = FIELDS[name]
        bits.put(leaf, subleaf, register, lowest, _field_bits(word, text, width, place))
    else:
        _refuse(word, place, "the name of a feature as xl.cfg(5) lists them", closest(name, FIELDS))


def _field_bits(word: str, text: str, width: int, place: Place) -> str:
    """The bits that a value means for a field so wide."""
    if text in tuple("xks"):
        return text * width
    number, most = number_of(text), (1 << width) - 1
    if number is None or number > most:
        if width == 1:
            _refuse(word, place, f"{_BIT_WORDS} after =")
        _refuse(word, place, f"{NUMBER_FORMS} up to {most}, or x, k or s, after =")
    return f"{number:0{width}b}"


def _take_family(bits: _Bits, word: str, text: str, place: Place) -> None:
    """The family's number, of which what is beyond 15 stands elsewhere."""
    if text in tuple("xks"):
        more = base = text * 8
    else:
        number = _number(word, text, _FAMILY_MAX, place)
        base, more = f"{min(number, _FAMILY_BASE):08b}", f"{max(number - _FAMILY_BASE, 0):08b}"
    bits.put(1, None, "eax", 8, base[4:])
    bits.put(1, None, "eax", 20, more)


def _take_model(bits: _Bits, word: str, text: str, place: Place) -> None:
    whole = text * 8 if text in tuple("xks") else f"{_number(word, text, _MODEL_MAX, place):08b}"
    bits.put(1, None, "eax", 4, whole[4:])
    bits.put(1, None, "eax", 16, whole[:4])


def _number(word: str, text: str, most: int, place: Place) -> int:
    number = number_of(text)
    if number is None or number > most:
        _refuse(word, place, f"{NUMBER_FORMS} up to {most}, or x, k or s, after =")
    return number


def _take_line(bits: _Bits, line: str, place: Place) -> None:
    """ "1:ecx=..." or "7,0:ebx=...,ecx=..."."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        hint = 'names stand in one text: cpuid = "host,htt=0"' if line.startswith("host") else None
        _refuse(line, place, _LINE_FORM, hint)
    leaf = number_of(match[1].strip())
    subleaf = None if match[2] is None else number_of(match[2].strip())
    for number, text in ((leaf, match[1]), (subleaf, match[2])):
        if text is not None and (number is None or number >= (1 << 32) - 1):
            _refuse(line, place, f"{NUMBER_FORMS} of 32 bits as leaf and subleaf, not {shown(text)}")
    assert leaf is not None
    registers = bits.registers(leaf, subleaf)
    for part in match[3].split(","):
        register, sign, text = part.strip().partition("=")
        if not sign or register not in REGISTERS:
            _refuse(line, place, f"eax, ebx, ecx or edx, and =, not {shown(part.strip())}")
        if len(text) != _REGISTER_BITS or set(text) - set(_BITS):
            _refuse(
                line, place, f"{_REGISTER_BITS} of 0 1 x k s after {register}=, found {len(text)} of them"
            )
        registers[REGISTERS.index(register)] = text


def _with(whole: str, lowest: int, bits: str) -> str:
    """The bits in their place; the highest stands first."""
    end = len(whole) - lowest
    return whole[: end - len(bits)] + bits + whole[end:]


def _refuse(read: str, place: Place, expected: str, hint: str | None = None) -> NoReturn:
    said = f"cpuid holds {shown(read)}, expected {expected}"
    raise ConfigError.at(place, said, option="cpuid", value=shown(read)[1:-1], hint=hint)
