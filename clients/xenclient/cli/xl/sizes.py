"""Sizes as xl takes them: a number and the letter of a unit."""

from __future__ import annotations

from xenclient.cli.xl.call import Call

#: How many bits a unit is above the byte.
SHIFTS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
KIB_BITS = 10
#: What a KiB count of the bus may be: 64 bits of bytes.
MOST_KIB = 1 << 54


def size_kib(call: Call, word: str) -> int:
    """The size of an argument SIZE[bkmgt], in KiB.

    Raises:
        Failure: it is none.
    """
    found = kib(word)
    if found is None:
        raise call.usage_error(f"invalid memory size {word!r}: a number with b, k, m, g or t")
    return found


def kib(size: str) -> int | None:
    """The size in KiB, rounded down; MiB without suffix; None if it is none."""
    digits, suffix = (size[:-1], size[-1].lower()) if size and not size[-1].isdigit() else (size, "m")
    if not (digits.isascii() and digits.isdigit()) or suffix not in SHIFTS or len(digits) > 20:
        return None
    found = int(digits) << SHIFTS[suffix] >> KIB_BITS
    return found if 0 < found < MOST_KIB else None
