"""What a domain's configuration is made of, as records of this xend and of older ones have it."""

import random
from typing import Any

import attrs

from xend.domain.source import Source, addresses_of, source_of

TEXT = """
kernel = "/netbsd"
memory = 32
vif = [ "bridge=a", "mac=00:16:3e:00:00:09,bridge=b" ]
disk = [ "phy:/d,xvda,w" ]
"""
#: As written before addresses were kept by type.
OLD = {
    "text": TEXT, "file": "old", "name": "old", "directory": "/", "extra": [], "path": None, "renamed": None,
    "uuid": "00000000-0000-0000-0000-000000000001", "macs": ["00:16:3e:00:00:01", "00:16:3e:00:00:09"],
    "changes": [
        {"kind": "vif", "spec": "bridge=c", "mac": "00:16:3e:00:00:03", "devid": 2},
        {"kind": "vbd", "spec": "file:e,xvdb,w", "directory": "/x", "devid": 51728},
        {"kind": "vif", "devid": 0},
    ],
}  # fmt: skip


def macs(source: Source) -> list[str]:
    return [vif.mac for vif in source.config().of_kind("vif")]


def test_a_record_of_an_older_xend_is_understood() -> None:
    source = source_of(OLD)
    assert macs(source) == ["00:16:3e:00:00:09", "00:16:3e:00:00:03"]
    assert [disk.target for disk in source.config().of_kind("vbd")] == ["/d", "/x/e"]


def test_a_record_is_read_as_it_was_written() -> None:
    source = source_of(OLD)
    assert source_of(attrs.asdict(source)) == source


def test_addresses_are_chosen_where_the_text_gives_none() -> None:
    fields: dict[str, Any] = {**OLD, "changes": []}
    config = source_of(fields).config()
    assert addresses_of(config, random.Random(1)) == {"vif": fields["macs"]}
    bare = attrs.evolve(config, devices={"vif": [attrs.evolve(config.of_kind("vif")[0], mac=None)]})
    ((made,),) = addresses_of(bare, random.Random(1)).values()
    assert made.startswith("00:16:3e:")
