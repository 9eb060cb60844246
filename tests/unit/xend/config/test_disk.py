"""Disk specifications, new and old."""

from typing import Any

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config.disk import DiskConfig, parse_disk
from xend.config.place import Place
from xend.config.problem import Problem

PLACE = Place("foo.cfg", 4)
VDEV = "xvda, sda, hda (with or without a partition's number), d0p1, or a number such as 0x0"
WORDS = (
    "target=, format=, vdev=, access=, devtype=, backend=, backendtype=, script=, specification=, cdrom, "
    "direct-io-safe, discard, no-discard, trusted or untrusted"
)
PREFIXES = (
    "file:, phy:, tap:, tap2:, tapdisk:, aio:, ioemu:, raw:, qcow:, qcow2:, vhd:, "
    "iscsi:, nbd:, enbd: or drbd:"
)

XVDA = {"vdev": "xvda", "devid": 51712, "name": "xvda"}
HDC = {"vdev": "hdc", "devid": 5632, "name": "hdc"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    # by place
    ("/a,raw,xvda,rw", {"target": "/a", **XVDA}),
    ("/a,raw,xvda,w", {"target": "/a", **XVDA}),
    ("/a,raw,xvda,r", {"target": "/a", "mode": "r", **XVDA}),
    ("/a,raw,xvda,ro", {"target": "/a", "mode": "r", **XVDA}),
    ("/a,raw,xvda,w!", {"target": "/a", "mode": "w!", **XVDA}),
    ("/a,raw,xvda", {"target": "/a", **XVDA}),
    ("/a,raw,xvda,", {"target": "/a", **XVDA}),
    ("/a,,xvda,", {"target": "/a", **XVDA}),
    (" /a, qcow2, xvda, r ", {"target": "/a", "format": "qcow2", "mode": "r", **XVDA}),
    ("/a,vhd,xvda", {"target": "/a", "format": "vhd", **XVDA}),
    ("/a,qed,xvda", {"target": "/a", "format": "qed", **XVDA}),
    ("/a,qcow,xvda", {"target": "/a", "format": "qcow", **XVDA}),
    ("vg/lv,raw,xvda", {"target": "/dev/vg/lv", **XVDA}),
    ("/a:b,raw,xvda", {"target": "/a:b", **XVDA}),
    ("/a,xvda,w", {"target": "/a", **XVDA}),
    ("/a,hdc:cdrom,r", {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    # by key
    ("vdev=xvda,target=/a", {"target": "/a", **XVDA}),
    ("vdev=xvda,access=ro,format=qed,target=/a,b=c,",
     {"target": "/a,b=c", "mode": "r", "format": "qed", **XVDA}),
    ("/a,vdev=xvda,format=raw,access=rw,devtype=disk", {"target": "/a", **XVDA}),
    ("/a,,hdc,,cdrom", {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    ("/a,,hdc,r,devtype=cdrom", {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    (",,hdc,,cdrom", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    (",hdc:cdrom,r", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    (",empty,hdc:cdrom,r", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    ("format=empty, vdev=hdc, devtype=cdrom", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    ("cdrom,vdev=hdc", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    ("/a,,xvda,,backend=disks", {"target": "/a", "backend": "disks", **XVDA}),
    ("/a,,xvda,,backend=3", {"target": "/a", "backend": "3", **XVDA}),
    ("/a,,xvda,,backend=Domain-0", {"target": "/a", **XVDA}),
    ("/a,,xvda,,backendtype=phy", {"target": "/a", "backendtype": "phy", **XVDA}),
    ("/a,,xvda,,backendtype=qdisk", {"target": "/a", "backendtype": "qdisk", **XVDA}),
    ("/a,,xvda,,backendtype=tap", {"target": "/a", "backendtype": "tap", **XVDA}),
    ("/a,,xvda,,backendtype=standalone", {"target": "/a", "backendtype": "standalone", **XVDA}),
    ("iqn.x,,xvda,,script=block-iscsi", {"target": "iqn.x", "script": "block-iscsi", **XVDA}),
    ("script=/etc/xen/s,vdev=xvda,target=a=b", {"target": "a=b", "script": "/etc/xen/s", **XVDA}),
    ("/a,,xvda,,direct-io-safe", {"target": "/a", "direct_io_safe": True, **XVDA}),
    ("/a,,xvda,,discard", {"target": "/a", "discard": True, **XVDA}),
    ("/a,,xvda,,no-discard", {"target": "/a", "discard": False, **XVDA}),
    ("/a,,xvda,,untrusted", {"target": "/a", "trusted": False, **XVDA}),
    ("/a,,xvda,,trusted", {"target": "/a", **XVDA}),
    ("/a,,xvda,,specification=xen", {"target": "/a", **XVDA}),
    # as xm had it
    ("file:/n0/xen/foo-wd0,0x0,w", {"target": "/n0/xen/foo-wd0", "vdev": "0x0", "devid": 0, "name": "0x0"}),
    ("file:/n.iso,0x1,r", {"target": "/n.iso", "vdev": "0x1", "devid": 1, "name": "0x1", "mode": "r"}),
    ("phy:/dev/wd0e,0x301,w", {"target": "/dev/wd0e", "vdev": "0x301", "devid": 769, "name": "hda1"}),
    ("phy:wd0e,hda1,w", {"target": "/dev/wd0e", "vdev": "hda1", "devid": 769, "name": "hda1"}),
    ("phy:/a,xvda,w!", {"target": "/a", "mode": "w!", **XVDA}),
    ("phy:/a,xvda", {"target": "/a", **XVDA}),
    ("phy:/a,ioemu:hdc,w", {"target": "/a", **HDC}),
    ("phy:/a,ioemu:hdc:disk,w", {"target": "/a", **HDC}),
    ("phy:/a,hdc:cdrom,r", {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    ("phy:/a,ioemu:hdc:cdrom,r", {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    ("file:,hdc:cdrom,r", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    ("phy:,hdc:cdrom,r", {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    ("phy:/a,xvda,w,disks", {"target": "/a", "backend": "disks", **XVDA}),
    ("phy:/a=b,xvda,w", {"target": "/a=b", **XVDA}),
    ("tap:aio:/a,xvda,w", {"target": "/a", **XVDA}),
    ("format=qcow2,file:/a,xvda,w", {"target": "/a", "format": "qcow2", **XVDA}),
    ("vdev=xvda, cdrom, file:/a, r", {"target": "/a", "mode": "r", "is_cdrom": True, **XVDA}),
    ("tap2:qcow2:/a,xvda,w", {"target": "/a", "format": "qcow2", **XVDA}),
    ("tapdisk:/a,xvda", {"target": "/a", **XVDA}),
    ("ioemu:/a,xvda", {"target": "/a", **XVDA}),
    ("raw:/a,xvda", {"target": "/a", **XVDA}),
    ("qcow:/a,xvda", {"target": "/a", "format": "qcow", **XVDA}),
    ("vhd:/a,xvda", {"target": "/a", "format": "vhd", **XVDA}),
    ("iscsi:iqn.2001:x,xvda,w", {"target": "iqn.2001:x", "script": "block-iscsi", **XVDA}),
    ("nbd:host=a,xvda", {"target": "host=a", "script": "block-nbd", **XVDA}),
    ("enbd:1,xvda", {"target": "1", "script": "block-enbd", **XVDA}),
    ("drbd:r0,xvda", {"target": "r0", "script": "block-drbd", **XVDA}),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "expected"), GOOD)
def test_what_is_read(specification: str, expected: dict[str, Any]) -> None:
    assert parse_disk(specification, PLACE) == DiskConfig(**expected)


BAD = [
    ("", f"it has no vdev, expected {VDEV}"),
    ("/a", f"it has no vdev, expected {VDEV}"),
    ("phy:/a", f"it has no vdev, expected {VDEV}"),
    ("/a,raw,wd0,w", f'vdev "wd0", expected {VDEV}'),
    ("/a,raw,/dev/xvda", f'vdev "/dev/xvda", expected {VDEV}'),
    (",empty,hdc,r", "it has no target, expected a path (only a cdrom may be empty)"),
    ("/a,empty,hdc:cdrom,r", 'format "empty", expected raw, qcow, qcow2, vhd or qed, or no target'),
    (",raw,xvda,w", "it has no target, expected a path (only a cdrom may be empty)"),
    ("vdev=xvda", "it has no target, expected a path (only a cdrom may be empty)"),
    ("/a,iso,xvda,w", 'format "iso", expected raw, qcow, qcow2, vhd or qed'),
    ("/a,raw,xvda,x", 'access "x", expected r, ro, w, rw or w!'),
    ("/a,raw,xvda,W", 'access "W", expected r, ro, w, rw or w!'),
    ("/a,raw,hdc:floppy,r", 'devtype "floppy", expected cdrom or disk'),
    ("/a,,xvda,,devtype=tape", 'devtype "tape", expected cdrom or disk'),
    ("/a,,xvda,,backendtype=file", 'backendtype "file", expected phy, qdisk, standalone or tap'),
    ("/a,,xvda,,backend=a/b", "backend \"a/b\", expected a domain's name or domid"),
    ("/a,,xvda,,script=../x",
     'script "../x", expected the name of a file in the script directory, or an absolute path'),
    ("/a,,xvda,,script=/x/../y",
     'script "/x/../y", expected the name of a file in the script directory, or an absolute path'),
    ("/a,,xvda,,script=a b",
     'script "a b", expected the name of a file in the script directory, or an absolute path'),
    ("/a,,xvda,,specification=scsi", 'specification "scsi", expected xen or virtio'),
    ("/a,raw,xvda,w,more", f'found "more", expected {WORDS}'),
    ("/a,raw,xvda,w,size=3", f'found "size=", expected {WORDS}'),
    ("phy:/a,xvda,w,b,more", f'found "more", expected {WORDS}'),
    ("/a,raw,xvda,w,access=r", 'access is given twice, "w" and "r", expected once'),
    ("/a,raw,xvda,format=qed,format=raw", 'format is given twice, "raw" and "qed", expected once'),
    ("/a,raw,xvda,target=/b", 'target is given twice, "/a" and "/b", expected once'),
    ("/a,,xvda,,discard,no-discard", 'discard is given twice, "1" and "0", expected once'),
    ("/a,,hdc:cdrom,,cdrom", 'devtype is given twice, "cdrom" and "cdrom", expected once'),
    ("file:a.img,xvda,w", 'target "a.img", expected an absolute path, as it is a file'),
    ("qcow:vhd:/a,xvda", 'format is given twice, "qcow" and "vhd", expected once'),
    ("fiel:/a,xvda,w", f'found "fiel:", expected {PREFIXES}'),
    ("x" * 2049, "found 2049 bytes, expected at most 2048"),
]  # fmt: skip


@pytest.mark.parametrize(("specification", "message"), BAD)
def test_what_is_refused(specification: str, message: str) -> None:
    error = complaint(lambda: parse_disk(specification, PLACE))
    assert error.code == "bad_config"
    quoted = specification if len(specification) <= 60 else specification[:57] + "..."
    assert error.message == f'foo.cfg:4: disk "{quoted}": {message}'


@pytest.mark.parametrize(
    ("word", "key", "why"),
    [("specification=virtio", "specification=virtio", "no backend for virtio disks"),
     ("grant_usage=1", "grant_usage", "no backend for virtio disks"),
     ("colo", "colo", "it is of COLO"), ("colo-host=a", "colo-host", "it is of COLO")],
)  # fmt: skip
def test_what_cannot_be_had(word: str, key: str, why: str) -> None:
    error = complaint(lambda: parse_disk(f"/a,,xvda,,{word}", PLACE))
    assert error.code == "unsupported"
    assert error.message.startswith(f'foo.cfg:4: disk "/a,,xvda,,{word}": {key}: ')
    assert why in error.message


def test_a_cdrom_is_read_only_whatever_is_said() -> None:
    warnings: list[Problem] = []
    assert parse_disk("file:/a.iso,hdc:cdrom,w", PLACE, warnings=warnings).mode == "r"
    said = 'foo.cfg:4: disk "file:/a.iso,hdc:cdrom,w": it is read only, as every cdrom is'
    assert [each.message for each in warnings] == [said]
    assert parse_disk("file:/a.iso,hdc:cdrom,r", PLACE, warnings=warnings).mode == "r"
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "specification",
    ["vdev=xvda,target=rbd:pool/a:id=b", "rbd:pool/a,raw,xvda,w", "http://h/a.iso,raw,xvda,r"],
)
def test_what_qemu_would_fetch_is_not_taken_for_a_device(specification: str) -> None:
    error = complaint(lambda: parse_disk(specification, PLACE))
    assert error.code == "unsupported"
    assert "this xend serves files and devices of dom0 only" in error.message


def test_a_script_may_be_told_anything() -> None:
    assert parse_disk("script=block-rbd,vdev=xvda,target=rbd:pool/a", PLACE).target == "rbd:pool/a"


def test_what_was_meant_is_guessed() -> None:
    assert complaint(lambda: parse_disk("fiel:/a,xvda,w", PLACE)).fields["hint"] == "did you mean file:?"
    error = complaint(lambda: parse_disk("/a,,xvda,,backendtyp=phy", PLACE))
    assert error.fields["hint"] == "did you mean backendtype= or backend=?"


#: As Debian's xl 4.17 takes them (`xl -N block-attach 1 WORD ...`); a backend by place was xm's.
WORDED: list[tuple[list[str], dict[str, Any]]] = [
    (["vdev=xvda", "target=/a", "access=r"], {"target": "/a", "mode": "r", **XVDA}),
    (["target=/a,b", "access=r", "vdev=xvda"], {"target": "/a,b", "mode": "r", **XVDA}),
    (["access=r", "vdev=xvda,target=/a,b,", "script=block-x"],
     {"target": "/a,b", "mode": "r", "script": "block-x", **XVDA}),
    (["target=/a", "qcow2", "xvda", "r"], {"target": "/a", "format": "qcow2", "mode": "r", **XVDA}),
    (["/a", "raw", "xvda", "w"], {"target": "/a", **XVDA}),
    (["/a,", "raw,", "xvda,", "w"], {"target": "/a", **XVDA}),
    (["/a,raw", "xvda,r"], {"target": "/a", "mode": "r", **XVDA}),
    (["/a ", " raw", " xvda"], {"target": "/a", **XVDA}),
    (["", "/a", "raw", "xvda"], {"target": "/a", **XVDA}),
    (["/a", ",", "xvda"], {"target": "/a", **XVDA}),
    (["phy:/a", "xvda", "w"], {"target": "/a", **XVDA}),
    (["phy:", "/a", "xvda", "w"], {"target": "/a", **XVDA}),
    (["file:/a,xvda", "w"], {"target": "/a", **XVDA}),
    (["tap:aio:/a", "hdc:cdrom", "r"], {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    (["vdev=hdc", "target=", "devtype=cdrom"], {"target": None, "mode": "r", "is_cdrom": True, **HDC}),
    (["/a", "raw", "hdc", "r", "cdrom"], {"target": "/a", "mode": "r", "is_cdrom": True, **HDC}),
    (["phy:/a", "xvda", "r", "dom7"], {"target": "/a", "mode": "r", "backend": "dom7", **XVDA}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), WORDED)
def test_each_word_is_taken_by_itself(words: list[str], expected: dict[str, Any]) -> None:
    assert parse_disk(words, PLACE) == DiskConfig(**expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["target=/a", "target=/b", "xvda"], 'target is given twice, "/a" and "/b", expected once'),
        (["file:", "a.img", "xvda", "w"], 'target "a.img", expected an absolute path, as it is a file'),
        (["target=/a", "vdev=xvda", "acces=r"], f'found "acces=", expected {WORDS}'),
    ],
)
def test_words_that_are_refused(words: list[str], message: str) -> None:
    assert (
        complaint(lambda: parse_disk(words, PLACE)).message
        == f'foo.cfg:4: disk "{" ".join(words)}": {message}'
    )
