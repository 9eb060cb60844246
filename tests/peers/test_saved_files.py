"""Saved domains between xend and Debian's own xl: each reads the other's header and configuration."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import need, preloaded
from tests.peers.offline_xl import XL
from xend.config.domain import parse
from xend.config.from_libxl import config_of_json, text_of
from xend.config.listing import as_json
from xend.domain.saved_file import header_of
from xend.domain.source import Source, addresses_of
from xend.stream import header, records
from xend.stream.reader import Reader

TEXT = """
name = "guest"
type = "{type}"
kernel = "/boot/kernel"
cmdline = "a b \\"c\\""
memory = 160
maxmem = 256
vcpus = 2
maxvcpus = 3
uuid = "11111111-2222-3333-4444-555555555555"
vif = [ "bridge=xenbr0,mac=00:16:3e:01:02:03,rate=10MB/s", "mac=00:16:3e:01:02:04" ]
disk = [ "vdev=xvda,format=raw,access=rw,target=/run/a,b.img", "/run/c.img,raw,xvde,r" ]
on_crash = "restart"
on_watchdog = "coredump-restart"
"""


def source(type: str) -> Source:
    text = TEXT.format(type=type)
    config = parse(text, source="x")
    assert config.uuid
    addresses = addresses_of(config, random.Random(1))
    return Source(
        text=text, file="x", name=None, directory=None, extra=[], uuid=config.uuid, addresses=addresses
    )


def xl(*words: str, **environment: str) -> str:
    need(XL)
    done = subprocess.run(
        [XL, *words],
        env={
            **os.environ,
            "LD_PRELOAD": f"{preloaded('xl_offline')} {preloaded('xl_saves')}",
            "LC_ALL": "C",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("type", ["pv", "pvh", "hvm"])
def test_ours_is_read_by_xl(tmp_path: Path, type: str) -> None:
    front = header_of(source(type), 163840, 8)
    file = tmp_path / "ours"
    file.write_bytes(header.pack(front) + records.BEFORE)
    said = xl("restore", "-e", "-p", "-d", str(file))
    assert "restored from 15 bytes: LibxlFmt" in said  # it passed over what is xend's own
    understood, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])
    expected = as_json(source(type).config(), None, 8)["config"]
    for key in ("name", "type", "uuid"):
        assert understood["c_info"][key] == expected["c_info"][key]
    for key in ("max_vcpus", "avail_vcpus", "max_memkb", "target_memkb", "kernel", "cmdline"):
        assert understood["b_info"][key] == expected["b_info"][key]
    for key in ("disks", "nics"):
        for theirs, ours in zip(understood[key], expected[key], strict=True):
            assert {name: theirs.get(name) for name in ours} == ours
    assert understood["on_watchdog"] == "coredump_restart"


def test_a_machine_has_no_more_memory_than_before() -> None:
    """Nor has one that is restored, by whom ever, whose pages are a few more than its memory."""
    for type, most in (("pv", 262500), ("hvm", 262144)):
        front = header_of(source(type), 262500, 8)
        assert front.config is not None
        build = json.loads(front.config)["b_info"]
        assert (build["target_memkb"], build["max_memkb"]) == (most, most)


@pytest.mark.parametrize("type", ["pv", "pvh", "hvm"])
def test_xls_is_read_by_us(tmp_path: Path, type: str) -> None:
    config = as_json(source(type).config(), None, 8)["config"]
    file = tmp_path / "theirs"
    assert "saved\n" in xl("save", "guest", str(file), JSON=json.dumps(config))
    fd = os.open(file, os.O_RDONLY)
    try:
        front = header.read(Reader.of(fd))
    finally:
        os.close(fd)
    assert (front.is_json, front.own) == (True, b"")
    assert front.config is not None
    text = text_of(config_of_json(front.config))
    assert as_json(parse(text, source="theirs"), None, 8)["config"] == config
