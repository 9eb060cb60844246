"""When two disks are one: extents of one thing, and what lies on what."""

import msgpack
import pytest

from xend.disk import Extent, Identity, Relation

A = Identity(Extent(("block", "8:0")))
A1, A2 = A.part(1024, 4096), A.part(5120, 4096)
ACROSS = A.part(2048, 4096)
VOLUME = Identity(Extent(("block", "253:0")), frozenset([A1.own]))
OTHER_VOLUME = Identity(Extent(("block", "253:1")), frozenset([A1.own]))
FILE = Identity(Extent(("file", 1, 8)))

#: This one, the other one, what the other is to it, and back.
ROWS: list[tuple[Identity, Identity, Relation | None, Relation | None]] = [
    (A, A, "same", "same"),
    (A, A1, "part", "whole"),
    (A1, A2, None, None),
    (A1, ACROSS, "across", "across"),
    (ACROSS, A2, "across", "across"),
    (A1, A1.part(0, None), "same", "same"),
    (A1, A1.part(4096, 512), None, None),
    (A1, VOLUME, "above", "below"),
    (A, VOLUME, "above", "below"),
    (A2, VOLUME, None, None),
    (VOLUME, OTHER_VOLUME, None, None),
    (VOLUME.part(0, 512), VOLUME.part(512, 512), None, None),
    (VOLUME.part(0, 512), A1, "below", "above"),
    (FILE, Identity(Extent(("file", 1, 9))), None, None),
    (FILE, FILE.part(512, None), "part", "whole"),
]


@pytest.mark.parametrize(("this", "other", "relation", "back"), ROWS)
def test_relations(this: Identity, other: Identity, relation: Relation | None, back: Relation | None) -> None:
    assert (this.relation(other), other.relation(this)) == (relation, back)


def test_a_part_does_not_reach_beyond_its_whole() -> None:
    assert A1.part(1024, 1 << 40).own == Extent(("block", "8:0"), 2048, 5120)


@pytest.mark.parametrize("identity", [A, A1, VOLUME, FILE])
def test_an_identity_is_kept_as_it_is(identity: Identity) -> None:
    assert Identity.unpacked(msgpack.unpackb(msgpack.packb(identity.packed()))) == identity
