"""Disks that are full or read-only: the store goes on and says so, and what comes back is never stale."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.daemon import Daemons
from tests.peers.ring import Guest
from tests.peers.wire import Closed, Wire
from tests.starter import Starter
from xenstore.wire import MessageType

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount and to be somebody else")
#: Requests after which a journal that is going to be complete again is.
REQUESTS_MAX = 200_000
#: Less than a segment of the journal, or the file of an image.
FILE_BYTES = 1 << 20
#: More than there is room for in what is reserved.
GROWTH_BYTES = 16 << 20


def write(dom0: Wire, path: bytes, value: bytes) -> None:
    assert dom0.request(MessageType.WRITE, path + b"\0" + value).payload == b"OK\0"


def read(dom0: Wire, path: bytes) -> bytes:
    return dom0.request(MessageType.READ, path + b"\0").payload


def check(dom0: Wire) -> bytes:
    return dom0.request(MessageType.CONTROL, b"check\0").payload


def change(dom0: Wire, size: int) -> None:
    """Record so much, without growing."""
    for n in range(size // 4000):
        write(dom0, b"/change/%d" % (n % 10), b"%4000d" % n)


def grow(dom0: Wire, size: int) -> None:
    """Add so much to what is there."""
    for n in range(size // 4000):
        write(dom0, b"/fill/%d" % n, b"%4000d" % n)


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

    def again(self) -> None:
        """So it is for the daemon that has been started now."""


class FileSize(Trouble):
    """No further file may become as large as a segment, and none that is there may grow."""

    def __init__(self, starter: Starter, directory: Path, stack: ExitStack) -> None:
        if not hasattr(resource, "prlimit"):
            pytest.skip("this system cannot limit another process's files")
        super().__init__(stack.enter_context(Daemons(starter, directory)))
        assert self.daemons.start()
        with Wire(self.daemons.socket) as dom0:
            write(dom0, b"/x", b"old")
        self.again()

    def again(self) -> None:
        self._limit(FILE_BYTES)

    def _limit(self, size: int) -> None:
        resource.prlimit(self.daemons.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        self._limit(resource.RLIM_INFINITY)


class FullDisk(Trouble):
    """The journal is on a disk of its own, which somebody else fills after it has begun."""

    MOUNT = 'mount -t tmpfs -o size=24M,mode=700 tmpfs "$0" && echo mounted; exec cat'

    def __init__(self, starter: Starter, directory: Path, stack: ExitStack) -> None:
        self._journal = directory / "r" / "journal"
        self._journal.mkdir(parents=True)
        keeper = stack.enter_context(
            subprocess.Popen(
                ["unshare", "-m", "sh", "-c", self.MOUNT, str(self._journal)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        stack.callback(keeper.stdin.close)
        said = keeper.stdout.readline()
        if said != b"mounted\n":
            pytest.skip(f"no disk can be mounted here: {said!r}")
        self._by = ("nsenter", "-t", str(keeper.pid), "-m")
        super().__init__(stack.enter_context(Daemons(starter, directory, by=self._by)))
        assert self.daemons.start(), self.daemons.said()
        with Wire(self.daemons.socket) as dom0:
            write(dom0, b"/x", b"old")
        self._inside("sh", "-c", 'cat /dev/zero > "$0/other" 2> /dev/null || :', str(self._journal))

    def make_room(self) -> None:
        self._inside("mount", "-o", "remount,size=128M", str(self._journal))

    def _inside(self, *command: str) -> None:
        subprocess.run([*self._by, *command], check=True)


@pytest.fixture(params=[FileSize, pytest.param(FullDisk, marks=as_root)])
def trouble(request: pytest.FixtureRequest, starter: Starter, tmp_path: Path) -> Iterator[Trouble]:
    with ExitStack() as stack:
        yield request.param(starter, tmp_path, stack)


def test_what_others_leave_no_room_for_was_reserved_before(trouble: Trouble) -> None:
    """As long as nothing grows, everything that is acknowledged is there after every kill."""
    daemons = trouble.daemons
    for n in range(3):
        with Wire(daemons.socket) as dom0:
            change(dom0, 20 << 20)
            write(dom0, b"/x", b"new %d" % n)
            assert check(dom0) == b"OK\0"
        restart(daemons)
        with Wire(daemons.socket) as dom0:
            assert read(dom0, b"/x") == b"new %d" % n
            assert check(dom0) == b"OK\0"
    assert "cannot be" not in daemons.said()
    assert "dropped" not in daemons.said()


def test_guests_are_refused_what_grows(trouble: Trouble) -> None:
    daemons = trouble.daemons
    with Wire(daemons.socket) as dom0, Guest(daemons.guests, 3) as guest:
        for quota in (b"memory", b"nodes", b"node-size"):
            assert dom0.request(MessageType.SET_QUOTA, quota + b"\x000\0").payload == b"OK\0"
        home = b"/local/domain/3\0"
        dom0.request(MessageType.WRITE, home)
        dom0.request(MessageType.SET_PERMS, home + b"n3\0")
        assert dom0.request(MessageType.INTRODUCE, b"3\x001\x009\0").payload == b"OK\0"
        made = 0
        while guest.request(MessageType.WRITE, b"%d\0" % made + b"v" * 1000).payload == b"OK\0":
            made += 1
            assert made < GROWTH_BYTES // 1000
        assert guest.request(MessageType.WRITE, b"more\0" + b"v" * 1000).payload == b"ENOSPC\0"
        assert guest.request(MessageType.WRITE, b"0\0" + b"w" * 1000).payload == b"OK\0"
        write(dom0, b"/x", b"v" * 4000)
        assert check(dom0) == b"OK\0"
        trouble.make_room()
        wait_for(daemons, dom0, "the journal has room to grow again")
        assert guest.request(MessageType.WRITE, b"more\0" + b"v" * 1000).payload == b"OK\0"
    assert "guests get ENOSPC for what grows" in daemons.said()


def test_the_store_goes_on_and_recovers_its_journal(trouble: Trouble) -> None:
    daemons = trouble.daemons
    with Wire(daemons.socket) as dom0:
        grow(dom0, GROWTH_BYTES)
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
        assert read(dom0, b"/fill/%d" % (GROWTH_BYTES // 4000 - 1)).endswith(
            b"%d" % (GROWTH_BYTES // 4000 - 1)
        )
        assert check(dom0) == b"OK\0"


def test_a_kill_meanwhile_brings_nothing_stale_back(trouble: Trouble) -> None:
    daemons = trouble.daemons
    with Wire(daemons.socket) as dom0:
        grow(dom0, GROWTH_BYTES)
        wait_for(daemons, dom0, "the journal cannot be continued")
        write(dom0, b"/x", b"new")
    restart(daemons)
    assert_nothing_stale(daemons)


def test_a_kill_once_the_mark_is_written(trouble: Trouble) -> None:
    """It is there before anybody has been answered what is not recorded."""
    daemons = trouble.daemons
    with Wire(daemons.socket) as dom0:
        pass
    daemons.kill()
    assert daemons.start(failpoint="journal.ended")
    trouble.again()
    with Wire(daemons.socket) as dom0, pytest.raises(Closed):
        grow(dom0, GROWTH_BYTES)
    assert daemons.reap() == -9
    assert daemons.start(), daemons.said()
    assert_nothing_stale(daemons)


def assert_nothing_stale(daemons: Daemons) -> None:
    assert "is dropped: it breaks off where it could not be continued" in daemons.said()
    with Wire(daemons.socket) as dom0:
        assert read(dom0, b"/x") == b"ENOENT\0"


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
        """Its log goes on in the segment that is there, without another image."""
        journal = nobodys.rundir / "journal"
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            write(dom0, b"/x", b"old")
        nobodys.kill()
        journal.chmod(0o500)
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"old"
            write(dom0, b"/x", b"new")
            wait_for(nobodys, dom0, "no image of the journal can be written")
            assert check(dom0) == b"OK\0"
        nobodys.kill()
        journal.chmod(0o700)
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"new"

    def test_one_of_somebody_else(self, nobodys: Daemons) -> None:
        journal = nobodys.rundir / "journal"
        journal.mkdir(mode=0o700)
        assert not nobodys.start()
        assert nobodys.reap() == 1
        assert f"journal {journal}: Permission denied" in nobodys.said()

    def test_root_takes_over_what_was_nobodys_once_it_is_roots(
        self, nobodys: Daemons, starter: Starter
    ) -> None:
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            write(dom0, b"/x", b"1")
        nobodys.kill()
        nobodys.user = 0
        assert not nobodys.start()
        assert nobodys.reap() == 1
        assert f"{nobodys.rundir}: belongs to nobody (user {NOBODY})" in nobodys.said()
        for path in [nobodys.rundir.parent, *nobodys.rundir.parent.rglob("*")]:
            os.chown(path, 0, 0, follow_symlinks=False)
        assert nobodys.start(), nobodys.said()
        with Wire(nobodys.socket) as dom0:
            assert read(dom0, b"/x") == b"1"
            assert check(dom0) == b"OK\0"
