"""What an image lies on, as qemu-img makes images, and as somebody else does."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import lacking
from xend.disk.backing import CHAIN_MAX, backing_of, needs_more


def qcow2(name: bytes = b"", *, offset: int = 104, size: int | None = None) -> bytes:
    length = len(name) if size is None else size
    header = struct.pack(">4sIQI", b"QFI\xfb", 3, offset if name or size else 0, length)
    return header.ljust(104, b"\0") + name


def qed(name: bytes, has_backing: bool = True) -> bytes:
    fields = struct.pack("<4sIIIQQQQQII", b"QED\0", 65536, 4, 1, int(has_backing), 0, 0, 0, 0, 64, len(name))
    return fields + name


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (qcow2(b"base.img"), ["DIR/base.img"]),
        (qcow2(b"/other/base.img"), ["/other/base.img"]),
        (qed(b"../base"), ["DIR/../base"]),
        (qed(b"base", has_backing=False), []),
        (qcow2(), []),
        (qcow2(b"nbd://host/disk"), []),
        (qcow2(b'json:{"file.filename": "/base"}'), []),
        (qcow2(b"a\0b"), []),
        (qcow2(b"x" * 1024), []),
        (qcow2(b"base", offset=1 << 62), []),
        (qcow2(b"base", size=(1 << 32) - 1), []),
        (b"QFI\xfb", []),
        (b"", []),
        (bytes(4096), []),
    ],
)
def test_what_a_header_names(tmp_path: Path, content: bytes, names: list[str]) -> None:
    (tmp_path / "image").write_bytes(content)
    assert backing_of(str(tmp_path / "image")) == [name.replace("DIR", str(tmp_path)) for name in names]


def test_images_lie_on_each_other_and_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(qcow2(b"b"))
    (tmp_path / "b").write_bytes(qcow2(b"a"))
    (tmp_path / "a").write_bytes(bytes(512))
    assert backing_of(str(tmp_path / "c")) == [str(tmp_path / "b"), str(tmp_path / "a")]
    (tmp_path / "a").write_bytes(qcow2(b"c"))
    assert len(backing_of(str(tmp_path / "c"))) == CHAIN_MAX


def test_what_is_no_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "none", Path("/dev/null")):
        assert backing_of(str(path)) == []


@pytest.mark.parametrize("kind", ["qcow2", "qed", "qcow"])
def test_as_qemu_img_makes_them(tmp_path: Path, kind: str) -> None:
    if shutil.which("qemu-img") is None:
        lacking("qemu-img is missing: apt-get install qemu-utils")
    (tmp_path / "base").write_bytes(bytes(1 << 20))
    words = ["qemu-img", "create", "-q", "-f", kind, "-b", "base", "-F", "raw", "over"]
    if kind == "qcow":  # it does not keep the format of what it lies on
        words = ["qemu-img", "create", "-q", "-f", kind, "-o", "backing_file=base,backing_fmt=raw", "over"]
    subprocess.run(words, cwd=tmp_path, check=True)
    assert backing_of(str(tmp_path / "over")) == [str(tmp_path / "base")]
    assert needs_more(str(tmp_path / "over"))
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, "alone", "1M"], cwd=tmp_path, check=True)
    assert not needs_more(str(tmp_path / "alone"))


def test_what_else_has_qemu_open_more(tmp_path: Path) -> None:
    """Where its data lie in another file, and whatever stands in place of a path."""
    if shutil.which("qemu-img") is None:
        lacking("qemu-img is missing: apt-get install qemu-utils")
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=data", "image", "1M"]
    subprocess.run(words, cwd=tmp_path, check=True)
    assert needs_more(str(tmp_path / "image"))
    for content, expected in (
        (qcow2(b"nbd://host/disk"), True),
        (qcow2(b'json:{"file.filename": "/base"}'), True),
        (qcow2(b"base", offset=1 << 62), True),
        (b"QFI\xfb\0\0\0\3", False),
        (b"", False),
    ):
        (tmp_path / "image").write_bytes(content)
        assert needs_more(str(tmp_path / "image")) is expected, content
    assert not needs_more(str(tmp_path / "none"))
