"""Disks that are full or read-only: the store goes on and says so, and what comes back is never stale."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.daemon import Daemons, Starter
from tests.peers.wire import Wire
from xenstore.wire import MessageType

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount and to be somebody else")
#: Requests after which a journal that is going to be complete again is.
REQUESTS_MAX = 200_000
#: Less than a segment of the journal.
FILE_BYTES = 1 << 20


def write(dom0: Wire, path: bytes, value: bytes) -> None:
    assert dom0.request(MessageType.WRITE, path + b"\0" + value).payload == b"OK\0"


def read(dom0: Wire, path: bytes) -> bytes:
    return dom0.request(MessageType.READ, path + b"\0").payload


def check(dom0: Wire) -> bytes:
    return dom0.request(MessageType.CONTROL, b"check\0").payload


def fill(dom0: Wire, size: int) -> None:
    """Change so much."""
    for n in range(size // 4000):
        write(dom0, b"/fill/%d" % (n % 10), b"%4000d" % n)


def wait_for(daemons: Daemons, dom0: Wire, text: str) -> None:
    """Until the daemon has said so."""
    for _ in range(REQUESTS_MAX):
        if text in daemons.said():
            return
        read(dom0, b"/")
    raise AssertionError(f"never said: {text}\n{daemons.said()}")


def restart(daemons: Daemons) -> None:
    daemons.kill()
    assert daemons.start(), daemons.said()


class Trouble:
    """A daemon whose journal cannot grow, until `make_room`."""

    def __init__(self, daemons: Daemons) -> None:
        self.daemons = daemons

    def make_room(self) -> None:
        """From now on it can."""


class FileSize(Trouble):
    """No file may become as large as a segment."""

    def __init__(self, starter: Starter, directory: Path, stack: ExitStack) -> None:
        if not hasattr(resource, "prlimit"):
            pytest.skip("this system cannot limit another process's files")
        super().__init__(stack.enter_context(Daemons(starter, directory)))
        assert self.daemons.start()
        with Wire(self.daemons.socket) as dom0:
            write(dom0, b"/x", b"old")
        self._limit(FILE_BYTES)

    def _limit(self, size: int) -> None:
        resource.prlimit(self.daemons.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        self._limit(resource.RLIM_INFINITY)


class FullDisk(Trouble):
    """The journal is on a disk of its own, where there is room for one segment beside something else."""

    MOUNT = 'mount -t tmpfs -o size=10M tmpfs "$0" && head -c 5000000 /dev/zero > "$0/other" && exec "$@"'

    def __init__(self, starter: Starter, directory: Path, stack: ExitStack) -> None:
        self._journal = directory / "r" / "journal"
        self._journal.mkdir(parents=True)
        inside = Starter("unshare", "-m", "sh", "-c", self.MOUNT, str(self._journal))
        stack.callback(inside.close)
        self._pid = inside.pid
        super().__init__(stack.enter_context(Daemons(inside, directory)))
        if not self.daemons.start():
            pytest.skip(f"no disk can be mounted here: {self.daemons.said()}")
        with Wire(self.daemons.socket) as dom0:
            write(dom0, b"/x", b"old")

    def make_room(self) -> None:
        command = ["nsenter", "-t", str(self._pid), "-m", "mount", "-o", "remount,size=64M"]
        subprocess.run([*command, str(self._journal)], check=True)


@pytest.fixture(params=[FileSize, pytest.param(FullDisk, marks=as_root)])
def trouble(request: pytest.FixtureRequest, starter: Starter, tmp_path: Path) -> Iterator[Trouble]:
    with ExitStack() as stack:
        yield request.param(starter, tmp_path, stack)


def test_the_store_goes_on_and_recovers_its_journal(trouble: Trouble) -> None:
    daemons = trouble.daemons
    with Wire(daemons.socket) as dom0:
        fill(dom0, 9 << 20)
        wait_for(daemons, dom0, "the journal cannot be continued")
        assert check(dom0) == b"EIO\0"
        write(dom0, b"/x", b"new")
        assert read(dom0, b"/x") == b"new"
        trouble.make_room()
        wait_for(daemons, dom0, "the journal is complete again")
        assert check(dom0) == b"OK\0"
    restart(daemons)
    with Wire(daemons.socket) as dom0:
        assert read(dom0, b"/x") == b"new"
        assert len(dom0.request(MessageType.DIRECTORY, b"/fill\0").payload.split(b"\0")) == 11
        assert check(dom0) == b"OK\0"


def test_a_kill_meanwhile_brings_nothing_stale_back(trouble: Trouble) -> None:
    daemons = trouble.daemons
    with Wire(daemons.socket) as dom0:
        fill(dom0, 9 << 20)
        wait_for(daemons, dom0, "the journal cannot be continued")
        write(dom0, b"/x", b"new")
    restart(daemons)
    assert "is dropped: it breaks off where it could not be continued" in daemons.said()
    with Wire(daemons.socket) as dom0:
        assert read(dom0, b"/x") == b"ENOENT\0"
        assert check(dom0) == b"OK\0"


@pytest.fixture
def nobodys(starter: Starter) -> Iterator[Daemons]:
    """Daemons of a user without rights, in a run directory of theirs."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        with Daemons(starter, directory, user=NOBODY) as daemons:
            daemons.rundir.mkdir()
            for path in (daemons.rundir, daemons.guests, directory / "ready"):
                os.chown(path, NOBODY, NOBODY)
            (directory / "life").chmod(0o777)
            yield daemons


@as_root
class TestNobody:
    def test_a_directory_that_is_read_only(self, nobodys: Daemons) -> None:
        """There was no journal: it goes on without."""
        journal = nobodys.rundir / "journal"
        journal.mkdir(mode=0o500)
        os.chown(journal, NOBODY, NOBODY)
        assert nobodys.start(), nobodys.said()
        assert "the journal cannot be continued" in nobodys.said()
        with Wire(nobodys.socket) as dom0:
            write(dom0, b"/x", b"1")
            assert check(dom0) == b"EIO\0"
            journal.chmod(0o700)
            wait_for(nobodys, dom0, "the journal is complete again")
            assert check(dom0) == b"OK\0"
        restart(nobodys)
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"1"

    def test_one_that_becomes_read_only(self, nobodys: Daemons) -> None:
        """What is there can be recovered once, and not continued; then it says so of itself."""
        journal = nobodys.rundir / "journal"
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            write(dom0, b"/x", b"old")
        nobodys.kill()
        for leftover in journal.glob("*.new"):
            leftover.unlink()
        journal.chmod(0o500)
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"old"
            assert check(dom0) == b"EIO\0"
            write(dom0, b"/x", b"new")
        nobodys.kill()
        journal.chmod(0o700)
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"ENOENT\0"

    def test_one_of_somebody_else(self, nobodys: Daemons) -> None:
        journal = nobodys.rundir / "journal"
        journal.mkdir(mode=0o700)
        assert not nobodys.start()
        assert nobodys.reap() == 1
        assert f"journal {journal}: Permission denied" in nobodys.said()

    def test_root_takes_over_what_was_nobodys(self, nobodys: Daemons, starter: Starter) -> None:
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            write(dom0, b"/x", b"1")
        nobodys.kill()
        nobodys.user = 0
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"1"
            assert check(dom0) == b"OK\0"
