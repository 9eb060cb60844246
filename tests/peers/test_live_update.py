"""One xenstored takes another's place in a running process, and nobody who is connected notices.

Xen's own xenstore-control asks for it.  C is Debian's xenstored 4.17: to us, from us, and ours to ours.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import (
    C_XENSTORED,
    O_XENSTORED,
    Daemon,
    need,
    preloaded,
    start_c,
    start_ours,
)
from tests.peers.debian import XEN_BIN
from tests.peers.programs import THEIRS, Run, run
from tests.peers.ring import Guest
from tests.peers.wire import Message, Wire
from tests.snapshot import snapshot
from xenstore.wire import MessageType, pack

pytestmark = pytest.mark.peer
OURS = Path(os.path.dirname(sys.executable)) / "xenstored"
VALUE = b"/local/domain/5/data"


def live_update(daemon: Daemon, program: Path | str, *options: str) -> Run:
    need(C_XENSTORED, XEN_BIN / "xenstore-control")
    return run(THEIRS, daemon.socket, "control", "live-update", *options, str(program))


def our_options(daemon: Daemon) -> str:
    return f"-N --rundir {daemon.rundir} --platform sim:{daemon.guests}"


class Clients:
    """A socket client in the midst of everything, a watcher, and domain 5 on its ring."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.busy, self.watcher = Wire(daemon.socket), Wire(daemon.socket)
        self.guest = Guest(daemon.guests, 5)
        self.ask(self.busy, MessageType.INTRODUCE, b"5", b"1", b"9")
        self.ask(self.busy, MessageType.WRITE, VALUE, end=b"before")
        self.ask(self.busy, MessageType.SET_PERMS, VALUE, b"n5", b"r0")
        for name in (b"z", b"a", b"m"):
            self.ask(self.busy, MessageType.WRITE, b"/order/" + name)
        self.ask(self.watcher, MessageType.WATCH, VALUE, b"token")
        assert self.watcher.receive().payload == VALUE + b"\0token\0"
        self.ask(self.guest, MessageType.WATCH, b"data", b"mine")
        assert self.guest.receive().payload == b"data\0mine\0"

    def ask(self, who: Wire | Guest, type: int, *words: bytes, end: bytes = b"") -> Message:
        reply = who.request(type, b"".join(word + b"\0" for word in words) + end)
        assert reply.type == type, f"{words}: {reply}"
        return reply

    def leave_unfinished(self) -> None:
        """Half a request from the socket and from the ring, an event that nobody has read."""
        self.busy.send_bytes(pack(MessageType.READ, VALUE + b"\0", req_id=1)[:21])
        self.guest.send_bytes(pack(MessageType.READ, b"data\0", req_id=2)[:5])
        other = Wire(self.daemon.socket)
        with other:
            self.ask(other, MessageType.WRITE, VALUE, end=b"unread")

    def finish(self) -> None:
        """All of that goes on as if nothing had happened."""
        self.busy.send_bytes(pack(MessageType.READ, VALUE + b"\0", req_id=1)[21:])
        assert self.busy.read() == Message(MessageType.READ, 1, 0, b"unread")
        self.guest.send_bytes(pack(MessageType.READ, b"data\0", req_id=2)[5:])
        assert self.guest.read().payload == b"data\0mine\0"
        assert self.guest.read() == Message(MessageType.READ, 2, 0, b"unread")
        assert self.watcher.read().payload == VALUE + b"\0token\0"
        self.go_on()

    def go_on(self) -> None:
        """The store is what it was: no event was told twice, those to come are told."""
        assert [self.busy.drain(), self.watcher.drain(), self.guest.drain()] == [[], [], []]
        self.ask(self.guest, MessageType.WRITE, b"data", end=b"after")
        assert self.watcher.read().payload == VALUE + b"\0token\0"
        assert self.guest.receive().payload == b"data\0mine\0"
        assert self.ask(self.busy, MessageType.READ, VALUE).payload == b"after"
        assert self.ask(self.busy, MessageType.DIRECTORY, b"/order").payload == b"z\0a\0m\0"
        assert self.ask(self.busy, MessageType.GET_PERMS, VALUE).payload == b"n5\0r0\0"
        assert self.ask(self.busy, MessageType.IS_DOMAIN_INTRODUCED, b"5").payload == b"T\0"

    def domain_5_dies(self) -> None:
        """Which the daemon hears of as before."""
        self.ask(self.watcher, MessageType.WATCH, b"@releaseDomain", b"r")
        assert self.watcher.receive().payload == b"@releaseDomain\0r\0"
        self.guest.die()
        events = {self.watcher.receive().payload for _ in "12"}
        assert events == {b"@releaseDomain\0r\0", VALUE + b"\0token\0"}

    def close(self) -> None:
        self.busy.close()
        self.watcher.close()


