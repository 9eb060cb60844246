"""The files of a qcow2 image: as qemu-img makes them, and as somebody else does."""

import os
import shutil
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.daemons import lacking
from xend.disk.backing import CHAIN_MAX
from xend.disk.chain import Below, Header, Unfit, follow, header_of, lies_on_others

FORMAT_OF_BELOW = 0xE2792ACA
FEATURES_TABLE = 0x6803F857


def extension(number: int, data: bytes, length: int | None = None) -> bytes:
    head = struct.pack(">II", number, len(data) if length is None else length)
    return head + data.ljust(-(-len(data) // 8) * 8, b"\0")


def qcow2(
    name: bytes = b"",
    form: bytes | None = b"qcow2",
    *,
    version: int = 3,
    features: int = 0,
    begin: int = 104,
    offset: int | None = None,
    size: int | None = None,
    more: bytes = b"",
    bits: int = 16,
    disk: int = 1 << 20,
) -> bytes:
    rest = more + (b"" if form is None else extension(FORMAT_OF_BELOW, form)) + extension(0, b"")
    start = begin if version == 3 else 72
    at = (start + len(rest) if name else 0) if offset is None else offset
    length = len(name) if size is None else size
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", version, at, length, bits, disk).ljust(72, b"\0")
    if version == 3:
        head += struct.pack(">QQQII", features, 0, 0, 4, begin)
    return head.ljust(start, b"\0") + rest + name


FOLLOWED = [
    (qcow2(), None),
    (qcow2(version=2), None),
    (qcow2(b"base"), Below("base", "qcow2")),
    (qcow2(b"base", b"raw", version=2), Below("base", "raw")),
    (qcow2(b"../a/b:c", b"raw"), Below("../a/b:c", "raw")),
    (qcow2(b"/base", b"raw", begin=112), Below("/base", "raw")),
    (qcow2(b"base", more=extension(FEATURES_TABLE, b"x" * 147)), Below("base", "qcow2")),
    (qcow2(b"base", b"raw", more=extension(FORMAT_OF_BELOW, b"qcow2")), Below("base", "qcow2")),
]


@pytest.mark.parametrize(("data", "below"), FOLLOWED)
def test_what_is_followed(data: bytes, below: Below | None) -> None:
    assert header_of(data) == Header(1 << 20, below)


HOSTILE = {
    "empty": b"",
    "cut off": qcow2(b"base")[:80],
    "cut off in the magic": b"QFI",
    "another magic": b"QED\0" + bytes(200),
    "raw bytes": bytes(4096),
    "version 1": qcow2(version=2).replace(b"\0\0\0\2", b"\0\0\0\1", 1),
    "version 4": qcow2().replace(b"\0\0\0\3", b"\0\0\0\4", 1),
    "a disk beyond all": qcow2(disk=1 << 63),
    "clusters beyond all": qcow2(b"base", bits=64),
    "data in another file": qcow2(features=4),
    "data in another file, and a base": qcow2(b"base", features=4),
    "a header of no length": qcow2(b"base", offset=120).replace(struct.pack(">II", 4, 104), bytes(8)),
    "a name far away": qcow2(b"base", offset=1 << 62),
    "a name in the header": qcow2(b"base", offset=8),
    "a name behind all": qcow2(b"base", offset=1 << 15),
    "a name without end": qcow2(b"base", size=(1 << 32) - 1),
    "a name of 1024 bytes": qcow2(b"x" * 1024),
    "no name": qcow2(offset=120),
    "a zero in the name": qcow2(b"a\0b"),
    "another protocol": qcow2(b"nbd://host/disk"),
    "qemu's own words": qcow2(b'json:{"file.filename": "/base"}'),
    "a protocol of files": qcow2(b"file:base"),
    "no format": qcow2(b"base", None),
    "an empty format": qcow2(b"base", b""),
    "a format that is not followed": qcow2(b"base", b"vmdk"),
    "a format with a zero": qcow2(b"base", b"raw\0"),
    "a format without end": qcow2(b"base", None, more=extension(FORMAT_OF_BELOW, b"raw", 1 << 31)),
    "a format behind an end": qcow2(b"base", more=extension(0, b"")),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_not(case: str) -> None:
    with pytest.raises(Unfit):
        header_of(HOSTILE[case])


def names(path: Path) -> list[tuple[str, str, int]]:
    """The files of an image, each with its format and whether it may be written."""
    with ExitStack() as held:
        links = follow(str(path), os.O_RDWR, held)
        return [
            (os.readlink(f"/proc/self/fd/{link.fd}"), link.format, os.O_ACCMODE & _flags(link.fd))
            for link in links
        ]


def _flags(fd: int) -> int:
    words = Path(f"/proc/self/fdinfo/{fd}").read_text().split()
    return int(words[words.index("flags:") + 1], 8)


@pytest.mark.skipif(not os.path.exists("/proc/self/fdinfo"), reason="asks Linux which files are open")
def test_names_are_those_of_the_directory_of_the_image_above(tmp_path: Path) -> None:
    (tmp_path / "sub/deep").mkdir(parents=True)
    (tmp_path / "top").write_bytes(qcow2(b"sub/link"))
    (tmp_path / "sub/link").symlink_to("deep/middle")
    (tmp_path / "sub/deep/middle").write_bytes(qcow2(b"base", b"raw"))
    (tmp_path / "sub/base").write_bytes(qcow2(b"/etc/passwd"))  # raw: its guest wrote that
    assert names(tmp_path / "top") == [
        (f"{tmp_path}/top", "qcow2", os.O_RDWR),
        (f"{tmp_path}/sub/deep/middle", "qcow2", os.O_RDONLY),
        (f"{tmp_path}/sub/base", "raw", os.O_RDONLY),
    ]


def test_what_cannot_be_opened_is_not_followed(tmp_path: Path) -> None:
    def fits(content: bytes) -> bool:
        (tmp_path / "top").write_bytes(content)
        return lies_on_others(str(tmp_path / "top"))

    (tmp_path / "base").write_bytes(qcow2())
    (tmp_path / "one").write_bytes(qcow2(b"top"))
    os.mkfifo(tmp_path / "fifo")
    assert fits(qcow2(b"base"))
    assert fits(qcow2(b"base", b"raw"))
    for content in (
        qcow2(b"top"),
        qcow2(b"one"),
        qcow2(b"none"),
        qcow2(b"fifo", b"raw"),
        qcow2(b".", b"raw"),
    ):
        assert not fits(content)
    assert not fits(qcow2(b"/dev/null", b"raw"))


def test_a_chain_has_an_end(tmp_path: Path) -> None:
    for number in range(CHAIN_MAX + 2):
        below = f"{number - 1}".encode() if number else b""
        (tmp_path / str(number)).write_bytes(qcow2(below))
    assert lies_on_others(str(tmp_path / str(CHAIN_MAX)))
    assert not lies_on_others(str(tmp_path / str(CHAIN_MAX + 1)))


@pytest.mark.parametrize("version", ["0.10", "1.1"])
@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_as_qemu_img_makes_them(tmp_path: Path, version: str, form: str) -> None:
    if shutil.which("qemu-img") is None:
        lacking("qemu-img is missing: apt-get install qemu-utils")

    def make(*words: str) -> None:
        subprocess.run(["qemu-img", "create", "-q", "-f", *words], cwd=tmp_path, check=True)

    make(form, "base", "3M")
    make("qcow2", "-o", f"compat={version}", "-b", "base", "-F", form, "over")
    assert header_of((tmp_path / "over").read_bytes()) == Header(3 << 20, Below("base", form))
    assert lies_on_others(str(tmp_path / "over"))
    make("qcow2", "-o", "data_file=data", "elsewhere", "1M")
    assert not lies_on_others(str(tmp_path / "elsewhere"))
