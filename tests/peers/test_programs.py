"""Our command lines print, byte for byte, what Debian's print, and end as they do: on real stores."""

import fcntl
import os
import pty
import random
import shlex
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.peers.canned import CannedStore
from tests.peers.daemons import Daemon, start_c, start_ours
from tests.peers.programs import (
    NAMES,
    OURS,
    PROGRAM_SECONDS,
    THEIRS,
    Forked,
    Run,
    environment,
    forked,
    need_programs,
    program,
    run,
)

pytestmark = pytest.mark.peer


class Stores(NamedTuple):
    """Two stores of one kind, and our programs."""

    theirs: Daemon
    ours: Daemon
    programs: Forked


@pytest.fixture(scope="module", params=[start_c, start_ours], ids=["c", "ours"])
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Fresh: their programs work on the first, ours on the second."""
    need_programs()
    start: Callable[[Path], Daemon] = request.param
    with (
        start(tmp_path_factory.mktemp("theirs")) as theirs,
        start(tmp_path_factory.mktemp("ours")) as ours,
        forked(tmp_path_factory.mktemp("printed")) as programs,
    ):
        yield Stores(theirs, ours, programs)


def compare(stores: Stores, name: str, *arguments: str | bytes) -> Run:
    theirs = run(THEIRS, stores.theirs.socket, name, *arguments)
    ours = stores.programs.run(stores.ours.socket, name, *arguments)
    assert ours == theirs, f"xenstore-{name} {arguments}"
    return ours


#: Run from top to bottom on a fresh store; each line builds on those before it.
SCRIPT = r"""
ls
ls -f
ls -p
ls -fp
ls -pf /
ls -h
ls -s /tool
ls /tool /
ls /missing
ls missing
ls ''
ls //
ls /tool/
ls -t
ls -n
ls -n 3
ls -x
ls -xyz /tool
ls -- /tool
ls /tool --
ls /tool -f
ls -R /tool
ls --fl --pre /tool
ls --flat=3
ls --unknown
ls --help
ls --r
ls ---
read
read -h
read -p
read /
read /tool /missing
read /missing
read /missing /missing-too
read -p /tool / /tool/xenstored
read //
read -f /tool
read -t /tool
write
write -h
write /a
write /a b /c
write /a/b/c 'some value'
write /a/b/c/d 1 /a/b/c/e 2 /a/x 3
write -s /a/y 4
write /a/y/ 4
write /a.b 4
write -p /a/y 4
write -R /a/raw 'a\x41\n'
write /a/escaped 'a\x41\n\t\r\\\101'
write /a/odd1 '\q' /a/odd2 'x\' /a/odd3 '\x' /a/odd4 '\xg' /a/odd5 '\x4' /a/odd6 '\400' /a/odd7 '\777'
write /a/odd8 '\x -' /a/odd9 '\x-1' /a/odd10 '\x0x41' /a/odd11 '\08' /a/odd12 '\1234' /a/odd13 '\0'
write /a/empty ''
write /a/minus -1
write -- /a/minus -1
write /a/good 1 /a.bad 2
exists /a/good
read /a/escaped /a/odd1 /a/odd7
read -R /a/escaped /a/raw
read -pR /a/escaped /a/raw
read -pR /a/odd13
ls /a
ls -f /a
ls -p /a
ls -fp /a
list /a
list -p /a
list -p /a /
list
list -h
list -f /
list /missing
list /a /missing
list /a/empty
list //
exists
exists -h
exists -p /a
exists /a
exists /a /missing
exists /missing /a
exists /
exists //
exists -s /a /a/b
write /rel/x 1 relative/y 2
read relative/y
read /local/domain/0/relative/y
list -p relative
rm
rm -h
rm -p /a
rm /
rm //
rm /missing
rm /missing/deeper
rm /a/odd1 /missing/deeper
exists /a/odd1
rm /a/odd1 /a/odd2
rm /a/odd1
rm -t /a/b/c/d
ls -f /a/b
rm -t /a/b/c/e
ls -f /a/b
write /a/b/c ''
rm -t relative/y
ls -f /local
write /t/1/2/3/4 '' /t/1/keep x
rm -t /t/1/2/3/4
ls -f /t
rm -t /t/1/keep /rel/x
ls -f /
chmod
chmod -h
chmod -t /a n0
chmod /a
chmod /a r0
chmod /a n0 r3 w4 b5
ls -p /a/b
chmod -p /a n0
chmod /missing r0
chmod /a/missing r0
chmod // r0
chmod '' r0
chmod /a q0
chmod /a 0
chmod /a ''
chmod /a R0
chmod /a r
chmod /a rx
chmod /a 'r 7'
chmod /a 'r+7'
chmod /a r010
chmod /a r0x10
ls -fp /
chmod -r /a n0 r7
ls -fp /a
chmod -u /a/b/c n0 r8
ls -fp /a
chmod -ru /a/b n0 w9
ls -fp /a
chmod -r / n0
chmod -u a n0
chmod -u local/domain n0
chmod -r a n0
write rel/deep/er 1
chmod -r rel n0 r1
chmod -u rel/deep n0 r2
ls -fp /local
rm /local
watch
watch -h
watch -n
watch -n 0 /a
watch -n 1 /a
watch -n 2 /a /a/b
watch -n 2 /a /a
watch -n 1 //
watch -n0 /a
watch -n x /a
watch -n -3 /a
watch --number=1 /a
watch --num 1 @releaseDomain
watch --num
watch -n 1 relative
watch -n 1 -p /a
watch -s -n 1 /a
ls -p
""".strip().splitlines()  # fmt: skip


def test_the_script_does_the_same(stores: Stores) -> None:
    for line in SCRIPT:
        name, *arguments = shlex.split(line)
        compare(stores, name, *arguments)


def test_every_option_of_every_program(stores: Stores) -> None:
    words = {"write": ["/o", "x"], "chmod": ["/o", "n0"]}
    for name in NAMES:
        for option in ("-h", "-f", "-s", "-p", "-t", "-u", "-r", "-R", "-n0", "--raw", "--tidy", "-j"):
            limit = ["-n", "0"] if name == "watch" else []
            compare(stores, name, option, *limit, *words.get(name, ["/o"]))


def test_every_byte_in_a_value(stores: Stores) -> None:
    bytes_ = [bytes((number,)) for number in range(1, 256)]
    paths = [f"/byte/{byte.hex()}" for byte in bytes_]
    compare(stores, "write", "-R", *(word for pair in zip(paths, bytes_, strict=True) for word in pair))
    compare(stores, "read", "-p", *paths)
    compare(stores, "read", "-R", *paths)
    compare(stores, "ls", "/byte")
    escaped = [b"<\\" + byte + b"41>" for byte in bytes_]
    compare(stores, "write", *(word for pair in zip(paths, escaped, strict=True) for word in pair))
    compare(stores, "ls", "-f", "/byte")


def test_bytes_that_are_no_text_in_paths(stores: Stores) -> None:
    for name in ("read", "list", "exists", "rm", "ls"):
        compare(stores, name, b"/\xff\xfe")


def test_random_trees(stores: Stores) -> None:
    """Names, depths and values around every width at which a line is cut or filled."""
    seeded = random.Random(7)
    paths = ["/r"]
    nodes: list[str | bytes] = []
    for _ in range(150):
        parent = seeded.choice(paths[-40:])
        paths.append(parent + "/" + "n" * seeded.choice([1, 2, 5, 20, 50, 75, 90]) + str(len(paths)))
        value = bytes(
            seeded.choice(b"abc \n\\\x01\xff")
            for _ in range(seeded.choice([0, 1, 30, 48, 50, 60, 70, 75, 80, 200]))
        )
        nodes += [paths[-1], value]
    compare(stores, "write", "-R", *nodes)
    for options in ([], ["-p"], ["-f"], ["-fp"]):
        compare(stores, "ls", *options, "/r")
    compare(stores, "rm", "/r")


def test_a_deep_tree(stores: Stores) -> None:
    """Deeper than the line is wide, where the C program's precision becomes negative."""
    compare(stores, "write", "/d" + "/x" * 120, "bottom")
    for options in ([], ["-p"], ["-f"]):
        compare(stores, "ls", *options)
    compare(stores, "chmod", "-r", "/d", "n0", "r3")
    compare(stores, "ls", "-fp", "/d")
    compare(stores, "rm", "-t", "/d" + "/x" * 120)
    compare(stores, "exists", "/d")


