"""The trace file: its lines, its switches, and what becomes of it when it cannot be written."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenstore.server.trace import Trace
from xenstore.store import Session, Store
from xenstore.wire import MessageType


class Traced:
    """A store whose `trace` is called as sessions call it."""

    def __init__(self, directory: Path) -> None:
        self.store = Store()
        self.session: Session = self.store.connect()
        self.log: list[str] = []
        self.trace = Trace(self.store, self.log.append, str(directory / "lib"))

    def message(self, direction: str, type: int, payload: bytes) -> None:
        if self.store.trace is not None:
            self.store.trace(direction, self.session, type, payload)


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    traced = Traced(tmp_path)
    yield traced
    traced.trace.off()


def test_off_the_store_does_not_know_it(traced: Traced, tmp_path: Path) -> None:
    assert traced.store.trace is None
    traced.trace.redirect(str(tmp_path / "t"))
    assert traced.store.trace is not None
    traced.trace.switch("-io")
    assert traced.store.trace is not None
    traced.trace.switch("-obj")
    assert traced.store.trace is None
    traced.trace.switch("+io")
    traced.trace.off()
    assert traced.store.trace is None


def test_the_lines(traced: Traced, tmp_path: Path) -> None:
    traced.trace.redirect(str(tmp_path / "t"))
    traced.message("CREATE", 0, b"")
    traced.message("IN", MessageType.WATCH, b"memory/target\0FFFF\0")
    traced.message("OUT", MessageType.WATCH, b"OK\0")
    traced.message("IN", 99, b"\x1b[2J\n\xff\\")
    number = f"{id(traced.session):#x}"
    stamp = r"\d{8} \d\d:\d\d:\d\d"
    pattern = (
        r"\n\*\*\*\n"
        rf"CREATE connection {number}\n"
        rf"IN {number} {stamp} WATCH \(memory/target FFFF \)\n"
        rf"OUT {number} {stamp} WATCH \(OK \)\n"
        rf"IN {number} {stamp} 99 \(\\033\[2J\\012\\377\\\)\n"
    )
    assert re.fullmatch(pattern, (tmp_path / "t").read_text())
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("setting", "shown"), [("-io", ["CREATE"]), ("-obj", ["IN", "OUT"]), ("+wrl", ["CREATE", "IN", "OUT"])]
)
def test_switches_choose_the_lines(traced: Traced, tmp_path: Path, setting: str, shown: list[str]) -> None:
    traced.trace.switch(setting)
    traced.trace.redirect(str(tmp_path / "t"))
    for direction in ("CREATE", "IN", "OUT"):
        traced.message(direction, MessageType.READ, b"x")
    lines = (tmp_path / "t").read_text().splitlines()[2:]
    assert [line.split()[0] for line in lines] == shown


@pytest.mark.parametrize("setting", ["io", "+nonsense", "", "+", "*io"])
def test_unknown_switches(traced: Traced, setting: str) -> None:
    with pytest.raises(ValueError, match=r"expected \+ or -"):
        traced.trace.switch(setting)


def test_reopening_follows_the_name(traced: Traced, tmp_path: Path) -> None:
    file = tmp_path / "t"
    traced.trace.on()  # nothing was named yet
    assert not traced.trace.is_open
    traced.trace.redirect(str(file))
    file.rename(tmp_path / "t.0")
    traced.trace.on()
    traced.trace.write("after\n")
    assert file.read_text() == "\n***\nafter\n"
    assert (tmp_path / "t.0").read_text() == "\n***\n"


def test_a_name_that_cannot_be_opened_changes_nothing(traced: Traced, tmp_path: Path) -> None:
    traced.trace.redirect(str(tmp_path / "t"))
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path, tmp_path / "none" / "t", tmp_path / "pipe"):
        with pytest.raises(OSError, match=re.escape(str(name))):
            traced.trace.redirect(str(name))
    traced.trace.write("still\n")
    assert (tmp_path / "t").read_text() == "\n***\nstill\n"


def test_relative_names_have_a_directory(traced: Traced, tmp_path: Path) -> None:
    traced.trace.append("report", "one\n")
    traced.trace.append("report", "two\n")
    traced.trace.redirect("t")
    assert (tmp_path / "lib" / "report").read_text() == "one\ntwo\n"
    assert (tmp_path / "lib" / "t").read_text() == "\n***\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_trace_with_one_line(traced: Traced) -> None:
    traced.trace.redirect("/dev/full")
    traced.message("IN", MessageType.READ, b"/\0")
    assert traced.log == ["trace file /dev/full: No space left on device; tracing is off"]
    assert not traced.trace.is_open
    assert traced.store.trace is None
