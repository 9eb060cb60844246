"""Descriptors that only poll(2) can wait for, as NetBSD's /dev/xenevt: beside the poller.

A regular file is one on Linux (epoll: EPERM), always ready; a pipe, asked for in the same way, is ready when
the test says so.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.unit.server.clients import Client, read_request, settle
from xenstore._pump import Pump
from xenstore.wire import MessageType


class Pipe:
    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()

    def fire(self) -> None:
        os.write(self._writer, b"\0")

    def drain(self) -> None:
        os.read(self.fd, 4096)

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._writer)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pipe(stack: ExitStack) -> Pipe:
    pipe = Pipe()
    stack.callback(pipe.close)
    return pipe


def has_queue(pump: Pump) -> bool:
    try:
        pump.fileno()
    except ValueError:
        return False
    return True


def test_what_the_poller_refuses_poll_waits_for(pump: Pump, stack: ExitStack) -> None:
    if not has_queue(pump) or sys.platform != "linux":
        pytest.skip("this poller takes a regular file")
    file = open(__file__)  # noqa: SIM115
    stack.callback(file.close)
    with pytest.raises(OSError, match="in the poller") as caught:
        pump.on_readable(file.fileno(), lambda: None)
    assert caught.value.errno == errno.EPERM
    calls: list[int] = []
    pump.on_readable(file.fileno(), lambda: calls.append(1), poll_only=True)
    assert pump.turn()
    assert pump.turn()
    assert calls == [1, 1]


def test_it_is_called_when_it_is_readable_and_only_then(pump: Pump, pipe: Pipe) -> None:
    calls: list[int] = []

    def called() -> None:
        pipe.drain()
        calls.append(1)

    pump.on_readable(pipe.fd, called, poll_only=True)
    assert not pump.turn(0)
    pipe.fire()
    assert pump.turn()
    assert not pump.turn(0)
    assert calls == [1]


def test_clients_are_served_beside_it(pump: Pump, pipe: Pipe) -> None:
    pump.on_readable(pipe.fd, pipe.drain, poll_only=True)
    clients = [Client(pump) for _ in range(70)]  # more than one wait of the queue reports
    for client in clients:
        client.send_all(read_request(3))
    pipe.fire()
    assert pump.turn()
    settle(pump)
    assert [client.replies() for client in clients] == [[(MessageType.READ, 3)]] * 70


def test_one_that_is_always_ready_starves_nobody(pump: Pump, pipe: Pipe) -> None:
    pump.on_readable(pipe.fd, lambda: None, poll_only=True)
    pipe.fire()
    client = Client(pump)
    client.send_all(read_request(4))
    pump.turn()
    assert client.replies() == [(MessageType.READ, 4)]


def test_forgotten_it_costs_nothing_any_more(pump: Pump, pipe: Pipe) -> None:
    before = has_queue(pump)
    pump.on_readable(pipe.fd, lambda: pytest.fail("called"), poll_only=True)
    assert not has_queue(pump)
    pump.forget(pipe.fd)
    pipe.fire()
    assert not pump.turn(0)
    assert has_queue(pump) == before


def test_two_are_enough(pump: Pump, stack: ExitStack) -> None:
    if not has_queue(pump):
        pytest.skip("poll(2) takes any number")
    pipes = [Pipe() for _ in range(3)]
    for pipe in pipes:
        stack.callback(pipe.close)
    for pipe in pipes[:2]:
        pump.on_readable(pipe.fd, pipe.drain, poll_only=True)
    with pytest.raises(OSError, match="beside the poller") as caught:
        pump.on_readable(pipes[2].fd, pipes[2].drain, poll_only=True)
    assert caught.value.errno == errno.ENOSPC
    pump.forget(pipes[0].fd)
    pump.on_readable(pipes[2].fd, pipes[2].drain, poll_only=True)
    pipes[1].fire()
    pipes[2].fire()
    assert pump.turn(0)
    assert not pump.turn(0)


def test_a_descriptor_is_in_the_pump_once(pump: Pump, pipe: Pipe) -> None:
    pump.on_readable(pipe.fd, pipe.drain, poll_only=True)
    with pytest.raises(ValueError, match="already in this pump"):
        pump.on_readable(pipe.fd, pipe.drain)
