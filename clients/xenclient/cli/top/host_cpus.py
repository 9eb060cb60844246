"""How busy the CPUs of the host are, as newer xentops show it with -p (Xen's tools/xentop/pcpu.c)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_RULE = "+-------+--------+"


def busy_percents(answer: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[float]:
    """Of each CPU, since the look before; 0 where there is none to compare with.

    answer, before: of stats.list with `cpus`.
    """
    import struct

    idle, was = _microseconds(answer), [] if before is None else _microseconds(before)
    if before is None or before["epoch"] != answer["epoch"] or len(was) < len(idle):
        return [0.0] * len(idle)
    passed = answer["at_ns"] // 1000 - before["at_ns"] // 1000
    if passed <= 0:
        return [0.0] * len(idle)
    busy = [100.0 * (1.0 - (now - then) / passed) for now, then in zip(idle, was, strict=False)]
    # In single precision, as Xen's keeps it: it is rounded once more as it is printed.
    return [struct.unpack("f", struct.pack("f", min(100.0, max(0.0, each))))[0] for each in busy]


def table(percents: Sequence[float]) -> list[str]:
    """The lines below all domains."""
    rows = [f"| {number:<5} | {percent:5.1f}% |" for number, percent in enumerate(percents)]
    return ["", "Physical CPU Usage:", _RULE, "| Core  | Usage  |", _RULE, *rows, _RULE]


def _microseconds(answer: Mapping[str, Any]) -> list[int]:
    return [each // 1000 for each in answer.get("idle_ns", ())]
