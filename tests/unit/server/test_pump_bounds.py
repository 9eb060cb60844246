"""The pump's bounds, with every poller: nobody waits long for somebody else, and nothing is held for ever."""

import os
import resource
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.unit.server.clients import Client, listen, read_request, settle, turns
from xenstore._pump import Pump
from xenstore.store import Session
from xenstore.wire import MessageType

READ = MessageType.READ
#: What the pump promises: requests of others between a client's request and its reply (a turn and its rest).
FOREIGN_REQUESTS_MAX = 160


def test_a_flood_lets_others_through(pump: Pump) -> None:
    flood, other = Client(pump), Client(pump)
    sent = answered = 0
    for number in range(200):
        while flood.send(read_request(sent)):
            sent += 1
        before = answered
        other.send_all(read_request(number))
        for _ in turns(pump):
            answered += len(flood.replies())
            mine = other.replies()
            if mine:
                break
        assert mine == [(READ, number)]
        assert answered - before <= FOREIGN_REQUESTS_MAX
        # What is not executed stays in the client's socket, a buffer's worth aside.
        assert sent - answered <= 5000
    assert answered >= 200  # the flood goes on meanwhile


@pytest.mark.parametrize("count", [8, 100])  # 100: more than one wait reports
def test_floods_share_evenly(pump: Pump, count: int) -> None:
    floods = [Client(pump) for _ in range(count)]
    answered = [0] * count
    unsent = [b""] * count
    for _ in turns(pump):
        for number, flood in enumerate(floods):
            answered[number] += len(flood.replies())
            data = unsent[number] or read_request() * 100
            unsent[number] = data[flood.send(data) :]
        assert max(answered) - min(answered) <= FOREIGN_REQUESTS_MAX
        if min(answered) >= 200:
            break


def test_who_does_not_read_delays_nobody_and_loses_nothing(pump: Pump) -> None:
    deaf, other = Client(pump), Client(pump)
    sent = 0
    rest = b""
    for _ in range(100_000):
        data = rest or read_request(sent)
        took = deaf.send(data)
        rest = data[took:]
        sent += not rest
        pump.turn(0)
        if took == 0 and not pump.busy:
            break
    else:
        pytest.fail("a client that does not read is read for ever")
    assert deaf.session.stalled
    assert sent >= 100
    other.send_all(read_request(9))
    pump.turn(0)
    assert other.replies() == [(READ, 9)]
    assert pump.turn(0) is False
    assert not pump.busy  # and nothing keeps the poller awake meanwhile

    numbers: list[int] = []
    for _ in turns(pump):
        numbers += [req_id for _, req_id in deaf.replies()]
        if rest:
            rest = rest[deaf.send(rest) :]
            sent += not rest
        elif len(numbers) >= sent:
            break
    assert numbers == list(range(sent))


class TestListening:
    def listener(self, pump: Pump, directory: Path) -> socket.socket:
        listener = listen(directory)
        pump.listen(listener.fileno(), lambda fd: pump.store.connect())
        return listener

    def connect(self, listener: socket.socket) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        client.connect(listener.getsockname())
        return client

    def test_clients_are_accepted(self, pump: Pump, tmp_path: Path) -> None:
        with self.listener(pump, tmp_path) as listener:
            clients = [self.connect(listener) for _ in range(100)]
            for client in clients:
                client.send(read_request(6))
            settle(pump)
            assert pump.connections == 100
            assert all(len(client.recv(100)) >= 16 for client in clients)
            pump.forget(listener.fileno())

    def test_who_is_not_admitted_is_closed(self, pump: Pump, pump_log: list[str], tmp_path: Path) -> None:
        answers: list[Session | None] = [None, pump.store.connect()]

        def admit(fd: int) -> Session | None:
            return answers.pop(0)

        with listen(tmp_path) as listener:
            pump.listen(listener.fileno(), admit)
            refused, admitted, failed = [self.connect(listener) for _ in range(3)]
            settle(pump)
            assert refused.recv(1) == b""
            assert failed.recv(1) == b""
            with pytest.raises(BlockingIOError):
                admitted.recv(1)
            assert pump.connections == 1
            assert len(pump_log) == 1
            pump.forget(listener.fileno())

    def test_without_descriptors_clients_wait_in_the_backlog(
        self, pump: Pump, pump_log: list[str], many_descriptors: None, tmp_path: Path
    ) -> None:
        with self.listener(pump, tmp_path) as listener:
            clients = [self.connect(listener) for _ in range(10)]
            spare = os.dup(0)
            os.close(spare)
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 3, hard))
            pump.turn(0)
            held = pump.connections
            assert 0 < held <= 3
            for _ in range(10):
                pump.turn(0)
                assert not pump.busy  # no spinning
            assert pump.connections == held
            assert len(pump_log) == 1
            assert "Too many open files" in pump_log[0]
            settle(pump)
            assert 0 < pump.pause() <= 1  # tried again by itself, too
            assert pump.connections == held

            clients[0].close()  # two numbers become free, the server's end being the other
            settle(pump)
            assert pump.connections == held + 1
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            clients[1].close()
            settle(pump)
            assert pump.connections == len(clients) - 2
            assert len(pump_log) == 1
            pump.forget(listener.fileno())


def test_ten_thousand_idle_connections(pump: Pump, many_descriptors: None, tmp_path: Path) -> None:
    """They cost nothing but memory, and little of that; the client ends live in another process."""
    count = 10_000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count + 100:
        pytest.skip(f"the system grants {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} descriptors")
    with listen(tmp_path) as listener:
        pump.listen(listener.fileno(), lambda fd: pump.store.connect())
        crowd = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_CROWD), str(count), listener.getsockname()],
            stdin=subprocess.PIPE,
        )
        pump.turn(30)
        before = _resident_bytes()
        while pump.connections < count:
            pump.turn(30)
            assert crowd.poll() is None
        assert (_resident_bytes() - before) / count < 1500

        client = Client(pump)
        settle(pump)
        for number in range(100):
            client.send_all(read_request(number))
            assert pump.turn(0) is False
            assert client.replies() == [(READ, number)]
            pump.turn(0)
            assert not pump.busy
        crowd.communicate()
        settle(pump)
        assert pump.connections == 1
        pump.forget(listener.fileno())


_CROWD = """
    import resource, socket, sys
    count = int(sys.argv[1])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = []
    for _ in range(count):
        crowd.append(socket.socket(socket.AF_UNIX))
        crowd[-1].connect(sys.argv[2])
    sys.stdin.read()
"""


def _resident_bytes() -> int:
    if sys.platform != "linux":
        pytest.skip("how much memory is resident is read from /proc here")
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
