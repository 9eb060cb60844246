"""Thousands of connections of garbage to the daemon, while another client goes about its work."""

import contextlib
import random
import socket
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.garbage import inputs
from tests.peers.daemons import Daemon, start_ours
from tests.peers.wire import Wire
from xenstore.wire import MessageType

CONNECTIONS = 10_000


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with start_ours(tmp_path, is_forked=True) as daemon:
        yield daemon


def strings(*texts: bytes) -> bytes:
    return b"".join(text + b"\0" for text in texts)


class Worker:
    """A client whose every answer is known beforehand."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.transactions = 0
        self.ask(MessageType.WATCH, strings(b"/work/a", b"t"), b"OK\0")
        assert [event.payload for event in wire.drain()] == [b"/work/a\0t\0"]

    def ask(self, type: int, payload: bytes, answer: bytes, tx_id: int = 0) -> None:
        reply = self.wire.request(type, payload, tx_id=tx_id, req_id=self.transactions)
        assert reply == (type, self.transactions, tx_id, answer)

    def work(self) -> None:
        self.transactions += 1
        value = b"%d" % self.transactions
        self.ask(MessageType.WRITE, b"/work/a\0" + value, b"OK\0")
        assert [event.payload for event in self.wire.drain()] == [b"/work/a\0t\0"]
        self.ask(MessageType.TRANSACTION_START, b"\0", strings(value))
        self.ask(MessageType.READ, b"/work/a\0", value, self.transactions)
        self.ask(MessageType.WRITE, b"/work/b\0" + value, b"OK\0", self.transactions)
        self.ask(MessageType.TRANSACTION_END, b"T\0", b"OK\0", self.transactions)
        self.ask(MessageType.READ, b"/work/b\0", value)
        self.ask(MessageType.DIRECTORY, b"/work\0", strings(b"a", b"b"))


def annoy(path: Path, chance: random.Random, garbage: Iterator[bytes]) -> None:
    """One connection that sends nonsense, perhaps listens, and goes, perhaps in the midst of a message."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(ConnectionError, TimeoutError):
        client.settimeout(20)
        client.connect(str(path))
        for data in islice(garbage, chance.randint(1, 4)):
            client.sendall(data)
        if chance.random() < 0.2:
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass


def test_garbage_on_other_connections_is_not_noticed(daemon: Daemon) -> None:
    chance = random.Random(1)
    garbage = inputs(chance)
    with Wire(daemon.socket) as wire:
        worker = Worker(wire)
        for number in range(CONNECTIONS):
            annoy(daemon.socket, chance, garbage)
            if number % 20 == 0:
                worker.work()
    assert daemon.alive
    with Wire(daemon.socket) as wire:
        assert wire.request(MessageType.CONTROL, b"check\0").payload == b"OK\0"
        assert wire.request(MessageType.READ, b"/work/b\0").payload == b"%d" % (CONNECTIONS // 20)
    assert daemon.stderr() == "" or "rror" not in daemon.stderr()
    assert daemon.stop() == 0
