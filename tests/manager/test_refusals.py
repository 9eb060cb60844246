"""What xend cannot start with: one line that says what to do, a status that is not 0, and nothing left."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.manager.store import xenstored
from tests.peers.daemons import start_c
from tests.unit.server.program import NOBODY, as_root

#: Runs as NOBODY from the moment everything is imported: the interpreter may lie where only root can read.
AS_NOBODY = [
    "-c",
    "import os, sys, xend.__main__ as program, xenstore.server.embedded, xend.hypervisor.simulator; "
    f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(program.main(sys.argv[1:]))",
]

#: Words after the ones that work, status, and the line; {top} is the place.
REFUSED = {
    "an unknown option": (["--frobnicate"], 2, "unrecognized arguments: --frobnicate; xend --help lists the"),
    "a word too many": (["start"], 2, "unrecognized arguments: start; xend --help lists the options"),
    "an unknown hypervisor": (["--hypervisor=kvm"], 2, "--hypervisor kvm: sim, sim:DIR, xen or auto was"),
    "an unknown group": (["--operate-group=nogrp"], 2, "there is no group nogrp; xend --help lists the"),
    "an unknown platform": (["--platform=plan9"], 2, "argument --platform: invalid choice: 'plan9'"),
    "no Xen": (["--hypervisor=auto"], 1, "no Xen here ("),
    "no Xen, which is asked for": (["--hypervisor=xen"], 1, "no Xen here ("),
    "no store": (["--store={top}/none"], 1, "no socket at {top}/none: start xenstored, or"),
    "a file for a run directory": (["--rundir=/dev/null"], 1, "run directory /dev/null: Not a directory"),
    "nowhere to log": (["--log-dir=/dev/null/log"], 1, "/dev/null: Not a directory"),
    "nowhere for the pid": (["--pid-file={top}/no/pid"], 1, "{top}/no/pid: No such file or directory"),
    "a long path": (["--rundir={top}/" + "x" * 100], 1, "bytes; the path of a socket holds 1"),
}


@pytest.mark.parametrize(("words", "status", "line"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(place: Place, words: list[str], status: int, line: str) -> None:
    refused(place, [word.format(top=place.top) for word in words], status, line.format(top=place.top))


@pytest.mark.parametrize("what", ["no Xen", "no store", "nowhere for the pid"])
def test_what_is_refused_in_the_foreground(place: Place, what: str) -> None:
    words, status, line = REFUSED[what]
    words = [word.format(top=place.top) for word in (*words, "--no-fork")]
    refused(place, words, status, line.format(top=place.top))


def refused(place: Place, words: list[str], status: int, line: str) -> None:
    done = place.xend.run(*words)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("xend: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert not place.xend.pid_file.exists()
    assert not place.socket.exists()
    assert place.host.adopt() is None


def test_what_is_missing_without_xen_is_named(place: Place) -> None:
    assert "--hypervisor sim" in place.xend.run("--hypervisor=auto").stderr
    assert "--store embedded needs none" in place.xend.run("--store=/nowhere").stderr


def wrong_store(place: Place, path: Path) -> None:
    """xend does not start on a store, says why, and the store has nothing of the attempt."""
    place.environment["XENSTORED_PATH"] = str(path)
    before = place.said("xenstore-ls", "-f")
    done = place.xend.run(f"--store={path}")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the xenstored at {path} cannot map the pages of simulated domains" in done.stderr
    assert f"--platform sim:{place.top}/sim, or use --store embedded" in done.stderr
    assert done.stderr.count("\n") == 1
    assert place.host.adopt() is None
    assert place.said("xenstore-ls", "-f") == before


def test_a_store_of_sockets_only(place: Place) -> None:
    store = xenstored(place, "none")
    wrong_store(place, store.socket)


@pytest.mark.peer
def test_xens_own_store(place: Place) -> None:
    with start_c(place.top / "c") as daemon:
        wrong_store(place, daemon.socket)


@as_root
@pytest.mark.parametrize(
    ("option", "name"), [("--rundir", "kept"), ("--log-dir", "kept"), ("--pid-file", "kept/pid")]
)
def test_a_directory_of_somebody_else(place: Place, option: str, name: str) -> None:
    place.top.chmod(0o755)
    for made in ("open", "kept"):
        (place.top / made).mkdir()
    os.chown(place.top / "open", NOBODY, NOBODY)
    words = {"--rundir": "open", "--log-dir": "open", "--pid-file": "open/pid", option: name}
    options = [f"{each}={place.top / where}" for each, where in words.items()]
    done = place.xend.run(argv=[place.python, *AS_NOBODY, "--hypervisor=sim", *options])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("xend: ")
    assert f"{place.top}/kept" in done.stderr
    assert "Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (place.top / "open/sim/host.pid").exists()


#: Becomes a user, connects, says hello and prints what comes.
VISITOR = """
    import json, os, socket, sys
    import msgpack
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(sys.argv[1])
        try:
            client.sendall(msgpack.packb([0, 7, "hello", []]))
        except BrokenPipeError:
            pass  # turned away before; the reason is there to be read
        print(json.dumps(msgpack.unpackb(client.recv(1 << 16))))
"""


def visit(path: Path, user: int) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(VISITOR), str(path), str(user)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: list[object] = json.loads(done.stdout)
    return answer


@as_root
@pytest.mark.parametrize("name", ["socket", "socket_ro"])
def test_who_is_not_root_is_turned_away_even_if_the_socket_lets_him(place: Place, name: str) -> None:
    place.start()
    place.top.chmod(0o755)
    path = place.top / name
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(os.fspath(path))  # root may
    path.chmod(0o666)
    kind, number, error, result = visit(path, NOBODY)
    assert (kind, number, result) == (1, 0, None)
    assert isinstance(error, dict)
    assert error["code"] == "not_permitted"
    assert f"may not use {path}" in error["message"]
    assert f"user {NOBODY}" in place.log()
    assert visit(path, 0)[1:3] == [7, None]


@as_root
def test_members_of_the_readers_group_may_read(place: Place) -> None:
    place.start(f"--read-group={NOBODY}")
    place.top.chmod(0o755)
    _, _, error, hello = visit(place.top / "socket_ro", NOBODY)
    assert error is None
    assert isinstance(hello, dict)
    assert hello["access"] == "read"
    assert "domain.list" in hello["methods"]
    assert "domain.destroy" not in hello["methods"]
    with pytest.raises(subprocess.CalledProcessError):
        visit(place.socket, NOBODY)
