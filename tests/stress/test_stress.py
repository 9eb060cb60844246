"""The program: passes on good stores, finds what was planted, says what went wrong."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.peers.daemons import ROOT, Daemon, start_c, start_o
from tests.peers.wire import Wire
from tests.stress.__main__ import PICTURE
from tests.stress.bank import FIRST_VERSION, OPENING_BALANCE, Balance
from tests.stress.board import Board, Counts
from tests.stress.run import Outcome
from tests.stress.verdict import faults, picture, sparkline
from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack


def stress(*words: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.stress", "--seconds", "1", "--clients", "4", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def assert_passed(done: subprocess.CompletedProcess[str]) -> None:
    assert done.stderr == ""
    assert done.returncode == 0
    assert "PASSED" in done.stdout
    assert "committed/s" in done.stdout


def test_ours_passes() -> None:
    assert_passed(stress("--accounts", "5"))
    assert ElementTree.parse(PICTURE).getroot().tag.endswith("svg")


def test_a_planted_fault_is_found_in_ours() -> None:
    done = stress("--accounts", "5", "--plant", "--seconds", "3")
    assert done.returncode == 0
    assert "both replaced version" in done.stdout
    assert "FOUND" in done.stdout


@pytest.mark.peer
@pytest.mark.parametrize("start", [start_c, start_o])
def test_debians_daemons_pass_and_are_left_clean(start: Callable[[Path], Daemon], tmp_path: Path) -> None:
    with start(tmp_path) as daemon:
        assert_passed(stress("--accounts", "5", "--socket", daemon.socket))
        with Wire(daemon.socket) as wire:
            left = wire.request(MessageType.DIRECTORY, b"/xend-stress\0").payload
    assert left == b""


@pytest.mark.peer
def test_a_planted_fault_is_found_in_c(tmp_path: Path) -> None:
    with start_c(tmp_path) as daemon:
        done = stress("--accounts", "5", "--plant", "--seconds", "3", "--socket", daemon.socket)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_store(tmp_path: Path) -> None:
    done = stress("--socket", tmp_path / "socket")
    assert done.returncode == 2
    assert done.stderr.startswith(f"could not finish on {tmp_path / 'socket'}: ")


class OneBigLock:
    """A store with a fault: transactions are taken for plain requests, and every commit succeeds."""

    def __init__(self, path: Path) -> None:
        self._nodes: dict[bytes, bytes] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            while head := client.recv(HEADER_SIZE, socket.MSG_WAITALL):
                type_, req_id, tx_id, size = HEADER.unpack(head)
                payload = client.recv(size, socket.MSG_WAITALL) if size else b""
                client.sendall(pack(type_, self._answer(type_, payload), req_id=req_id, tx_id=tx_id))

    def _answer(self, type_: int, payload: bytes) -> bytes:
        if type_ == MessageType.TRANSACTION_START:
            return b"1\0"
        path, _, value = payload.partition(b"\0")
        if type_ == MessageType.READ:
            return self._nodes[path]
        if type_ == MessageType.WRITE:
            self._nodes[path] = value
        return b"OK\0"


def test_a_store_without_transactions_is_found_out(tmp_path: Path) -> None:
    store = OneBigLock(tmp_path / "socket")
    done = stress("--accounts", "2", "--seconds", "3", "--socket", tmp_path / "socket")
    store.close()
    assert done.returncode == 1
    assert "FAILED" in done.stdout


def balances(*amounts: int) -> list[Balance]:
    return [Balance(amount, FIRST_VERSION) for amount in amounts]


def test_the_sum_must_be_exact() -> None:
    good = balances(OPENING_BALANCE + 5, OPENING_BALANCE - 5)
    assert faults(Outcome([], good, [])) == []
    bad = balances(OPENING_BALANCE + 5, OPENING_BALANCE - 6)
    assert faults(Outcome([], bad, [])) == ["the accounts hold 1999, 2000 were paid in"]


def test_the_board_adds_up_what_the_clients_post() -> None:
    board = Board(3)
    board.post(0, Counts(5, 1))
    board.post(2, Counts(7, 2))
    board.post(0, Counts(6, 1))
    assert board.total() == Counts(13, 3)


def test_sparkline_and_picture() -> None:
    assert sparkline([0, 4, 8]) == "▁▅█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert ElementTree.fromstring(picture([Counts(5, 1), Counts(9, 0)], "a & b")).tag.endswith("svg")