def test_a_directory_longer_than_a_message(stores: Stores) -> None:
    for first in range(0, 900, 300):
        pairs = [f"/big/child-number-{n}" for n in range(first, first + 300)]
        compare(stores, "write", *(word for path in pairs for word in (path, "v")))
    compare(stores, "list", "/big")
    compare(stores, "ls", "/big")
    compare(stores, "rm", "/big")


def test_values_and_paths_too_long(stores: Stores) -> None:
    compare(stores, "write", "/long", "x" * 3000)
    compare(stores, "ls")
    compare(stores, "ls", "-f")
    compare(stores, "read", "/long")
    compare(stores, "write", "/long", "x" * 4096)
    compare(stores, "write", "/" + "x" * 4096, "")
    compare(stores, "read", "/" + "x" * 4096)
    compare(stores, "ls", "/" + "x" * 4096)
    compare(stores, "rm", "/long")


@pytest.mark.parametrize("columns", [0, 1, 2, 3, 9, 10, 11, 20, 40, 61, 62, 63, 80, 200])
def test_ls_on_a_terminal(stores: Stores, columns: int) -> None:
    compare(stores, "write", "/tty/some/deeper/node", "y" * 70, "/tty/a", "z" * 10, "/tty/" + "n" * 60, "v")
    for options in ([], ["-p"], ["-f"]):
        theirs = on_terminal(THEIRS, stores.theirs, columns, "ls", *options, "/tty")
        assert on_terminal(OURS, stores.ours, columns, "ls", *options, "/tty") == theirs


