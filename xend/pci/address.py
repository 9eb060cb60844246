"""Where a PCI function is: SEGMENT:BUS:DEVICE.FUNCTION, in hexadecimal."""

import re
from typing import Self

import attrs

__all__ = ["Address"]

#: A segment may be left out, and leading zeros too, as by xl (libxlu_pci.c).
_GIVEN = re.compile(r"(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{1,8}):([0-9a-fA-F]{1,8})\.([0-7]|\*)", re.ASCII)
MAX_SEGMENT, MAX_BUS, MAX_DEVICE = 0xFFFF, 0xFF, 0x1F
#: How many functions a device has at most.
FUNCTIONS = 8


@attrs.frozen(order=True)
class Address:
    """One function of a PCI device."""

    segment: int
    bus: int
    device: int
    function: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """That of a text; None: it is none, or means all functions of a device."""
        found = cls.parse_any(text)
        return None if found is None or found[1] else found[0]

    @classmethod
    def parse_any(cls, text: str) -> tuple[Self, bool] | None:
        """The address that a text means, and whether all functions of the device are meant ("01:00.*"), of
        which the address is the first; None: it is none."""
        match = _GIVEN.fullmatch(text)
        if match is None:
            return None
        segment, bus, device = (int(match[number] or "0", 16) for number in (1, 2, 3))
        if segment > MAX_SEGMENT or bus > MAX_BUS or device > MAX_DEVICE:
            return None
        is_whole = match[4] == "*"
        return cls(segment, bus, device, 0 if is_whole else int(match[4])), is_whole

    def __str__(self) -> str:
        """As Linux and NetBSD name it: "0000:01:00.0"."""
        return f"{self.segment:04x}:{self.bus:02x}:{self.device:02x}.{self.function:x}"

    @property
    def slot(self) -> str:
        """The device, without the function: "0000:01:00"."""
        return str(self).partition(".")[0]

    @property
    def key(self) -> str:
        """Its directory's name below /libxl/pci: "0000-01-00-0"."""
        return re.sub("[:.]", "-", str(self))

    @property
    def number(self) -> int:
        """As the hypervisor counts functions: segment, bus, device and function in 32 bits."""
        return self.segment << 16 | self.bus << 8 | self.device << 3 | self.function
