"""What dom0's backends have counted, as its system tells it: one module for each system."""

from xend.counters.figures import Counters, DiskCounters, InterfaceCounters, NumberOf, Place

__all__ = ["Counters", "DiskCounters", "InterfaceCounters", "NumberOf", "Place", "system_counters"]


def system_counters(platform: str) -> Counters:
    """Those of the system that this program runs on, by sys.platform."""
    if platform.startswith("netbsd"):
        from xend.counters.netbsd import NetBSDCounters

        return NetBSDCounters()
    from xend.counters.linux import LinuxCounters

    return LinuxCounters()
