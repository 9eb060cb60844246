"""A PCI function of the simulated host, as it is after boot."""

from collections.abc import Sequence

import attrs

from xend.pci.address import Address

__all__ = ["CARDS", "Card"]


@attrs.frozen(kw_only=True)
class Card:
    """One function.

    Attributes:
        driver: of dom0's, that has it after boot; "": none has.
        ports: I/O ports, each range as (first, how many).
        memory: in bytes, each range as (first, how many).
        bios_irq, irq: its interrupt line as the firmware left it, and as it is once a driver has it.
        reset: "works", "fails", or "none": the kernel has no way to reset it.
    """

    address: Address
    driver: str = "e1000"
    ports: Sequence[tuple[int, int]] = ()
    memory: Sequence[tuple[int, int]] = ()
    bios_irq: int = 10
    irq: int
    reset: str = "works"


#: Those of a host of which nothing else is said: a network card with two ports, and one that cannot be reset.
CARDS = (
    Card(
        address=Address(0, 1, 0, 0), driver="igb", ports=[(0xE000, 0x20)], memory=[(0xF0000000, 0x20000)],
        irq=16,
    ),
    Card(
        address=Address(0, 1, 0, 1), driver="igb", ports=[(0xE020, 0x20)], memory=[(0xF0020000, 0x20000)],
        irq=17,
    ),
    Card(
        address=Address(0, 2, 0, 0), driver="e1000", ports=[(0xC000, 0x40)], memory=[(0xF1000000, 0x20000)],
        irq=18, reset="none",
    ),
)  # fmt: skip
