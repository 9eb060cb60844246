"""A core: whole, under its name, or nothing of it."""

import errno
import os
import re
import struct
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from tests.elf import notes, numbers, sections
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


# --- what the helper writes itself ------------------------------------------------------------------------

HVM = 6


def written(path: Path) -> dict[str, memoryview]:
    """What each section of a core has."""
    return {name: each.data for name, each in sections(memoryview(path.read_bytes())).items()}


@pytest.mark.parametrize("shared", [b"s" * 4096, None])
def test_one_that_is_not_paravirtual(
    libraries: fake_guest.Libraries, tmp_path: Path, shared: bytes | None
) -> None:
    libraries.shared_info = shared
    assert run(tmp_path / "core", HVM) == ["open", "domain", "dump"]
    found = written(tmp_path / "core")
    assert numbers(found[".xen_pfn"]) == [0, 5, 9]
    assert found[".xen_pages"] == b"a" * 4096 + b"b" * 4096 + b"c" * 4096
    assert found[".xen_prstatus"] == b"r" * 5168
    assert found.get(".xen_shared_info") == shared
    none, header, version, form = notes(found[".note.Xen"])
    assert none == (0x2000000, b"")
    assert header == (0x2000001, struct.pack("<4Q", 0xF00FEBEE, 1, 3, 4096))
    assert version == (0x2000002, b"v" * 1280)
    assert form == (0x2000003, struct.pack("<Q", 1))
    assert "dump_core" not in libraries.names()


def test_it_stops_looking_once_all_pages_are_found(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    libraries.frames_end = 1 << 40
    run(tmp_path / "core", HVM)
    assert [call[2] for call in libraries.calls if call[0] == "present"] == [0, 4, 8]


def test_it_does_not_look_everywhere(
    libraries: fake_guest.Libraries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that the domain has put far away is not found; those that were are written."""
    monkeypatch.setattr(dump, "LOOKS", 6)
    monkeypatch.setattr(dump, "LOOKS_FOR_EACH", 1)
    monkeypatch.setattr(dump, "SIGN_FRAMES", 4)
    libraries.frames_end = 1 << 40
    assert run(tmp_path / "core", HVM) == ["open", "domain", *["dump"] * 4]
    assert [call[2:] for call in libraries.calls if call[0] == "present"] == [(0, 4), (4, 4), (8, 1)]
    found = written(tmp_path / "core")
    assert numbers(found[".xen_pfn"]) == [0, 5]
    assert len(found[".xen_pages"]) == 2 * 4096


def test_more_pages_than_it_has(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    """Its memory may show others' pages; the core has as many as the domain."""
    libraries.frames = dict.fromkeys(range(12), b"x")
    run(tmp_path / "core", HVM)
    assert numbers(written(tmp_path / "core")[".xen_pfn"]) == [0, 1, 2]


def test_a_page_that_went_away(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    libraries.frames[5] = None
    run(tmp_path / "core", HVM)
    found = written(tmp_path / "core")
    assert numbers(found[".xen_pfn"]) == [0, (1 << 64) - 1, 9]
    assert found[".xen_pages"][4096:8192] == bytes(4096)


def test_one_that_never_ran(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    libraries.contexts = []
    with pytest.raises(Refused, match="no kernel yet") as refused:
        run(tmp_path / "core", HVM)
    assert refused.value.errno == errno.EINVAL
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call", ["present", "read"])
def test_libraries_that_refuse_frames(libraries: fake_guest.Libraries, tmp_path: Path, call: str) -> None:
    libraries.at[call] = fake_guest.ACTS["refuse"]
    with pytest.raises(Refused) as refused:
        run(tmp_path / "core", HVM)
    assert refused.value.errno == errno.EBUSY
    assert os.listdir(tmp_path) == []


def test_readelf_reads_it(libraries: fake_guest.Libraries, tmp_path: Path) -> None:
    run(tmp_path / "core", HVM)
    command = ["readelf", "--wide", "-hSn", str(tmp_path / "core")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert re.findall(r"\[ *\d\] (\.\S+)", done.stdout) == [
        ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_shared_info", ".xen_pages", ".xen_pfn",
    ]  # fmt: skip
