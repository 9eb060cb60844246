"""Which start of the host this is: what a store knew before another one means nothing any more."""

import time
from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")
#: Where a host is known by when it started: setting its clock moves that, by less than this.
_TOLERANCE_SECONDS = 600.0


def identity() -> str:
    """Which start of the host this is, in at most 64 bytes: Linux's boot_id, else the second it began in."""
    try:
        return f"boot_id {_LINUX.read_text().strip()}"
    except OSError:
        return f"boottime {time.time() - time.monotonic():.0f}"


def same(one: str, other: str) -> bool:
    """Whether two identities are of the same start."""
    kind, _, value = one.partition(" ")
    other_kind, _, other_value = other.partition(" ")
    if kind != other_kind or kind != "boottime":
        return one == other
    try:
        return abs(float(value) - float(other_value)) <= _TOLERANCE_SECONDS
    except ValueError:
        return False  # a damaged one
