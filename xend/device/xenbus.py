"""The states of either end of a device (xen/include/public/io/xenbus.h)."""

from enum import IntEnum


class XenbusState(IntEnum):
    """UNKNOWN stands for a missing node, too."""

    UNKNOWN = 0
    INITIALISING = 1
    INIT_WAIT = 2
    INITIALISED = 3
    CONNECTED = 4
    CLOSING = 5
    CLOSED = 6
    RECONFIGURING = 7
    RECONFIGURED = 8

    @classmethod
    def parse(cls, value: bytes | None) -> "XenbusState":
        """What a `state` node says; anything that is no state, as a guest may write, is UNKNOWN."""
        if value is None or not value.isdigit() or len(value) > 1 or int(value) > cls.RECONFIGURED:
            return cls.UNKNOWN
        return cls(int(value))

    def __str__(self) -> str:
        """As people know it: "InitWait (2)"."""
        return f"{self.name.title().replace('_', '')} ({self.value})"
