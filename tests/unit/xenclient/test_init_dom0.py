"""xen-init-dom0 against this project's daemon, each test a store of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import Daemon, start_ours
from xenclient.cli import init_dom0
from xenclient.store.blocking import Client
from xenstore.errors import ENOENT
from xenstore.platform import Unavailable, cpupools

UUID = "123e4567-e89b-12d3-a456-426614174000"
PATHS = ("/local/domain/0/domid", "/local/domain/0/name", "/local/pool/0/name")
SET_UP = (b"0", b"Domain-0", b"Pool-0")
DONE = (0, "Done setting up Dom0\n", "")
WAS_DONE = (0, "", "Dom0 is already set up\n")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Daemon]:
    with start_ours(tmp_path, is_forked=True) as daemon:
        yield daemon


def init(socket: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [Path(sys.executable).parent / "xen-init-dom0", *arguments],
        env={"XENSTORED_PATH": str(socket), "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def in_process(store: Daemon, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("XENSTORED_PATH", str(store.socket))
    monkeypatch.setattr(sys, "argv", ["xen-init-dom0"])
    return init_dom0.main()


def values(store: Daemon) -> tuple[bytes | None, ...]:
    found: list[bytes | None] = []
    with Client(str(store.socket)) as client:
        for path in PATHS:
            try:
                found.append(client.read(path))
            except ENOENT:
                found.append(None)
    return tuple(found)


def test_once_and_again(store: Daemon) -> None:
    assert init(store.socket) == DONE
    assert values(store) == SET_UP
    assert init(store.socket) == WAS_DONE


def test_every_cpupool_is_named(store: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpupools, "of_this_host", lambda: [0, 3])
    assert in_process(store, monkeypatch) == 0
    with Client(str(store.socket)) as client:
        names = [client.read(b"/local/pool/%d/name" % pool) for pool in (0, 3)]
    assert names == [b"Pool-0", b"Pool-3"]


def test_a_hypervisor_that_cannot_be_asked(
    store: Daemon, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> list[int]:
        raise Unavailable("/dev/xen/privcmd: Permission denied; it must run as root")

    monkeypatch.setattr(cpupools, "of_this_host", refuse)
    assert in_process(store, monkeypatch) == 0
    assert values(store) == SET_UP
    assert capfd.readouterr().err == (
        "xen-init-dom0: of the cpupools only Pool-0 is named: "
        "/dev/xen/privcmd: Permission denied; it must run as root\n"
    )


@pytest.mark.parametrize("there", PATHS[:2])
def test_half_of_it_is_completed(store: Daemon, there: str) -> None:
    with Client(str(store.socket)) as client:
        client.write(there, "x")
    assert init(store.socket) == DONE
    assert values(store) == SET_UP


def test_a_name_that_was_given_stays(store: Daemon) -> None:
    init(store.socket)
    with Client(str(store.socket)) as client:
        client.write(PATHS[1], "host")
    assert init(store.socket) == WAS_DONE
    assert values(store) == (b"0", b"host", b"Pool-0")


@pytest.mark.parametrize("uuid", [UUID, UUID.replace("-", "")])
def test_a_uuid_is_not_set_and_that_is_said(store: Daemon, uuid: str) -> None:
    status, text, errors = init(store.socket, uuid)
    assert (status, text) == DONE[:2]
    assert errors == "xen-init-dom0: dom0's UUID stays as it is: only the hypervisor could change it\n"
    assert values(store) == SET_UP


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["no-uuid"], "failed to parse UUID no-uuid\n"),
        ([UUID + "0"], f"failed to parse UUID {UUID}0\n"),
        ([UUID, UUID], "too many arguments\n"),
    ],
)
def test_wrong_arguments_change_nothing(store: Daemon, arguments: list[str], text: str) -> None:
    assert init(store.socket, *arguments) == (1, "", text)
    assert values(store) == (None, None, None)


def test_no_daemon(tmp_path: Path) -> None:
    status, text, errors = init(tmp_path / "socket")
    assert (status, text) == (1, "")
    assert errors.startswith("cannot open xenstore connection: ")
