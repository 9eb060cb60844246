"""CPUs, or NUMA nodes, as tables print them (toolstack.md section 8)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def cpus_text(cpus: Sequence[int], number: int) -> str:
    """Those of a host that has so many: "all", "none", or ranges: "0-3,6"."""
    if len(cpus) >= number:
        return "all"
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    return ",".join(words) or "none"
