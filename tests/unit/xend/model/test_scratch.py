"""Files without a name: as qemu takes them, and what it can do with them once they are sealed."""

import os
from pathlib import Path

import pytest

from xend.model.scratch import Scratch


@pytest.fixture(params=["memory", "file"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of systems with files in memory alone, and of others."""
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    elif not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files in memory alone")
    return str(request.param)


def test_what_is_written_is_there(tmp_path: Path, kind: str) -> None:
    scratch = Scratch(tmp_path, 10)
    fd = scratch.writable()
    assert os.listdir(tmp_path) == []
    assert os.get_inheritable(fd) is False
    with pytest.raises(OSError, match="Bad file"):
        os.read(fd, 1)
    os.ftruncate(fd, 0)
    os.write(fd, b"0123456789")
    assert (scratch.size, scratch.is_too_long) == (10, False)
    os.write(fd, b"x")
    assert scratch.is_too_long
    assert os.pread(scratch.fd, 99, 0) == b"0123456789x"
    os.close(fd)
    scratch.close()


def test_nobody_writes_to_a_sealed_one(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, 10)
    fd = scratch.writable()
    os.write(fd, b"01234")
    for _ in range(2):
        scratch.seal()
    if hasattr(os, "memfd_create"):
        for change in (lambda: os.write(fd, b"x"), lambda: os.ftruncate(fd, 0)):
            with pytest.raises(PermissionError):
                change()
    assert scratch.size == 5
    os.close(fd)
    scratch.close()


def test_it_takes_a_part_of_a_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "whole").write_bytes(b"in front" + bytes(3 << 20) + b"behind")
    source = os.open(tmp_path / "whole", os.O_RDONLY)
    scratch = Scratch(tmp_path, 3 << 20)
    scratch.take(source, 8, 3 << 20)
    scratch.seal()
    assert os.listdir(tmp_path) == ["whole"]
    assert os.read(scratch.fd, 4 << 20) == bytes(3 << 20)
    with pytest.raises(OSError, match="shorter"):
        Scratch(tmp_path, 1).take(source, 3 << 20, 100)
    scratch.close()
    os.close(source)
