"""xl mem-set, and sizes as it takes them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.call import Call

#: How many bits a unit is above the byte.
SHIFTS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
KIB_BITS = 10
#: What a KiB count of the bus may be: 64 bits of bytes.
MOST_KIB = 1 << 54


def mem_set(call: Call) -> int:
    """xl mem-set."""
    domain, size = call.arguments
    target = kib(size)
    if target is None:
        raise call.usage(f"invalid memory size {size!r}: a number with b, k, m, g or t")
    call.operate("domain.set_memory", domain=domain, target_kib=target)
    return 0


def kib(size: str) -> int | None:
    """The size in KiB, rounded down; MiB without suffix; None if it is none."""
    digits, suffix = (size[:-1], size[-1].lower()) if size and not size[-1].isdigit() else (size, "m")
    if not (digits.isascii() and digits.isdigit()) or suffix not in SHIFTS or len(digits) > 20:
        return None
    found = int(digits) << SHIFTS[suffix] >> KIB_BITS
    return found if 0 < found < MOST_KIB else None
