"""XenbusState as the simulated kernels read it."""

from xend.device.xenbus import XenbusState

__all__ = ["XenbusState", "parse_state"]


def parse_state(text: str | None) -> XenbusState:
    """The state that a node says; UNKNOWN for a missing node and for nonsense."""
    return XenbusState.parse(None if text is None else text.encode())
