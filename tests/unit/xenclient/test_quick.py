"""The compiled programs of scripts print and do what those of Python do, or leave it to them."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import xenclient
from tests.peers.canned import Asked, CannedStore
from tests.peers.daemons import Daemon
from tests.peers.wire import Wire
from xenstore.wire import HEADER, MessageType, pack

pytestmark = pytest.mark.process

QUICK = Path(xenclient.__file__).with_name("quick")
NAMES = ("exists", "list", "ls", "read", "write")
#: Stands for the program of Python: says how it was called.
STAND_IN = '#!/bin/sh\nprintf "%s\\n" "${0##*/}" "$@"\nexit 42\n'
HANDED_OVER = 42
TREE = {
    "/q/backend/vif/3/0/bridge": b"xenbr0",
    "/q/backend/vif/3/0/script": b"/etc/xen/scripts/vif-bridge",
    "/q/backend/vif/3/0/empty": b"",
    "/q/backend/vif/3/0/quoted": b'a "b" = c',
    "/q/backend/vif/12/1/mac": b"00:16:3e:00:00:01",
    "/q/odd/newline": b"a\nb",
    "/q/odd/backslash": b"a\\b",
    "/q/odd/latin": b"\xe9",
    "/q/long": b"x" * 2048,
}


class Done(NamedTuple):
    """What a program did."""

    status: int
    output: bytes


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("python")
    for name in NAMES:
        program = directory / f"xenstore-{name}"
        program.write_text(STAND_IN)
        program.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def store(our_xenstored: Daemon) -> Daemon:
    with Wire(our_xenstored.socket) as wire:
        wire.request(MessageType.RM, b"/q\0")
        for path, value in TREE.items():
            wire.request(MessageType.WRITE, path.encode() + b"\0" + value)
    return our_xenstored


def run(path: str, where: Path | str, name: str, *words: str) -> Done:
    """Call a program as a script does: found in PATH."""
    command = ["/bin/sh", "-c", f'xenstore-{name} "$@"', "sh", *words]
    done = subprocess.run(
        command,
        env={"PATH": path, "XENSTORED_PATH": str(where)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=60,
    )
    return Done(done.returncode, done.stdout)


def quick(stand_ins: Path, where: Path | str, name: str, *words: str) -> Done:
    return run(f"{QUICK}:{stand_ins}", where, name, *words)


def python(store: Daemon, name: str, *words: str) -> Done:
    return run(str(Path(sys.executable).parent), store.socket, name, *words)


READING = [
    ("exists", "/q/long"),
    ("exists", "/q/none"),
    ("exists", "/"),
    ("list", "/q/backend/vif"),
    ("list", "/q/long"),
    ("ls", "-f", "/q/backend"),
    ("ls", "-f", "/q/backend/vif/3/0"),
    ("ls", "-f", "/q/long"),
    ("read", "/q/backend/vif/3/0/quoted"),
    ("read", "/q/backend/vif/3/0/empty"),
    ("read", "/q/long"),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_is_plain_is_as_by_python(store: Daemon, stand_ins: Path, words: tuple[str, ...]) -> None:
    done = quick(stand_ins, store.socket, *words)
    assert done.status != HANDED_OVER
    assert done == python(store, *words)


LEFT = [
    ("exists",),
    ("exists", "/q/long", "/q/odd"),
    ("exists", "q"),
    ("list", "/q/none"),
    ("list", "-p", "/q"),
    ("ls", "/q"),
    ("ls", "-f"),
    ("ls", "-f", "-p", "/q"),
    ("ls", "-f", "/q"),
    ("ls", "-f", "/q/none"),
    ("ls", "-f", "/q/backend/"),
    ("ls", "-f", "/q/" + 70 * "deep/"),
    ("read", "/q/none"),
    ("read", "-R", "/q/long"),
    ("read", "/q/odd/newline"),
    ("read", "/q/odd/backslash"),
    ("read", "/q/odd/latin"),
    ("read", "relative"),
    ("read", "/q/long", "/q/odd"),
    ("read", "/q//long"),
    ("read", "/q/" + 5000 * "x"),
    ("write", "/q/w"),
    ("write", "/q/w", "a\\nb"),
    ("write", "/q/w", "caf\u00e9"),
    ("write", "-R", "/q/w", "v"),
    ("write", "w", "v"),
    ("write", "/q/w", "x" * 5000),
    ("write", "/q/w", "v", "/q//w", "v"),
    ("write", "/q/w", "1", "/q/w2", "x" * 5000),
    ("--help",),
]


@pytest.mark.parametrize("words", LEFT, ids=lambda words: " ".join(words)[:30])
def test_all_else_is_left_to_python(store: Daemon, stand_ins: Path, words: tuple[str, ...]) -> None:
    name, *rest = words if words != ("--help",) else ("read", "--help")
    assert quick(stand_ins, store.socket, name, *rest) == (
        HANDED_OVER,
        "".join(f"{word}\n" for word in (f"xenstore-{name}", *rest)).encode(),
    )


@pytest.mark.parametrize("count", [1, 2, 5])
def test_values_are_written(store: Daemon, stand_ins: Path, count: int) -> None:
    pairs = [word for number in range(count) for word in (f"/q/written/{number}", f"value {number}")]
    assert quick(stand_ins, store.socket, "write", *pairs) == (0, b"")
    listed = "".join(f'/q/written/{number} = "value {number}"\n' for number in range(count))
    assert quick(stand_ins, store.socket, "ls", "-f", "/q/written").output.startswith(listed.encode())


def test_several_values_are_one_transaction(tmp_path: Path, stand_ins: Path) -> None:
    def answer(asked: Asked) -> bytes | str:
        answers: dict[str, bytes | str] = {"TRANSACTION_START": b"7\0", "TRANSACTION_END": "EAGAIN"}
        return answers.get(asked.name, b"OK\0")

    with CannedStore(tmp_path / "socket", answer) as canned:
        done = quick(stand_ins, tmp_path / "socket", "write", "/a", "1", "/b", "2")
    assert done.status == HANDED_OVER
    assert [(each.name, each.tx_id) for each in canned.asked] == [
        ("TRANSACTION_START", 0),
        ("WRITE", 7),
        ("WRITE", 7),
        ("TRANSACTION_END", 7),
    ]


@pytest.mark.parametrize("where", ["", "relative", "/nowhere/socket", "/" + "x" * 200])
def test_without_a_store_it_is_left_to_python(stand_ins: Path, where: str) -> None:
    assert quick(stand_ins, where, "exists", "/").status == HANDED_OVER


def test_it_calls_no_program_in_a_relative_directory(stand_ins: Path, tmp_path: Path) -> None:
    shutil.copy(stand_ins / "xenstore-read", tmp_path)
    done = subprocess.run(
        ["/bin/sh", "-c", "xenstore-read /"],
        env={"PATH": f"{QUICK}:.::{tmp_path.name}"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    assert done.returncode == 127


@pytest.mark.parametrize("name", NAMES)
def test_called_by_its_path_it_does_not_call_itself(stand_ins: Path, name: str) -> None:
    done = subprocess.run(
        [QUICK / f"xenstore-{name}", "--help"],
        env={"PATH": f"{stand_ins}:{QUICK}"},
        stdout=subprocess.PIPE,
    )
    assert done.returncode == HANDED_OVER
    alone = subprocess.run([QUICK / f"xenstore-{name}", "--help"], env={"PATH": str(QUICK)})
    assert alone.returncode == 127


def _answers() -> Iterator[tuple[str, bytes]]:
    """What no store says, to the first request, whose number is 1."""
    good = pack(MessageType.READ, b"value", req_id=1)
    yield "nothing", b""
    yield "half a header", good[:8]
    yield "half a value", good[:-2]
    yield "another type", pack(MessageType.DIRECTORY, b"value", req_id=1)
    yield "another number", pack(MessageType.READ, b"value", req_id=2)
    yield "an event", pack(MessageType.WATCH_EVENT, b"a\0b\0", req_id=0) + good
    yield "too much", HEADER.pack(MessageType.READ, 1, 0, 4097) + b"x" * 4097
    yield "far too much", HEADER.pack(MessageType.READ, 1, 0, 2**32 - 1) + b"x" * 100_000
    yield "a NUL", pack(MessageType.READ, b"a\0b", req_id=1)


@pytest.mark.parametrize("answer", [each[1] for each in _answers()], ids=[each[0] for each in _answers()])
def test_what_no_store_says_is_left_to_python(tmp_path: Path, stand_ins: Path, answer: bytes) -> None:
    where = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(where))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert quick(stand_ins, where, "read", "/a").status == HANDED_OVER
        thread.join()


def test_a_listing_of_names_without_end_is_left_to_python(tmp_path: Path, stand_ins: Path) -> None:
    """Each directory has itself in it: neither the stack nor memory grows for ever."""
    with CannedStore(tmp_path / "socket", lambda asked: b"a\0" if asked.name == "DIRECTORY" else b"v"):
        assert quick(stand_ins, tmp_path / "socket", "ls", "-f", "/").status == HANDED_OVER


def test_closed_standard_files_are_not_mistaken(store: Daemon, stand_ins: Path) -> None:
    """The connection is no standard output."""
    done = subprocess.run(
        ["/bin/sh", "-c", "xenstore-read /q/long <&- >&- 2>&-"],
        env={"PATH": f"{QUICK}:{stand_ins}", "XENSTORED_PATH": str(store.socket)},
    )
    assert done.returncode == HANDED_OVER


def test_the_message_fits_the_wire() -> None:
    assert struct.calcsize("4I") == HEADER.size
    assert os.access(QUICK / "xenstore-ls", os.X_OK)
