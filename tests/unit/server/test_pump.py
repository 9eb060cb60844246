"""The pump over socketpairs, with every poller: nothing is lost, and what fails fails alone."""

import math
import os
import random
import socket

import pytest

from tests.unit.server.clients import Client, read_request, settle, turns
from xenstore._pump import Pump
from xenstore.store import Session, Store
from xenstore.wire import HEADER, MessageType, pack

READ = MessageType.READ


def test_a_request_is_answered_wherever_it_is_split(pump: Pump) -> None:
    client = Client(pump)
    message = read_request(1) + read_request(2)
    for at in range(1, len(message)):
        client.send_all(message[:at])
        settle(pump)
        early = client.replies()
        client.send_all(message[at:])
        settle(pump)
        assert early == [(READ, 1)] * (at >= len(message) // 2)
        assert early + client.replies() == [(READ, 1), (READ, 2)]


def test_a_request_is_answered_byte_by_byte(pump: Pump) -> None:
    client = Client(pump)
    for byte in read_request(7):
        assert client.replies() == []
        client.send_all(bytes([byte]))
        settle(pump)
    assert client.replies() == [(READ, 7)]


def test_a_thousand_clients(pump: Pump, many_descriptors: None) -> None:
    clients = [Client(pump) for _ in range(1000)]
    assert pump.connections == 1000
    for number, client in enumerate(clients):
        client.send_all(read_request(number))
    settle(pump)
    assert [client.replies() for client in clients] == [[(READ, number)] for number in range(1000)]
    for client in clients[::2]:
        client.close()
    settle(pump)
    assert pump.connections == 500
    for client in clients[1::2]:
        client.send_all(read_request(1))
    settle(pump)
    assert all(client.replies() == [(READ, 1)] for client in clients[1::2])


@pytest.mark.parametrize("count", [63, 64, 200])
def test_of_a_crowd_nobody_is_left_behind(pump: Pump, count: int) -> None:
    """Where as many are ready as a turn takes, replies leave at its end, also to who sent more or left."""
    clients = [Client(pump) for _ in range(count)]
    for number, client in enumerate(clients):
        client.send_all(read_request(number) * (1 + number % 12))  # up to beyond what is executed at once
    clients[1].socket.shutdown(socket.SHUT_WR)
    clients[2].close()
    settle(pump)
    for number, client in enumerate(clients):
        if number != 2:
            assert client.replies() == [(READ, number)] * (1 + number % 12)
    assert pump.connections == count - 2


def test_a_pipeline_is_answered_in_order_whatever_the_sizes(pump: Pump) -> None:
    source = random.Random(1)
    clients = [Client(pump) for _ in range(5)]
    sent = [0] * 5
    answered = [0] * 5
    for _ in range(300):
        which = source.randrange(5)
        burst = b"".join(read_request(sent[which] + i) for i in range(source.randrange(1, 100)))
        clients[which].send_all(burst)
        sent[which] += len(burst) // len(read_request())
        pump.turn(0)
        for number, client in enumerate(clients):
            for reply in client.replies():
                assert reply == (READ, answered[number])
                answered[number] += 1
    settle(pump)
    assert [done + len(client.replies()) for done, client in zip(answered, clients, strict=True)] == sent


def test_one_request_is_one_turn(pump: Pump) -> None:
    client = Client(pump)
    client.send_all(read_request(3))
    assert pump.turn(0) is False
    assert client.replies() == [(READ, 3)]


def test_a_small_socket_buffer_only_takes_longer(pump: Pump) -> None:
    client = Client(pump, server_buffer_bytes=1)
    for number in range(10):
        client.send_all(b"".join(read_request(100 * number + i) for i in range(100)))
        settle(pump)  # as much as the buffer takes, and no turn more
    numbers: list[int] = []
    for _ in turns(pump):
        arrived = [req_id for _, req_id in client.replies()]
        assert len(arrived) < 1000
        numbers += arrived
        if len(numbers) >= 1000:
            break
    assert numbers == list(range(1000))
    settle(pump)


@pytest.mark.parametrize("sent", [0, 1, 15, 16, 17])
def test_end_of_file_within_a_request(pump: Pump, pump_log: list[str], sent: int) -> None:
    client, other = Client(pump), Client(pump)
    session = client.session
    client.send_all(read_request()[:sent])
    settle(pump)
    client.close()
    settle(pump)
    assert session.closed
    assert pump.connections == 1
    other.send_all(read_request(5))
    settle(pump)
    assert other.replies() == [(READ, 5)]
    assert pump_log == []


def test_who_only_stops_sending_gets_every_reply(pump: Pump) -> None:
    client = Client(pump)
    client.send_all(b"".join(read_request(number) for number in range(500)))
    client.socket.shutdown(socket.SHUT_WR)
    settle(pump)
    assert client.replies() == [(READ, number) for number in range(500)]
    assert client.is_over
    assert pump.connections == 0


def test_who_leaves_with_replies_unread_is_gone(pump: Pump, pump_log: list[str]) -> None:
    for sent in (1, 33, 5000):
        client = Client(pump)
        while sent and client.send(read_request()):
            sent -= 1
        pump.turn(0)
        client.close()
        settle(pump)
    assert pump.connections == 0
    assert pump_log == []


def test_a_framing_violation_closes_after_what_was_answered(pump: Pump) -> None:
    client = Client(pump)
    client.send_all(read_request(1) + HEADER.pack(READ, 2, 0, 4097) + read_request(3))
    settle(pump)
    assert client.replies() == [(READ, 1)]
    assert client.is_over
    assert client.session.closed
    assert pump.connections == 0


def test_a_session_closed_from_elsewhere_is_dropped_at_its_next_event(pump: Pump) -> None:
    client = Client(pump)
    client.session.close()
    client.send_all(read_request())
    settle(pump)
    client.replies()
    assert client.is_over
    assert pump.connections == 0


def test_an_error_inside_one_session_closes_that_one(pump: Pump, pump_log: list[str]) -> None:
    good, bad = Client(pump), Client(pump)

    def trace(direction: str, session: Session, type: int, payload: bytes) -> None:
        if session is bad.session and direction == "IN":
            raise ZeroDivisionError("planted")

    pump.store.trace = trace
    bad.send_all(read_request(1))
    good.send_all(read_request(2))
    settle(pump)
    assert bad.replies() == []
    assert bad.is_over
    assert good.replies() == [(READ, 2)]
    assert len(pump_log) == 1
    assert "ZeroDivisionError: planted (test_pump.py:" in pump_log[0]


def test_what_the_store_has_to_do_by_itself_is_done(pump: Pump) -> None:
    """A large subtree is dismantled in slices, whenever the store says that it is time."""
    client = Client(pump)
    for number in range(3000):
        client.send_all(pack(MessageType.WRITE, b"/big/%d\0value" % number))
        settle(pump)
        client.replies()
    client.send_all(pack(MessageType.RM, b"/big\0"))
    pump.turn(0)
    assert client.replies() == [(MessageType.RM, 0)]
    assert pump.pause() == 0.0
    settle(pump)
    assert pump.pause() == math.inf


def test_waiting_is_bounded_by_what_the_store_waits_for(pump: Pump) -> None:
    assert pump.pause() == math.inf
    guest = pump.store.open_session(5, False)
    assert pump.pause() == math.inf
    guest.feed(pack(MessageType.WATCH, b"/x\0t\0"))
    pump.store.take_touched()
    assert 0 < pump.pause() <= 1
    guest.close()
    settle(pump)
    assert pump.pause() == math.inf


def test_time_is_what_its_clock_tells() -> None:
    """What falls due by itself falls due by that clock, as fast as the test likes."""
    clock = [100.0]
    pump = Pump(Store(), clock=lambda: clock[0])
    settle(pump)
    guest = pump.store.open_session(5, False)
    guest.feed(pack(MessageType.WATCH, b"/x\0t\0"))
    pump.store.take_touched()
    due = pump.pause()
    assert due > 0
    pump.turn(0)
    assert pump.pause() == due
    clock[0] += due
    assert pump.pause() == 0.0
    pump.close()


def test_the_stores_own_work_takes_a_tenth_of_the_time_from_clients() -> None:
    """Clients keep their pace while the image of a large store is written; without any it goes on at once."""
    clock = [100.0]
    slices = []

    def work() -> bool:
        slices.append(clock[0])
        clock[0] += 0.002
        return True

    pump = Pump(Store(), clock=lambda: clock[0])
    settle(pump)
    client = Client(pump)
    pump.store.work, pump.store.has_work = work, True
    for _ in range(1000):
        client.send_all(read_request())
        pump.turn(0)
        clock[0] += 0.0002
    busy = clock[0] - 100
    assert 0.08 * busy < len(slices) * 0.002 < 0.11 * busy
    clock[0] += 0.002
    slices.clear()
    for _ in range(10):
        assert pump.pause() == 0.0
        pump.turn(0)
    assert len(slices) == 10
    pump.store.has_work = False
    pump.close()


def test_descriptors_are_closed_with_their_connection(pump: Pump) -> None:
    client = Client(pump)
    os.fstat(client.fd)
    client.close()
    settle(pump)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(client.fd)


def test_the_same_number_may_come_back_at_once(pump: Pump) -> None:
    for _ in range(50):
        client = Client(pump)
        client.send_all(read_request(4))
        settle(pump)
        assert client.replies() == [(READ, 4)]
        client.close()
        settle(pump)


def test_the_pump_lists_its_sessions(pump: Pump) -> None:
    clients = [Client(pump) for _ in range(3)]
    assert pump.sessions() == sorted((client.fd, client.session) for client in clients)
    pump.close()
    assert pump.sessions() == []
    assert pump.connections == 0
    assert all(client.session.closed for client in clients)
    with pytest.raises(ValueError, match="closed"):
        pump.turn(0)
    pump.close()


def test_what_cannot_be_added(pump: Pump) -> None:
    client = Client(pump)
    with pytest.raises(ValueError, match="already has an owner"):
        pump.add(client.socket.fileno(), client.session)
    with pytest.raises(ValueError, match="already in this pump"):
        pump.add(client.fd, pump.store.connect())
    with pytest.raises(ValueError, match="descriptor -1"):
        pump.add(-1, pump.store.connect())
    with pytest.raises(ValueError, match="neither"):
        pump.forget(client.fd)
    assert pump.connections == 1


def test_turning_until_something_is_queued(pump: Pump) -> None:
    """Once where something is queued already, without a wait; else over as many turns as that takes."""
    client = Client(pump)
    client.send_all(read_request(1))
    pump.turn_until(["queued"])
    assert client.replies() == [(READ, 1)]
    queued: list[str] = []

    def count_down(left: int) -> None:
        if left:
            pump.call_soon(lambda: count_down(left - 1))
        else:
            queued.append("done")

    count_down(5)
    pump.turn_until(queued)
    assert queued == ["done"]


class TestCallbacks:
    def test_a_readable_descriptor_is_called_at_the_end_of_the_turn(self, pump: Pump) -> None:
        reader, writer = os.pipe()
        calls: list[bytes] = []
        pump.on_readable(reader, lambda: calls.append(os.read(reader, 10)))
        assert pump.turn(0) is False
        os.write(writer, b"x")
        assert pump.turn(0) is True
        assert calls == [b"x"]
        assert pump.turn(0) is False
        pump.forget(reader)
        os.write(writer, b"y")
        assert pump.turn(0) is False
        os.close(reader)
        os.close(writer)

    def test_an_error_in_a_callback_ends_the_callback_only(self, pump: Pump, pump_log: list[str]) -> None:
        reader, writer = os.pipe()
        client = Client(pump)

        def fail() -> None:
            raise ZeroDivisionError("planted")

        pump.on_readable(reader, fail)
        os.write(writer, b"x")
        client.send_all(read_request(8))
        assert pump.turn(0) is True
        assert pump.turn(0) is False
        assert client.replies() == [(READ, 8)]
        assert len(pump_log) == 1
        os.close(reader)
        os.close(writer)

    def test_a_callback_may_forget_itself(self, pump: Pump, pump_log: list[str]) -> None:
        reader, writer = os.pipe()
        pump.on_readable(reader, lambda: pump.forget(reader))
        os.write(writer, b"x")
        assert pump.turn(0) is True
        assert pump.turn(0) is False
        assert pump_log == []
        os.close(reader)
        os.close(writer)
