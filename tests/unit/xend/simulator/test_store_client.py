"""The client of the kernels, over a ring whose other end is played here."""

import mmap
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.peers.wire import Message, split_message
from xend.simulator.channel import Channel
from xend.simulator.gate import Gate
from xend.simulator.store_client import LOOK_SECONDS, StoreClient, StoreError
from xenstore._ring import Consumer, Page, Producer
from xenstore.wire import MessageType, pack

pytestmark = pytest.mark.trio


class Server:
    """The other end: takes and gives when it is told to."""

    def __init__(self, page: mmap.mmap, kernel: Path) -> None:
        shared = Page(page)
        self.requests = Consumer(shared, 0, 1024, 2052, 2048)
        self.replies = Producer(shared, 1024, 1024, 2060, 2056)
        self.fired = 0
        self._kernel = kernel
        self._input = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def fire(self) -> None:
        self.fired += 1

    def notify(self) -> None:
        self._socket.sendto(b"\0", os.fspath(self._kernel))

    def take(self) -> list[Message]:
        data = self.requests.read()
        assert data is not None
        self._input += data
        found = []
        while (message := split_message(self._input)) is not None:
            found.append(message)
        return found

    def answer(self, message: Message, payload: bytes, type: int | None = None) -> None:
        data = pack(message.type if type is None else type, payload, req_id=message.req_id)
        assert self.replies.write(data) == len(data)

    def begin_anew(self) -> None:
        self.requests.restart()
        self.replies.restart()
        self._input.clear()

    def close(self) -> None:
        self._socket.close()


