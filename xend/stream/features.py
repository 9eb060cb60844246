"""Features of processors: what leaves of CPUID say of them, by the names of cpuid in xl.cfg(5).

Source: xen/include/public/arch-x86/cpufeatureset.h
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from xend.config.cpuid_names import FIELDS, REGISTERS
from xend.hypervisor.control import Leaf

__all__ = ["lacking", "leaves_of"]

#: Leaves whose registers are made of features, with those of their registers that are.
_REGISTERS: Mapping[tuple[int, int], Sequence[str]] = {
    (0x1, 0): ("ecx", "edx"),
    (0x7, 0): ("ebx", "ecx", "edx"),
    (0x7, 1): ("eax", "ebx", "ecx", "edx"),
    (0x7, 2): ("edx",),
    (0xD, 1): ("eax",),
    (0x80000001, 0): ("ecx", "edx"),
    (0x80000007, 0): ("edx",),
    (0x80000008, 0): ("ebx",),
    (0x80000021, 0): ("eax",),
}
#: What says how things are now, or what is not there or not amiss, in place of what can be used.
_NO_FEATURES = {
    "osxsave", "ospke", "apic", "hypervisor", "htt", "cmp-legacy", "cmplegacy", "fdp-excp-only",
    "no-fpu-sel", "rstr-fp-err-ptrs", "no-lmsl", "ssb-no", "btc-no", "mcdt-no", "srso-no", "srso-us-no",
    "ia64", "psn",
}  # fmt: skip
#: On AMD's processors these repeat what leaf 1 says in edx.
_REPEATED = 0x0183F3FF
#: The subleaf of a leaf that has none (XEN_CPUID_NO_SUBLEAF).
_NO_SUBLEAF = 0xFFFFFFFF


def _names() -> dict[tuple[int, int, str], dict[int, str]]:
    """By leaf, subleaf and register: the name of each bit, the first one that it has."""
    found: dict[tuple[int, int, str], dict[int, str]] = {}
    for name, (leaf, subleaf, register, bit, width) in FIELDS.items():
        if leaf is not None and width == 1:
            found.setdefault((leaf, subleaf or 0, register), {}).setdefault(bit, name)
    return found


_NAMES = _names()


def lacking(seen: Iterable[Leaf], there: Iterable[Leaf]) -> list[str]:
    """Names of the features that some leaves have and others lack; a bit without a name by its place."""
    known = {(leaf, _plain(subleaf)): words for leaf, subleaf, *words in there}
    found: list[str] = []
    for leaf, subleaf, *words in seen:
        place = leaf, _plain(subleaf)
        has = known.get(place, (0, 0, 0, 0))
        for register in _REGISTERS.get(place, ()):
            index = REGISTERS.index(register)
            found += _bits(place, register, words[index] & ~has[index])
    return list(dict.fromkeys(found))


def leaves_of(names: Iterable[str]) -> list[Leaf]:
    """Leaves that have just these features."""
    found: dict[tuple[int, int], list[int]] = {}
    for name in names:
        leaf, subleaf, register, bit, _ = FIELDS[name]
        if leaf is not None:
            words = found.setdefault((leaf, _NO_SUBLEAF if subleaf is None else subleaf), [0] * 4)
            words[REGISTERS.index(register)] |= 1 << bit
    return [(leaf, subleaf, eax, ebx, ecx, edx) for (leaf, subleaf), (eax, ebx, ecx, edx) in found.items()]


def _bits(place: tuple[int, int], register: str, word: int) -> Iterator[str]:
    if (place[0], register) == (0x80000001, "edx"):
        word &= ~_REPEATED
    names = _NAMES.get((*place, register), {})
    for bit in range(32):
        if word >> bit & 1:
            name = names.get(bit, f"bit {bit} of {register} in leaf {place[0]:#x},{place[1]}")
            if name not in _NO_FEATURES:
                yield name


def _plain(subleaf: int) -> int:
    return 0 if subleaf == _NO_SUBLEAF else subleaf
