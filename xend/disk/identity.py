"""What a disk is: the bytes that would be overwritten, whatever the path is that leads to them.

Two paths are one disk when the system says so: `Disks` asks it, one module for each system.  Nothing here
compares names.
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import attrs

#: What holds bytes of its own: ("file", device, inode), ("block", "8:0"), ("disk", "wd", 0) and others.
Thing = tuple[str | int, ...]
#: What an identity is to another one, see Identity.relation.
Relation = Literal["same", "part", "whole", "across", "above", "below"]


@attrs.frozen
class Extent:
    """Some bytes of a thing.

    Attributes:
        begin, end: in bytes; end None: as far as the thing goes.
    """

    thing: Thing
    begin: int = 0
    end: int | None = None

    def part(self, begin: int, size: int | None) -> "Extent":
        """Bytes within these: from `begin` of them, `size` of them (None: all that follow)."""
        begin += self.begin
        ends = [end for end in (self.end, None if size is None else begin + size) if end is not None]
        return Extent(self.thing, begin, min(ends, default=None))

    def overlaps(self, other: "Extent") -> bool:
        """Whether there is a byte in both."""
        return (
            self.thing == other.thing
            and (self.end is None or other.begin < self.end)
            and (other.end is None or self.begin < other.end)
        )

    def covers(self, other: "Extent") -> bool:
        """Whether all of the other's bytes are in this one."""
        if self.thing != other.thing or other.begin < self.begin:
            return False
        return self.end is None or (other.end is not None and other.end <= self.end)


@attrs.frozen
class Identity:
    """What a disk is.

    Attributes:
        own: where its bytes are: a partition's are its whole disk's, those of a loop device or a vnd are
            its file's.
        below: what it is made of where that is not told byte by byte: what a logical volume or a RAID lies
            on.  Two volumes of one physical volume do not meet; either of them and the physical volume do.
    """

    own: Extent
    below: frozenset[Extent] = frozenset()

    def part(self, begin: int, size: int | None) -> "Identity":
        """That of bytes within it, as of Extent.part."""
        return attrs.evolve(self, own=self.own.part(begin, size))

    def relation(self, other: "Identity") -> Relation | None:
        """What the other one is to this one; None: writing to one does not touch the other.

        "part": of this, "whole": of which this is a part, "across": they share some bytes, "above": it lies
        on this, "below": this lies on it.
        """
        if self.own == other.own:
            return "same"
        if self.own.overlaps(other.own):
            if self.own.covers(other.own):
                return "part"
            return "whole" if other.own.covers(self.own) else "across"
        if any(self.own.overlaps(extent) for extent in other.below):
            return "above"
        return "below" if any(other.own.overlaps(extent) for extent in self.below) else None

    def packed(self) -> list[Any]:
        """As MessagePack takes it."""
        extents = [self.own, *sorted(self.below, key=repr)]
        return [[list(extent.thing), extent.begin, extent.end] for extent in extents]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "Identity":
        """From what `packed` gave."""
        own, *below = [Extent(tuple(thing), begin, end) for thing, begin, end in packed]
        return cls(own, frozenset(below))


@attrs.frozen
class Use:
    """What dom0 itself does with a disk.

    Attributes:
        name: of the disk, as dom0 calls it.
        how: for people: "mounted on /home".
    """

    identity: Identity
    name: str
    how: str
    writes: bool


class Disks(ABC):
    """What a system says of its files and devices."""

    def of_path(self, path: str) -> Identity:
        """What a path leads to at present.

        Raises:
            OSError: it leads nowhere.
        """
        return self.of_status(self.stat(path))

    def of_status(self, status: os.stat_result) -> Identity:
        """What stat(2) found."""
        if stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
            return self.of_node(status)
        return Identity(file_extent(status.st_dev, status.st_ino))

    def stat(self, path: str) -> os.stat_result:
        """stat(2)."""
        return os.stat(path)

    @abstractmethod
    def of_node(self, status: os.stat_result) -> Identity:
        """The device of a block or character node."""

    @abstractmethod
    def used_by_dom0(self) -> Iterator[Use]:
        """What dom0 has mounted, and swaps to; what cannot be asked for is left out."""


def file_extent(device: int, inode: int) -> Extent:
    """All of a file, by st_dev and st_ino."""
    return Extent(("file", device, inode))