class Ring:
    def __init__(
        self, client: StoreClient, server: Server, gate: Gate, events: list[tuple[str, str]]
    ) -> None:
        self.client = client
        self.server = server
        self.gate = gate
        self.events = events
        self.results: dict[str, str] = {}

    async def read(self, path: str) -> None:
        try:
            self.results[path] = await self.client.read(path)
        except StoreError as error:
            self.results[path] = f"error {error.name}"

    async def settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def ring(tmp_path: Path) -> AsyncIterator[tuple[Ring, trio.Nursery]]:
    page, gate = mmap.mmap(-1, 4096), Gate()
    gate.open()
    channel = Channel(tmp_path / "kernel", tmp_path / "store")
    server = Server(page, tmp_path / "kernel")
    events: list[tuple[str, str]] = []
    client = StoreClient(page, channel, server.fire, lambda path, token: events.append((path, token)), gate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        yield Ring(client, server, gate, events), nursery
        nursery.cancel_scope.cancel()
    channel.close()
    server.close()


async def test_answers_in_any_order_reach_who_asked(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, nursery):
        for path in "abcd":
            nursery.start_soon(r.read, path)
        await r.settle()
        messages = r.server.take()
        for message in reversed(messages):
            name = message.payload.rstrip(b"\0")
            if name == b"b":
                r.server.answer(message, b"ENOENT\0", MessageType.ERROR)
            else:
                r.server.answer(message, b"value of " + name)
        r.server.answer(messages[0]._replace(req_id=12345), b"to nobody")
        r.server.notify()
        await r.settle()
        assert r.results == {"a": "value of a", "b": "error ENOENT", "c": "value of c", "d": "value of d"}


async def test_events_between_answers_in_pieces(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, nursery):
        nursery.start_soon(r.read, "a")
        await r.settle()
        (message,) = r.server.take()
        data = pack(MessageType.WATCH_EVENT, b"device/vif\0t\0")
        data += pack(message.type, b"x" * 500, req_id=message.req_id)
        data += pack(MessageType.WATCH_EVENT, b"a\0u\0") + pack(MessageType.WATCH_EVENT, b"mad")
        for byte in data:
            assert r.server.replies.write(bytes([byte])) == 1
            r.server.notify()
            await r.settle()
        assert r.events == [("device/vif", "t"), ("a", "u"), ("mad", "")]
        assert r.results == {"a": "x" * 500}


async def test_more_than_the_ring_holds(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, nursery):
        values = {f"node{number}": "v" * 300 for number in range(20)}
        nursery.start_soon(r.client.write_all, values)
        await r.settle()
        written: dict[str, str] = {}
        while len(written) < len(values):
            messages = r.server.take()
            for message in messages:
                path, _, value = message.payload.partition(b"\0")
                written[path.decode()] = value.decode()
                r.server.answer(message, b"OK\0")
            r.server.notify()
            await r.settle()
        assert written == values


async def test_a_refusal_among_many_is_raised_after_all_were_tried(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, nursery):
        refusals = []

        async def write() -> None:
            try:
                await r.client.write_all({"a": "1", "b": "2", "c": "3"})
            except StoreError as error:
                refusals.append(error.name)

        nursery.start_soon(write)
        await r.settle()
        for message, answer in zip(r.server.take(), (b"OK\0", b"EACCES\0", b"OK\0"), strict=True):
            r.server.answer(message, answer, None if answer == b"OK\0" else MessageType.ERROR)
        r.server.notify()
        await r.settle()
        assert refusals == ["EACCES"]


async def test_it_looks_without_being_notified(tmp_path: Path, autojump_clock: object) -> None:
    async with ring(tmp_path) as (r, nursery):
        nursery.start_soon(r.read, "a")
        await trio.sleep(1)
        (message,) = r.server.take()
        r.server.answer(message, b"late")
        await trio.sleep(LOOK_SECONDS + 1)
        assert r.results == {"a": "late"}


async def test_a_ring_that_begins_anew_loses_nothing(tmp_path: Path) -> None:
    """As when the domain is introduced again: watches and what was not answered are sent once more."""
    async with ring(tmp_path) as (r, nursery):
        nursery.start_soon(r.client.watch, "device", "device")
        await r.settle()
        (watch,) = r.server.take()
        r.server.answer(watch, b"OK\0")
        r.server.notify()
        for path in "ab":
            nursery.start_soon(r.read, path)
            await r.settle()
        assert len(r.server.take()) == 2
        r.server.begin_anew()
        r.server.notify()
        await r.settle()
        again = r.server.take()
        assert [message.payload for message in again] == [b"device\0device\0", b"a\0", b"b\0"]
        for message in again:
            r.server.answer(message, b"v")
        r.server.notify()
        await r.settle()
        assert r.results == {"a": "v", "b": "v"}


async def test_while_it_is_paused_it_takes_and_asks_nothing(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, nursery):
        nursery.start_soon(r.read, "a")
        await r.settle()
        (message,) = r.server.take()
        r.gate.shut()
        r.server.answer(message, b"v")
        r.server.notify()
        nursery.start_soon(r.read, "b")
        await r.settle()
        assert r.results == {}
        assert r.server.take() == []
        r.gate.open()
        await r.settle()
        assert r.results == {"a": "v"}
        assert [each.payload for each in r.server.take()] == [b"b\0"]


async def test_one_notification_tells_of_an_answer_taken_and_the_next_request(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, nursery):

        async def read_two() -> None:
            await r.read("a")
            await r.read("b")

        nursery.start_soon(read_two)
        await r.settle()
        (message,) = r.server.take()
        before = r.server.fired
        r.server.answer(message, b"v")
        r.server.notify()
        await r.settle()
        assert [each.payload for each in r.server.take()] == [b"b\0"]
        assert r.server.fired == before + 1


async def test_a_request_too_long_is_not_sent(tmp_path: Path) -> None:
    async with ring(tmp_path) as (r, _):
        await r.read("x" * 5000)
        assert r.results == {"x" * 5000: "error E2BIG"}
        assert r.server.take() == []


async def test_a_random_server(tmp_path: Path) -> None:
    """Answers in random order and pieces, events in between: each request gets the answer to its own path."""
    source = random.Random(1)
    async with ring(tmp_path) as (r, nursery):
        for number in range(300):
            nursery.start_soon(r.read, f"{number}" * (1 + number % 40))
        due: list[bytes] = []
        output = b""
        for _ in range(20_000):
            due += [
                pack(each.type, each.payload.rstrip(b"\0")[:200], req_id=each.req_id)
                for each in r.server.take()
            ]
            if due and len(output) < 2000:
                output += due.pop(source.randrange(len(due)))
            if source.random() < 0.2:
                output += pack(MessageType.WATCH_EVENT, b"p\0t\0")
            count = r.server.replies.write(output[: source.randrange(1, 400)])
            assert count is not None
            output = output[count:]
            r.server.notify()
            await r.settle()
            if len(r.results) == 300:
                break
        assert r.results == {path: path[:200] for path in r.results}
        assert len(r.results) == 300