def on_terminal(side: Path, store: Daemon, columns: int, name: str, *arguments: str) -> bytes:
    """What the program prints on a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(
        [program(side, name), *arguments],
        env=environment(store.socket),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    printed = b""
    try:
        while data := os.read(master, 65536):
            printed += data
    except OSError:
        pass  # EIO: the other side was closed
    os.close(master)
    assert child.wait(PROGRAM_SECONDS) == 0
    return printed


def test_watching(stores: Stores) -> None:
    """Events of several paths in the order they come."""
    assert watched(OURS, stores.ours) == watched(THEIRS, stores.theirs)


def watched(side: Path, store: Daemon) -> tuple[list[bytes], int]:
    child = subprocess.Popen(
        [program(side, "watch"), "-n", "7", "/w", "@releaseDomain"],
        env=environment(store.socket),
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout as stream:
        lines = [stream.readline(), stream.readline()]
        for name, *arguments in (
            ["write", "/w/a", "1", "/w/b", "2"],
            ["write", "/elsewhere", "1"],
            ["chmod", "/w/a", "r0"],
            ["rm", "/w/a"],
            ["rm", "/w"],
        ):
            assert run(side, store.socket, name, *arguments).status == 0
        lines += stream.readlines()
    run(side, store.socket, "rm", "/elsewhere")
    return lines, child.wait(PROGRAM_SECONDS)


def test_watch_ends_by_interrupt_without_a_word(stores: Stores) -> None:
    child = subprocess.Popen(
        [program(OURS, "watch"), "/"],
        env=environment(stores.ours.socket),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    output, errors = child.communicate(timeout=PROGRAM_SECONDS)
    assert (child.returncode, output, errors) == (130, b"", b"")


def test_a_reader_that_goes_away(stores: Stores) -> None:
    """As `xenstore-ls | head -0`: no traceback."""
    for line in ("ls", "ls --json", "list /", "read -p /tool", "watch /", "watch -n 1 /", "control help"):
        reading, writing = os.pipe()
        os.close(reading)
        name, *arguments = line.split()
        child = subprocess.Popen(
            [program(OURS, name), *arguments],
            env=environment(stores.ours.socket),
            stdout=writing,
            stderr=subprocess.PIPE,
        )
        os.close(writing)
        assert child.communicate(timeout=PROGRAM_SECONDS)[1] == b"", line
        assert child.returncode == 141, line


def test_a_watch_ends_with_its_reader_though_nothing_happens(stores: Stores) -> None:
    """As `xenstore-watch / | head -1`."""
    child = subprocess.Popen(
        [program(OURS, "watch"), "/"],
        env=environment(stores.ours.socket),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"/\n"
    child.stdout.close()
    assert child.stderr is not None
    assert (child.stderr.read(), child.wait(PROGRAM_SECONDS)) == (b"", 141)
    child.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk(stores: Stores) -> None:
    for line in ("ls", "ls --json", "list /", "watch /", "control help"):
        name, *arguments = line.split()
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [program(OURS, name), *arguments],
                env=environment(stores.ours.socket),
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=PROGRAM_SECONDS,
            )
        text = b"xenstore-%s: standard output: No space left on device\n" % name.encode()
        assert (done.returncode, done.stderr) == (1, text), line


@pytest.mark.parametrize("side", [THEIRS, OURS], ids=["theirs", "ours"])
def test_posixly_correct_stops_at_the_first_argument(c_xenstored: Daemon, side: Path) -> None:
    need_programs()
    result = run(side, c_xenstored.socket, "read", "/tool", "-p", POSIXLY_CORRECT="1")
    assert result == Run(1, b"\n", b"xenstore-read: couldn't read path -p\n")


@pytest.mark.parametrize(
    "line", ["ls", "read /a", "write /a b", "watch /a", "control check", "chmod /a n0 -x"]
)
@pytest.mark.parametrize("state", ["missing", "refused"])
def test_no_server(tmp_path: Path, line: str, state: str) -> None:
    need_programs()
    path = tmp_path / "socket"
    if state == "refused":
        with CannedStore(path, lambda asked: None):
            pass
    name, *arguments = line.split()
    theirs = run(THEIRS, path, name, *arguments)
    assert theirs.status == 1
    assert run(OURS, path, name, *arguments) == theirs


CONTROL = [
    "check",
    "print x",
    "help",
    "quota",
    "quota 4711",
    "quota set nodes",
    "log",
    "log on",
    "log off",
    "memreport",
    "logfile",
    "nonsense",
    "live-update /nonexistent",
]


@pytest.mark.parametrize("line", CONTROL)
def test_control(stores: Stores, line: str) -> None:
    compare(stores, "control", *line.split())
