"""Clients that do not read: what waits, what stalls, and when it ends."""

import tracemalloc

import pytest

from tests.unit.store.client import Client, World
from xenstore.limits import OUTPUT_CROWD_BYTES, OUTPUT_MAX_BYTES, OUTPUT_STALL_BYTES, OUTPUT_TOTAL_BYTES
from xenstore.wire import HEADER_SIZE, PAYLOAD_MAX, MessageType, pack

READ_BIG = pack(MessageType.READ, b"/big\0")


@pytest.fixture
def big(dom0: Client) -> bytes:
    """The largest value a reply can hold, written to /big."""
    value = b"v" * (PAYLOAD_MAX - len(b"/big\0"))
    dom0.write(b"/big", value)
    return value


def test_requests_wait_while_their_replies_are_not_read(world: World, big: bytes) -> None:
    client = world.connect()
    count = 4 * OUTPUT_STALL_BYTES // PAYLOAD_MAX
    client.session.feed(READ_BIG * count)
    assert client.session.stalled
    first = client.session.take(1)
    assert not first[1:]
    replied = len(client.session.export()["output"]) + 1
    assert OUTPUT_STALL_BYTES <= replied < OUTPUT_STALL_BYTES + HEADER_SIZE + PAYLOAD_MAX
    assert len(first + client.session.take()) == count * (HEADER_SIZE + len(big))
    assert not client.session.stalled


def test_requests_go_on_as_soon_as_there_is_room(world: World, big: bytes) -> None:
    client = world.connect()
    client.session.feed(READ_BIG * 100)
    waiting = len(client.session.export()["input"])
    assert waiting > 0
    client.session.take(2 * PAYLOAD_MAX)
    assert len(client.session.export()["input"]) < waiting


def test_a_request_half_arrived_waits_behind_a_stall(world: World, big: bytes) -> None:
    client = world.connect()
    data = READ_BIG * 100
    client.session.feed(data[:-3])
    client.session.take()
    client.session.feed(data[-3:])
    assert len(client.session.take()) == HEADER_SIZE + len(big)


def test_a_client_that_reads_no_events_is_cut_off(world: World, dom0: Client) -> None:
    said: list[str] = []
    world.store.log = said.append
    deaf = world.connect()
    token = b"t" * 4000
    deaf.watch(b"/a", token)
    number = 0
    while not deaf.session.closed:
        dom0.write(b"/a/%d" % number)
        number += 1
        assert number < 2 * OUTPUT_MAX_BYTES // len(token)
    assert number >= OUTPUT_MAX_BYTES // (HEADER_SIZE + PAYLOAD_MAX)
    assert said == [line for line in said if "unread: disconnected" in line]
    assert len(said) == 1
    assert world.store.usage(0)["watches"] == 0


def test_events_alone_do_not_stall_others(world: World, dom0: Client) -> None:
    deaf = world.connect()
    deaf.watch(b"/a", b"t" * 4000)
    for number in range(1000):
        dom0.write(b"/a/%d" % number)
    assert not dom0.session.stalled


def test_a_guest_has_twenty_replies_outstanding(world: World) -> None:
    """XSA-326: the 21st request waits in the ring."""
    guest = world.guest(5)
    guest.session.feed(pack(MessageType.READ, b"no\0") * 30)
    assert guest.session.stalled
    assert world.store.usage(5)["outstanding"] == 20
    one = HEADER_SIZE + len(b"ENOENT\0")
    assert len(guest.session.take(one)) == one
    assert world.store.usage(5)["outstanding"] == 20
    assert len(guest.take()) == 29


def test_the_outstanding_quota_can_be_changed(world: World) -> None:
    guest = world.guest(5)
    world.store.set_quota("outstanding", 3, 5)
    guest.session.feed(pack(MessageType.READ, b"no\0") * 30)
    assert world.store.usage(5)["outstanding"] == 3


def test_events_to_a_guest_end_at_its_memory_quota(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    world.store.set_quota("memory", 100_000, 5)
    guest.watch_only(b"data", b"t" * 1000)
    for number in range(1000):
        dom0.write(b"/local/domain/5/data/%d" % number)
        dom0.rm(b"/local/domain/5/data/%d" % number)
    assert world.store.usage(5)["memory"] <= 100_000
    events = guest.take_events()
    assert 90 < len(events) < 100
    assert guest.read(b"data") == b""


def test_a_message_half_sent_is_outstanding(world: World) -> None:
    guest = world.guest(5)
    guest.send(MessageType.READ, b"no\0")
    assert len(guest.session.take(HEADER_SIZE)) == HEADER_SIZE
    assert world.store.usage(5)["outstanding"] == 1
    assert guest.session.take() == b"ENOENT\0"
    assert world.store.usage(5)["outstanding"] == 0


def test_a_slow_reader_costs_what_it_has_not_read(world: World, dom0: Client) -> None:
    """Its output never empties, so whatever is kept about events in it must be dropped one by one."""
    slow = world.connect()
    slow.watch_only(b"/a")
    dom0.write(b"/a/first")
    one = HEADER_SIZE + len(b"/a/000000\0t\0")
    dom0.write(b"/a/000000")

    def churn(count: int) -> None:
        for number in range(count):
            path = b"/a/%06d" % (number % 100)
            dom0.write(path)
            dom0.rm(path)
            slow.session.take(one)

    churn(1000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        churn(20_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert slow.session.export()["output"]
    assert after - before < 50_000


class TestAllTogether:
    """What clients of the socket leave unread is bounded for all of them, however many there are."""

    def test_of_many_that_read_no_events_the_slowest_go(self, world: World, dom0: Client) -> None:
        said: list[str] = []
        world.store.log = said.append
        late, deaf = world.connect(), [world.connect() for _ in range(60)]
        for number, client in enumerate(deaf):
            for _ in range(1 + number % 2):
                client.watch(b"/a", b"t%d" % _ + b"t" * 3900)
        late.watch_only(b"/a", b"late")
        for number in range(2500):
            dom0.write(b"/a/%d" % number)
            assert world.store.output_held <= OUTPUT_TOTAL_BYTES + 2 * OUTPUT_MAX_BYTES
        gone = [number for number, client in enumerate(deaf) if client.session.closed]
        assert gone
        assert not late.session.closed
        assert len(late.take_events()) == 2500
        assert {number for number in range(60) if number % 2} <= set(gone), "who left more unread stayed"
        assert "unread altogether: the one with most of it" in said[0]
        for client in deaf:
            client.session.close()
        assert world.store.output_held < 100_000

    def test_in_a_crowd_replies_wait_sooner(self, world: World, big: bytes) -> None:
        crowd = [world.connect() for _ in range(600)]
        for client in crowd:
            client.session.feed(READ_BIG * 100)
        assert world.store.output_held <= OUTPUT_CROWD_BYTES + 600 * 4 * PAYLOAD_MAX
        assert all(client.session.stalled and not client.session.closed for client in crowd)
        for client in crowd:
            assert len(client.session.take()) == 100 * (HEADER_SIZE + len(big))
        assert world.store.output_held < 600 * 2048

    def test_a_guest_pays_for_its_own(self, world: World, dom0: Client) -> None:
        guest = world.guest(5)
        guest.watch(b"a", b"t" * 1000)
        for number in range(100):
            dom0.write(b"/local/domain/5/a/%d" % number, b"")
        assert world.store.output_held < 100_000
        assert not guest.session.closed
