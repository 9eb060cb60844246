"""What the toolstack notes of PCI functions in the store: /libxl/pci/SSSS-BB-DD-F (guests.md 5.2, 5.3).

Only dom0 reads and writes there.  driver_path, name and domid are libxl's; granted is xend's own: what a
domain was given with a function, so that it can be taken back even if the card is gone by then.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import attrs

from xenclient.store.aio import Client, Transaction
from xenclient.store.operations import write
from xend.device.nodes import children, removed, texts, value
from xend.hypervisor import HostAccess
from xend.pci.address import Address
from xenstore.errors import ENOENT

__all__ = ["TOP", "Granted", "Noted"]

TOP = "/libxl/pci"
KEYS = ("driver_path", "name", "domid", "granted")
_DIRECTORY = re.compile(r"([0-9a-f]{4})-([0-9a-f]{2})-([0-9a-f]{2})-([0-7])", re.ASCII)
_PAIR = re.compile(r"([0-9a-f]{1,16})\+([0-9a-f]{1,16})", re.ASCII)


@attrs.frozen(kw_only=True)
class Granted:
    """What a domain has with a function.

    Attributes:
        access: ports, memory, interrupt.
        is_assigned: the IOMMU lets the function reach that domain's memory, and no other.
    """

    access: HostAccess
    is_assigned: bool = False

    def as_text(self) -> str:
        """One line: "assigned=1 ports=c000+40 memory=f0000+20 irq=10", numbers in hexadecimal."""
        words = [f"assigned={int(self.is_assigned)}"]
        words += [f"ports={first:x}+{count:x}" for first, count in self.access.ports]
        words += [f"memory={first:x}+{count:x}" for first, count, _ in self.access.memory]
        words += [f"irq={irq:x}" for irq in self.access.irqs]
        return " ".join(words)

    @classmethod
    def parse(cls, text: str) -> "Granted":
        """That of a line; words that are none of these mean nothing."""
        ports, memory, irqs, is_assigned = [], [], [], False
        for key, _, word in (each.partition("=") for each in text.split()):
            pair = _PAIR.fullmatch(word)
            if key == "assigned":
                is_assigned = word == "1"
            elif key == "irq" and re.fullmatch("[0-9a-f]{1,8}", word):
                irqs.append(int(word, 16))
            elif pair is not None:
                first, count = int(pair[1], 16), int(pair[2], 16)
                if key == "ports":
                    ports.append((first, count))
                elif key == "memory":
                    memory.append((first, count, first))
        return cls(access=HostAccess(ports=ports, memory=memory, irqs=irqs), is_assigned=is_assigned)

    def without(self, others: "Sequence[Granted]") -> "Granted":
        """What is left if others keep what they have: an interrupt line or a page may be of several."""
        kept = [each.access for each in others]
        access = HostAccess(
            ports=[each for each in self.access.ports if not any(each in other.ports for other in kept)],
            memory=[each for each in self.access.memory if not any(each in other.memory for other in kept)],
            irqs=[each for each in self.access.irqs if not any(each in other.irqs for other in kept)],
        )
        return attrs.evolve(self, access=access)


class Noted:
    """The notes, over a store; what raises XenstoreError or ClientError says so nowhere else."""

    def __init__(self, store: Client) -> None:
        self._store = store

    async def all(self) -> dict[Address, Mapping[str, str]]:
        """The notes of each function of which there are some, by rising address."""
        found: dict[Address, Mapping[str, str]] = {}
        for directory in sorted(await children(self._store, TOP)):
            if match := _DIRECTORY.fullmatch(directory):
                segment, bus, device, function = (int(word, 16) for word in match.groups())
                notes = await texts(self._store, f"{TOP}/{directory}", KEYS)
                found[Address(segment, bus, device, function)] = notes
        return found

    async def named(self, name: str) -> Address | None:
        """The function that has a name; None: none has."""
        return next((where for where, notes in (await self.all()).items() if notes.get("name") == name), None)

    async def read(self, address: Address, key: str) -> str | None:
        """One note; None: there is none."""
        data = await value_of_key(self._store, address, key)
        return None if data is None else data.decode("utf-8", "replace")

    async def write(self, address: Address, **notes: str) -> None:
        """Make notes."""
        top = f"{TOP}/{address.key}"
        await self._store.together(*(write(f"{top}/{key}", text) for key, text in notes.items()))

    async def remove(self, address: Address, *keys: str) -> None:
        """Remove notes, and the directory if it is empty then."""
        top = f"{TOP}/{address.key}"

        async def body(tx: Transaction) -> None:
            await tx.together(*(removed(f"{top}/{key}") for key in keys))
            for path in (top, TOP):
                with suppress(ENOENT):
                    if not await tx.directory(path):
                        await tx.rm(path)

        await self._store.run_transaction(body)

    async def claim(self, address: Address, domid: int, before: int | None) -> bool:
        """Note that a domain has a function, if the note is still the one that was seen before."""

        async def body(tx: Transaction) -> bool:
            try:
                now = (await tx.read(f"{TOP}/{address.key}/domid")).decode("utf-8", "replace")
            except ENOENT:
                now = ""
            if now != str(domid):
                if now != ("" if before is None else str(before)):
                    return False
                await tx.write(f"{TOP}/{address.key}/domid", str(domid))
            return True

        return await self._store.run_transaction(body)

    async def of_domain(self, domid: int) -> dict[Address, Mapping[str, str]]:
        """The notes of the functions that a domain has."""
        notes = await self.all()
        return {where: each for where, each in notes.items() if each.get("domid") == str(domid)}


async def value_of_key(store: Client, address: Address, key: str) -> bytes | None:
    """The bytes of one note; None: there is none."""
    (found,) = await store.together(value(f"{TOP}/{address.key}/{key}"))
    return found if isinstance(found, bytes) else None
