"""Who has which disk: found by what disks are, not by what they are called.

A claim is as old as its disk's way into the domain, and holds what was there then: a symlink that was turned
since does not free what the domain writes to.
"""

from collections.abc import Iterable

import attrs

from xend.config import DomainConfig
from xend.config.disk import DiskConfig
from xend.device.kinds import IN_ORDER
from xend.disk import Identity, Thing


def disks_of(config: DomainConfig) -> list[DiskConfig]:
    """What of a configuration no two domains may write to."""
    return [disk for kind in IN_ORDER if kind.is_disk for disk in config.of_kind(kind.name)]


@attrs.define(eq=False)
class Claim:
    """One disk of one domain; `name` is the domain's, `backing` is what its image lies on and reads."""

    uuid: str
    name: str
    disk: DiskConfig
    identity: Identity
    backing: tuple[Identity, ...] = ()

    @property
    def writes(self) -> bool:
        return self.disk.mode.startswith("w")


class Claims:
    """All of them, by domain, by what they are and by what they lie on."""

    def __init__(self) -> None:
        #: By ("uuid", uuid), ("own", thing), ("below", thing) and ("backing", thing).
        self._index: dict[tuple[str, str | Thing], list[Claim]] = {}

    def of(self, uuid: str) -> list[Claim]:
        """Those of a domain, oldest first."""
        return self._at("uuid", [uuid])

    def add(self, claim: Claim) -> None:
        """Enter one."""
        for key in _keys(claim):
            self._index.setdefault(key, []).append(claim)

    def remove(self, claim: Claim) -> None:
        """Take one out that is in."""
        for key in _keys(claim):
            self._index[key].remove(claim)
            if not self._index[key]:
                del self._index[key]

    def release(self, uuid: str) -> None:
        """A domain has no disk any more."""
        for claim in self.of(uuid):
            self.remove(claim)

    def rename(self, uuid: str, name: str) -> None:
        """A domain is called otherwise."""
        for claim in self.of(uuid):
            claim.name = name

    def keep(self, uuid: str, disks: Iterable[DiskConfig]) -> None:
        """A domain has these disks and no other: what was claimed for one that did not come is free."""
        left = list(disks)
        for claim in self.of(uuid):
            if claim.disk in left:
                left.remove(claim.disk)
            else:
                self.remove(claim)

    def renew(self, uuid: str, devid: int) -> None:
        """A domain's device was put in anew: what it was before, by the same name perhaps, is free."""
        for claim in [each for each in self.of(uuid) if each.disk.devid == devid][:-1]:
            self.remove(claim)

    def meeting(self, identity: Identity) -> list[Claim]:
        """Those of all domains whose disks share bytes with this one."""
        own, below = [identity.own.thing], _things(identity)
        near = [*self._at("own", own), *self._at("below", own), *self._at("own", below)]
        return [claim for claim in dict.fromkeys(near) if identity.relation(claim.identity)]

    def backed_by(self, identity: Identity) -> list[Claim]:
        """Those whose images lie on this disk, or on some of its bytes."""
        near = self._at("backing", [identity.own.thing, *_things(identity)])
        return [
            claim for claim in dict.fromkeys(near) if any(identity.relation(each) for each in claim.backing)
        ]

    def _at(self, kind: str, which: Iterable[str | Thing]) -> list[Claim]:
        return [claim for each in which for claim in self._index.get((kind, each), ())]


def _keys(claim: Claim) -> list[tuple[str, str | Thing]]:
    below = [("below", thing) for thing in _things(claim.identity)]
    things = {thing for each in claim.backing for thing in (each.own.thing, *_things(each))}
    backing = [("backing", thing) for thing in sorted(things, key=repr)]
    return [("uuid", claim.uuid), ("own", claim.identity.own.thing), *below, *backing]


def _things(identity: Identity) -> list[Thing]:
    """What it lies on; each once."""
    return sorted({extent.thing for extent in identity.below}, key=repr)