def has_become(daemon: Daemon, program: Path) -> bool:
    return os.readlink(f"/proc/{daemon.pid}/exe") == os.path.realpath(program)


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Daemon]:
    with start_c(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Ours, where C could follow: with a dom0 that has a ring, and the preload that C needs here."""
    need(C_XENSTORED, Path("cc"))
    monkeypatch.setenv("LD_PRELOAD", preloaded())
    (tmp_path / "guests").mkdir()
    dom0 = Guest(tmp_path / "guests", 0)
    with start_ours(tmp_path, is_forked=True) as daemon:
        yield daemon
    dom0.close()


def test_from_c_to_ours_in_place(c: Daemon) -> None:
    """The demonstration: Debian's running xenstored becomes ours."""
    clients = Clients(c)
    clients.leave_unfinished()
    assert live_update(c, OURS, "-c", our_options(c)) == Run(0, b"", b"")
    assert has_become(c, Path(sys.executable))
    clients.finish()
    clients.domain_5_dies()
    with Wire(c.socket) as new:
        assert new.request(MessageType.READ, b"/order/z\0").payload == b""
    clients.close()


def test_from_ours_to_ours(ours: Daemon) -> None:
    clients = Clients(ours)
    for _ in range(2):
        clients.leave_unfinished()
        assert live_update(ours, OURS) == Run(0, b"", b"")
        clients.finish()
    assert ours.stderr().count("took over by live update") == 2
    clients.domain_5_dies()
    clients.close()


def test_from_ours_to_c_and_back(ours: Daemon) -> None:
    clients = Clients(ours)
    clients.leave_unfinished()
    assert live_update(ours, C_XENSTORED, "-c", f"-N -F {ours.rundir}/pid") == Run(0, b"", b"")
    assert has_become(ours, C_XENSTORED)
    clients.finish()
    clients.leave_unfinished()
    assert live_update(ours, OURS, "-c", our_options(ours)) == Run(0, b"", b"")
    clients.finish()
    clients.domain_5_dies()
    clients.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_may_be_asked_for(ours: Daemon, version: int) -> None:
    """As newer xenstore-controls do, and ours; 4.17's cannot."""
    clients = Clients(ours)
    done = run(OURS.parent, ours.socket, "control", "live-update", "-v", str(version), str(OURS))
    assert done == Run(0, b"", b"")
    clients.go_on()
    with Wire(ours.socket) as admin:
        for words, answer in (
            ([b"-f", str(OURS).encode()], b"OK\0"),
            ([b"-s", b"-v", b"3"], b"Migration stream version not supported.\0"),
            ([b"-s", b"-v", b"%d" % version], b"OK\0"),
        ):
            assert clients.ask(admin, MessageType.CONTROL, b"live-update", *words).payload == answer
    clients.go_on()
    clients.close()


REFUSED: dict[str, tuple[Callable[[Path], str], tuple[str, ...], bytes]] = {
    "not there": (lambda dir: "/nonexistent", (), b"File not accessible."),
    "not executable": (lambda dir: "/etc/passwd", (), b"File not executable."),
    "not a xenstored": (lambda dir: "/bin/true", (), b"where a xenstored's is expected"),
    "oxenstored": (lambda dir: str(O_XENSTORED), (), b"oxenstored"),
    "no program": (lambda dir: script(dir, "\0\1\2"), (), b"Error activating new binary"),
    "without an interpreter": (
        lambda dir: script(dir, "#!/nonexistent\n"),
        (),
        b"Error activating new binary",
    ),
    "it dies": (lambda dir: script(dir, "#!/bin/sh\nkill -9 $$\n"), (), b"killed by signal 9"),
    "bad options": (lambda dir: str(OURS), ("-c", "--bogus"), b"option --bogus not recognized"),
    "it cannot read the state": (
        lambda dir: script(
            dir,
            '#!/bin/sh\n[ "$1" = --help ] && echo xenstored --check-state && exit\necho too old; exit 1\n',
        ),
        (),
        b"cannot take over: exit status 1, 'too old'",
    ),
}


def script(directory: Path, text: str) -> str:
    path = directory / "program"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", REFUSED)
def test_a_program_that_cannot_take_over_leaves_everything_as_it_was(ours: Daemon, name: str) -> None:
    make, options, reason = REFUSED[name]
    clients = Clients(ours)
    clients.leave_unfinished()
    done = live_update(ours, make(ours.rundir), *options)
    assert done.status == 3
    assert reason in done.errors
    clients.finish()
    assert not list(ours.rundir.glob("state_*"))
    assert live_update(ours, OURS) == Run(0, b"", b"")
    clients.go_on()
    clients.close()


DYING = """#!/bin/sh
case "$*" in
*--help*) echo xenstored --check-state;;
*--check-state*) ;;
*) exit 1;;
esac
"""


@pytest.mark.parametrize("kind", ["ours", "c"])
def test_a_program_that_dies_after_all_does_not_take_the_store_with_it(ours: Daemon, kind: str) -> None:
    """The old program goes on, in another process; clients do not notice, but the one who asked is told."""
    clients = Clients(ours)
    clients.leave_unfinished()
    if kind == "ours":
        done = live_update(ours, script(ours.rundir, DYING))
    else:
        done = live_update(ours, C_XENSTORED, "-c", "-N -F /nonexistent/pid")
    assert done.status == 3
    assert b"died before it had taken over" in done.errors
    assert not ours.alive
    try:
        clients.finish()
        assert sorted(path.name for path in ours.rundir.glob("state_*")) == []
        assert live_update(ours, OURS) == Run(0, b"", b"")
        clients.go_on()
    finally:
        os.kill(int((ours.rundir / "socket.lock").read_text()), 15)
        assert clients.watcher.receive_bytes() == b""
    clients.close()


#: So many looks in a row, 50 ms apart: longer than the journal puts off what it can do later.
AT_REST_LOOKS = 40
HANGING = """#!/bin/sh
case "$*" in
*--help*) echo xenstored --check-state;;
*--check-state*) ;;
*) read -r line < {gate}; exit 1;;
esac
"""


def test_while_nobody_has_taken_over_another_start_is_refused(ours: Daemon) -> None:
    """Not the moment, not the death of the new program leaves the store to a supervisor's next start."""
    clients = Clients(ours)
    gate = ours.rundir.parent / "gate"
    os.mkfifo(gate)
    done: list[Run] = []
    program = script(ours.rundir, HANGING.format(gate=gate))
    asking = threading.Thread(target=lambda: done.append(live_update(ours, program)))
    asking.start()
    try:
        with gate.open("w"):  # the new program waits, the guardian for it
            pid = (ours.rundir / "socket.lock").read_text().strip()
            refused_without_effect(ours, pid)
        asking.join(60)
        assert b"died before it had taken over" in done[0].errors
        pid = (ours.rundir / "socket.lock").read_text().strip()
        refused_without_effect(ours, pid)
        clients.go_on()
    finally:
        os.kill(int((ours.rundir / "socket.lock").read_text()), 15)
        assert clients.watcher.receive_bytes() == b""
    clients.close()


def at_rest(daemon: Daemon) -> tuple[object, ...]:
    """What its directories hold once it has done what its journal needs after a start."""
    seen: list[tuple[object, ...]] = []
    while len(seen) < AT_REST_LOOKS or any(each != seen[-1] for each in seen[-AT_REST_LOOKS:]):
        seen.append((snapshot(daemon.rundir), snapshot(daemon.guests)))
        time.sleep(0.05)
    return seen[-1]


def refused_without_effect(daemon: Daemon, pid: str) -> None:
    before = at_rest(daemon)
    again = subprocess.run(
        [OURS, *our_options(daemon).split()], capture_output=True, text=True, timeout=60, check=False
    )
    assert again.stderr == f"xenstored: {daemon.socket} is served by another xenstored (pid {pid})\n"
    assert again.returncode == 1
    assert (snapshot(daemon.rundir), snapshot(daemon.guests)) == before


def test_it_waits_for_transactions_and_refuses_after_the_timeout(ours: Daemon) -> None:
    clients = Clients(ours)
    tx_id = int(clients.busy.request(MessageType.TRANSACTION_START, b"\0").payload[:-1])
    done = live_update(ours, OURS, "-t", "1")
    assert done.status == 3
    assert b"Domains with long running transactions:\nDomain 0: " in done.errors
    assert clients.busy.request(MessageType.TRANSACTION_END, b"T\0", tx_id=tx_id).payload == b"OK\0"
    clients.go_on()
    clients.close()


def test_force_ends_transactions_with_eagain(ours: Daemon) -> None:
    clients = Clients(ours)
    tx_id = int(clients.busy.request(MessageType.TRANSACTION_START, b"\0").payload[:-1])
    clients.busy.request(MessageType.WRITE, b"/lost\0", tx_id=tx_id)
    assert live_update(ours, OURS, "-F", "-t", "1") == Run(0, b"", b"")
    assert clients.busy.request(MessageType.WRITE, b"/lost\0", tx_id=tx_id).payload == b"OK\0"
    assert clients.busy.request(MessageType.TRANSACTION_END, b"T\0", tx_id=tx_id).payload == b"EAGAIN\0"
    assert clients.busy.request(MessageType.READ, b"/lost\0").payload == b"ENOENT\0"
    clients.go_on()
    clients.close()


def test_it_goes_ahead_when_the_last_transaction_ends(ours: Daemon) -> None:
    """Who has none open waits with the next: it is started in the new program."""
    clients = Clients(ours)
    tx_id = int(clients.busy.request(MessageType.TRANSACTION_START, b"\0").payload[:-1])
    admin = Wire(ours.socket)
    clients.ask(admin, MessageType.CONTROL, b"live-update", b"-f", str(OURS).encode())
    admin.send(MessageType.CONTROL, b"live-update\0-s\0-t\x0060\0")
    with Wire(ours.socket) as other:
        # Answered until the new program was examined, held from then on.
        while True:
            other.send(MessageType.TRANSACTION_START, b"\0")
            other_id = try_to_read(other)
            if other_id is None:
                break
            other.request(MessageType.TRANSACTION_END, b"F\0", tx_id=int(other_id.payload[:-1]))
        assert clients.busy.request(MessageType.TRANSACTION_END, b"T\0", tx_id=tx_id).payload == b"OK\0"
        assert admin.read().payload == b"OK\0"
        assert other.read().type == MessageType.TRANSACTION_START
    assert "took over by live update" in ours.stderr()
    admin.close()
    clients.close()


def try_to_read(wire: Wire) -> Message | None:
    wire.set_timeout(2.0)
    try:
        return wire.read()
    except TimeoutError:
        return None
    finally:
        wire.set_timeout(20.0)


class Load(threading.Thread):
    """A client that writes numbers until told to stop, and reads each back."""

    def __init__(self, connection: Wire | Guest, path: bytes, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.connection = connection
        self.path = path
        self.stop = stop
        self.count = 0
        self.failure: str | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set() and self.failure is None:
                self._round()
        except Exception as error:
            self.failure = repr(error)

    def _round(self) -> None:
        self.count += 1
        value = b"%d" % self.count
        request = pack(MessageType.WRITE, self.path + b"\0" + value, req_id=self.count)
        request += pack(MessageType.READ, self.path + b"\0", req_id=self.count)
        self.connection.send_bytes(request)
        expected = [
            Message(MessageType.WATCH_EVENT, 0, 0, self.path + b"\0t\0"),
            Message(MessageType.WRITE, self.count, 0, b"OK\0"),
            Message(MessageType.READ, self.count, 0, value),
        ]
        found = [self.connection.read() for _ in expected]
        if sorted(found) != sorted(expected):
            self.failure = f"{found}, expected {expected}"


def test_under_load_nobody_notices(ours: Daemon) -> None:
    """Sockets and rings write, read back and hear of each write, exactly once, across live updates."""
    clients = Clients(ours)
    stop = threading.Event()
    loads = []
    for number in range(8):
        loads.append(Load(Wire(ours.socket), b"/load/%d" % number, stop))
    for domid in (11, 12, 13):
        guest = Guest(ours.guests, domid)
        clients.ask(clients.busy, MessageType.INTRODUCE, b"%d" % domid, b"1", b"9")
        clients.ask(clients.busy, MessageType.MKDIR, b"/local/domain/%d" % domid)
        clients.ask(clients.busy, MessageType.SET_PERMS, b"/local/domain/%d" % domid, b"n%d" % domid)
        loads.append(Load(guest, b"x", stop))
    for load in loads:
        clients.ask(load.connection, MessageType.WATCH, load.path, b"t")
        load.connection.receive()
        load.start()
    counts = [0] * len(loads)
    for _ in range(3):
        assert live_update(ours, OURS) == Run(0, b"", b"")
        assert [load.failure for load in loads] == [None] * len(loads)
        before, counts = counts, [load.count for load in loads]
        assert all(now > then for now, then in zip(counts, before, strict=True))
    stop.set()
    for load in loads:
        load.join(30)
    assert [load.failure for load in loads] == [None] * len(loads)
    assert run(THEIRS, ours.socket, "control", "check").status == 0
    assert "check:" not in ours.stderr()
    clients.go_on()
    clients.close()


def test_a_daemon_in_the_background_keeps_its_process_and_pid_file(tmp_path: Path) -> None:
    need(C_XENSTORED, XEN_BIN / "xenstore-control")
    pid_file, socket = tmp_path / "pid", tmp_path / "socket"
    subprocess.run([OURS, "-F", pid_file, "--rundir", tmp_path, "--platform", "none"], check=True, timeout=30)
    pid = int(pid_file.read_text())
    try:
        assert run(THEIRS, socket, "control", "live-update", str(OURS)) == Run(0, b"", b"")
        assert int(pid_file.read_text()) == pid
        with Wire(socket) as client:
            assert client.request(MessageType.READ, b"/tool\0").payload == b""
            os.kill(pid, 15)
            assert client.receive_bytes() == b""
    finally:
        if pid_file.exists():
            os.kill(pid, 9)
