"""A core: whole, under its name, or nothing of it."""

import errno
import os
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.xend.helper import fake_guest
from xend.helper import dump, limits
from xend.helper.session import Session
from xend.helper.steps import Refused


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> fake_guest.Libraries:
    made = fake_guest.Libraries()
    monkeypatch.setattr(fake_guest, "LIBRARIES", made)
    monkeypatch.setattr(limits, "for_memory", lambda *sizes: None)  # not this process
    return made


def run(path: Path, domid: int = 5) -> list[str]:
    steps: list[str] = []
    session = Session(cast(Any, fake_guest), steps.append)
    temporary = str(path.parent / ".temporary")
    dump.run(session, {"domid": domid, "path": str(path), "temporary": temporary})
    return steps


def test_a_core(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    steps = run(tmp_path / "core")
    assert (tmp_path / "core").read_bytes() == b"".join(fake_guest.CORE)
    assert (tmp_path / "core").stat().st_mode & 0o7777 == 0o600
    assert os.listdir(tmp_path) == ["core"]
    assert steps == ["open", "domain", "dump"]


def test_it_says_that_it_goes_on(
    libraries: fake_guest.Libraries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "SIGN_BYTES", 50_000)
    assert run(tmp_path / "core") == ["open", "domain", "dump", "dump"]


def test_nothing_is_overwritten(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    core = tmp_path / "core"
    core.write_bytes(b"old")
    with pytest.raises(Refused, match="exists, and nothing is overwritten") as refused:
        run(core)
    assert refused.value.errno == errno.EEXIST
    assert core.read_bytes() == b"old"
    assert "dump_core" not in libraries.names()


def test_not_even_what_appears_meanwhile(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    core = tmp_path / "core"
    libraries.at["dump_core"] = lambda: core.write_bytes(b"other's")
    with pytest.raises(Refused) as refused:
        run(core)
    assert refused.value.errno == errno.EEXIST
    assert core.read_bytes() == b"other's"
    assert os.listdir(tmp_path) == ["core"]


def test_a_link_is_not_followed(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    (tmp_path / ".temporary").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        run(tmp_path / "core")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("name", "number"), [("nowhere/core", errno.ENOENT), ("file/core", errno.ENOTDIR), ("core", errno.ENOSPC)]
)
def test_no_place_for_it(
    libraries: fake_guest.Libraries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    (tmp_path / "file").touch()

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(Refused, match="cannot be written: ") as refused:
            run(tmp_path / name)
    assert refused.value.errno == number
    assert os.listdir(tmp_path) == ["file"]


def test_libraries_that_refuse(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    libraries.at["dump_core"] = fake_guest.ACTS["refuse"]
    with pytest.raises(Refused) as refused:
        run(tmp_path / "core")
    assert refused.value.errno == errno.EBUSY
    assert os.listdir(tmp_path) == []


def test_no_such_domain(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        run(tmp_path / "core", 9)
    assert refused.value.errno == errno.ESRCH
