"""The files of a journal: their names, and in which order they may be removed or used again."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.journal.place import Place
from xenstore.journal.files import Files
from xenstore.journal.segment import HEADER_BYTES, Header, Segment, end_segment, read_header


class Killed(BaseException):
    """Where a kill would come."""


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many more files can be removed or renamed before the kill; -1: all."""
    left = [-1]
    unlink, rename = Path.unlink, os.rename

    def count() -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    def counted_unlink(path: Path, missing_ok: bool = False) -> None:
        count()
        unlink(path, missing_ok=missing_ok)

    def counted_rename(path: Path, to: Path) -> None:
        count()
        rename(path, to)

    monkeypatch.setattr(Path, "unlink", counted_unlink)
    monkeypatch.setattr(os, "rename", counted_rename)
    return left


def test_names(tmp_path: Path) -> None:
    files = Files(tmp_path / "a" / "journal")
    assert (files.logs(), files.images()) == ([], [])
    files.create()
    assert files.directory.stat().st_mode & 0o777 == 0o700
    for name in ("log.2", "log.10", "image.3", "image.03x", "log.", "spare.new", "log.7.new", "other"):
        (files.directory / name).touch()
    assert (files.logs(), files.images()) == ([2, 10], [3])
    files.create()
    assert sorted(path.name for path in files.directory.iterdir()) == [
        "image.03x", "image.3", "log.", "log.10", "log.2", "other",
    ]  # fmt: skip


def fill_some(place: Place, count: int) -> None:
    for n in range(count):
        place.dom0.write(b"/n", b"%d" % n)
        place.dom0.write(b"/fill/%d" % (n % 10), b"%1000d" % n)


@pytest.mark.parametrize("before", range(6))
def test_a_kill_while_old_files_are_removed(place: Place, changes: list[int], before: int) -> None:
    """An image and segments that a newer image makes superfluous."""
    fill_some(place, 40)
    place.restart()
    place.work()
    fill_some(place, 70)
    state = place.state()
    changes[0] = before
    with suppress(Killed):
        place.restart()
        place.work()
    assert changes[0] == 0
    changes[0] = -1
    place.restart()
    assert place.state() == state
    assert place.said("dropped") == []


def test_a_kill_while_all_is_removed(place: Place, changes: list[int]) -> None:
    """Whatever is left of a journal that broke off, it is not taken for one that goes on."""
    for before in range(9):
        place.restart("--fresh")
        fill_some(place, 60)
        place.restart()
        place.work()
        fill_some(place, 40)
        for number in place.files.logs():
            end_segment(place.files.log(number), "the disk is full")
        changes[0] = before
        try:
            place.files.remove_all()
        except Killed:
            done = False
        else:
            done = True
        changes[0] = -1
        place.log.clear()
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        assert done or place.said("dropped")
    assert done


def test_a_segment(tmp_path: Path, small: None) -> None:
    """What the file held before is gone where the log begins, and stays behind that."""
    path = tmp_path / "log.3"
    path.write_bytes(b"\xff" * 16384)
    header = Header(3, 77, True, b"l" * 16, "boot_id x")
    segment = Segment(path, header)
    assert segment.buffer.nbytes == 16384 - HEADER_BYTES
    assert bytes(segment.buffer[:32]) == bytes(24) + b"\xff" * 8
    segment.buffer[:4] = b"abcd"
    data = path.read_bytes()
    assert read_header(memoryview(data)) == header
    assert data[HEADER_BYTES : HEADER_BYTES + 5] == b"abcd\0"
    assert bytes(Segment(path).buffer) == data[HEADER_BYTES:]
    end_segment(path, "because " * 100)
    assert read_header(memoryview(path.read_bytes())) == header._replace(end=("because " * 25))
    with pytest.raises(ValueError, match="another program"):
        read_header(memoryview(_with_magic(data)))


def _with_magic(data: bytes) -> bytes:
    """A whole header of what another version might write."""
    import struct
    import zlib

    fixed = b"xendjnl9" + data[8:112]
    return fixed + struct.pack("<I", zlib.crc32(fixed)) + data[116:]
