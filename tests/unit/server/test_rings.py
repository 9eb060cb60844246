"""Domains on their rings: what a page may hold, who is cut off, what happens as a domain comes and goes."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.unit.server.host import (
    CONNECTION,
    ERROR,
    FEATURES,
    REQ_CONS,
    REQ_PROD,
    RING_SIZE,
    RSP_CONS,
    RSP_PROD,
    World,
)
from xenstore import errors
from xenstore.server.background import SCAN_SECONDS, scan_regularly
from xenstore.wire import HEADER, MessageType, pack

BAD_INDEX, TOO_LONG = 2, 3
READ_NAME = pack(MessageType.READ, b"name\0")


@pytest.fixture
def make() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*domids: int, **options: Any) -> World:
        made.append(World(*domids, **options))
        return made[-1]

    yield make
    for world in made:
        world.end()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    world = make(5, 6)
    world.dom0.write(b"/local/domain/5/name", b"five")
    world.dom0.write(b"/local/domain/6/name", b"six")
    return world


def write(path: bytes, value: bytes) -> bytes:
    return pack(MessageType.WRITE, path + b"\0" + value)


class TestTheRing:
    def test_every_fragmentation_across_the_wrap(self, world: World) -> None:
        """Some 40 kB in pieces of all sizes, read in pieces of all sizes."""
        source = random.Random(1)
        guest = world.host.guests[5]
        values = [bytes([65 + number % 26]) * source.randrange(0, 900) for number in range(60)]
        data = b"".join(write(b"x", value) + pack(MessageType.READ, b"x\0") for value in values)
        while data or guest.word(RSP_PROD) != guest.word(RSP_CONS):
            data = data[guest.put(data[: source.choice([1, 3, 15, 16, 17, 500, RING_SIZE])]) :]
            world.notify(5)
            guest.take(source.choice([1, 7, 16, 600, RING_SIZE]))
            world.notify(5)
        assert [message.payload for message in guest.messages()][1::2] == values

    def test_exactly_full(self, world: World) -> None:
        guest = world.host.guests[5]
        head = write(b"x", b"")
        data = write(b"x", b"v" * (RING_SIZE - len(head)))
        assert guest.put(data) == len(data) == RING_SIZE
        world.notify(5)
        assert guest.word(REQ_CONS) == guest.word(REQ_PROD)
        assert guest.word(ERROR) == 0
        assert world.dom0.read(b"/local/domain/5/x") == b"v" * (RING_SIZE - len(head))

    def test_exactly_full_of_replies(self, world: World) -> None:
        guest = world.host.guests[5]
        world.dom0.write(b"/local/domain/5/x", b"v" * (RING_SIZE - HEADER.size))
        guest.put(pack(MessageType.READ, b"x\0") + READ_NAME)
        world.notify(5)
        assert guest.word(RSP_PROD) == RING_SIZE
        assert guest.take() == RING_SIZE
        world.notify(5)
        guest.take()
        assert [len(message.payload) for message in guest.messages()] == [RING_SIZE - HEADER.size, 4]

    def test_one_notification_tells_of_what_was_taken_and_given(self, world: World) -> None:
        before = world.host.notified[5]
        guest = world.host.guests[5]
        guest.put(READ_NAME)
        world.notify(5)
        assert world.host.notified[5] == before + 1
        guest.put(READ_NAME[:5])
        world.notify(5)
        assert world.host.notified[5] == before + 2

    def test_features_and_state_stand_in_the_page(self, world: World) -> None:
        guest = world.host.guests[5]
        assert [guest.word(at) for at in (FEATURES, CONNECTION, ERROR)] == [15, 0, 0]


HOSTILE = {
    "request index far ahead": (REQ_PROD, RING_SIZE + 1),
    "request index behind": (REQ_PROD, -1),
    "reply index ahead": (RSP_CONS, 1),
    "reply index far behind": (RSP_CONS, -RING_SIZE - 1),
}


def test_a_guest_whose_stall_has_ended_is_served_without_firing_again(world: World) -> None:
    """In debt for its writes it is not read on; its requests lie in the ring, and it has nothing to tell."""
    world.dom0.start()
    guest = world.host.guests[5]
    write = pack(MessageType.WRITE, b"x\0y")
    session = world.store.introduced[5]
    for _ in range(200):
        guest.put(write)
        world.host.fire(5)
        world.rings.on_events()
        guest.take()
        if session.stalled:
            break
    assert session.stalled
    guest.put(write)
    world.rings.on_events()
    waiting = guest.word(REQ_PROD) - guest.word(REQ_CONS)
    assert waiting > 0
    world.store.now += 5
    world.store.run_due()
    world.settle()
    guest.take()
    assert guest.word(REQ_PROD) == guest.word(REQ_CONS)


class TestBreakingTheProtocol:
    @pytest.mark.parametrize(("at", "value"), HOSTILE.values(), ids=list(HOSTILE))
    def test_impossible_indices(self, world: World, at: int, value: int) -> None:
        guest = world.host.guests[5]
        if at == RSP_CONS:
            guest.put(READ_NAME)
        guest.set_word(at, guest.word(at) + value)
        world.notify(5)
        assert guest.word(ERROR) == BAD_INDEX
        assert any("domain 5: its store ring breaks the protocol (bad index)" in line for line in world.log)
        assert world.read(6, b"name") == b"six"

    def test_an_impossible_index_while_replies_wait(self, world: World) -> None:
        guest = world.host.guests[5]
        while guest.put(READ_NAME) == len(READ_NAME):
            world.notify(5)
        guest.set_word(RSP_CONS, 1 - RING_SIZE)
        world.notify(5)
        assert guest.word(ERROR) == BAD_INDEX
        assert len([line for line in world.log if "breaks the protocol" in line]) == 1

    @pytest.mark.parametrize("size", [4097, 5000, 2**32 - 1])
    def test_a_payload_too_long(self, world: World, size: int) -> None:
        guest = world.host.guests[5]
        guest.put(HEADER.pack(MessageType.WRITE, 0, 0, size) + bytes(100))
        world.notify(5)
        assert guest.word(ERROR) == TOO_LONG
        assert world.read(6, b"name") == b"six"

    def test_ignored_its_page_is_left_alone_and_its_death_announced(self, world: World) -> None:
        guest = world.host.guests[5]
        world.dom0.watch_only(b"@releaseDomain")
        guest.put(HEADER.pack(MessageType.WRITE, 0, 0, 5000))
        world.notify(5)
        page = bytes(guest.page)
        guest.set_word(REQ_PROD, guest.word(REQ_PROD) + 20)
        changed = bytes(guest.page)
        assert page != changed
        world.notify(5)
        world.dom0.write(b"/local/domain/5/name", b"other")
        world.settle()
        assert bytes(guest.page) == changed
        assert world.dom0.take_events() == []
        world.die(5)
        world.settle()
        assert world.dom0.take_events() == [(b"@releaseDomain", b"t")]
        assert world.host.mapped == {6}

    def test_introduced_again_it_is_served_again(self, world: World) -> None:
        guest = world.host.guests[5]
        guest.set_word(REQ_PROD, 5000)
        world.notify(5)
        assert guest.word(ERROR) == BAD_INDEX
        world.introduce(5)
        assert [guest.word(at) for at in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, ERROR)] == [0] * 5
        assert world.read(5, b"name") == b"five"

    def test_a_changed_index_of_ours_counts_for_nothing(self, world: World) -> None:
        guest = world.host.guests[5]
        assert world.read(5, b"name") == b"five"
        produced = guest.word(REQ_PROD)
        guest.set_word(REQ_CONS, 12345)
        guest.set_word(REQ_PROD, produced)
        world.notify(5)
        guest.set_word(REQ_CONS, produced)
        assert world.read(5, b"name") == b"five"
        assert guest.word(ERROR) == 0


class TestStartingAnew:
    def test_the_guest_asks(self, world: World) -> None:
        guest = world.host.guests[5]
        world.exchange(5, pack(MessageType.WATCH, b"name\0t\0"))
        guest.put(READ_NAME[:10])
        world.notify(5)
        guest.set_word(CONNECTION, 1)
        world.notify(5)
        assert [guest.word(at) for at in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, CONNECTION)] == [0] * 5
        world.dom0.write(b"/local/domain/5/name", b"new")
        assert world.read(5, b"name") == b"new"
        assert world.store.usage(5)["watches"] == 0

    def test_one_that_was_not_offered_it_may_not(self, make: Callable[..., World]) -> None:
        world = make()
        world.host.appear(5)
        world.dom0.ask(MessageType.SET_FEATURE, b"5", b"14")
        world.give_home(5)
        world.introduce(5)
        guest = world.host.guests[5]
        world.exchange(5, pack(MessageType.WATCH, b"name\0t\0"))
        guest.set_word(CONNECTION, 1)
        world.notify(5)
        assert guest.word(CONNECTION) == 1
        assert world.store.usage(5)["watches"] == 1

    def test_its_features_stay(self, make: Callable[..., World]) -> None:
        world = make()
        guest = world.host.appear(5)
        world.dom0.ask(MessageType.SET_FEATURE, b"5", b"3")
        world.give_home(5)
        world.introduce(5)
        assert guest.word(FEATURES) == 3
        guest.set_word(CONNECTION, 1)
        world.notify(5)
        assert guest.word(CONNECTION) == 0
        assert guest.word(FEATURES) == 3
        assert world.dom0.ask(MessageType.GET_FEATURE, b"5") == b"3\0"


class TestTrouble:
    """It stays one domain's."""

    def test_an_internal_error_is_logged_and_the_others_are_served(
        self, make: Callable[..., World], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = make(5, 6)

        def fail(domid: int) -> None:
            raise ZeroDivisionError("planted")

        world.log.clear()
        monkeypatch.setattr(world.store, "reconnect", fail)
        world.host.guests[5].set_word(CONNECTION, 1)
        world.host.guests[6].put(pack(MessageType.READ, b"/\0"))
        world.host.fire(5)
        world.host.fire(6)
        world.rings.on_events()
        assert world.host.guests[6].take()
        assert world.log == ["domain 5: internal error at its store ring: ZeroDivisionError('planted')"]
        world.log.clear()

    def test_a_domain_that_cannot_be_notified_is_named(self, world: World) -> None:
        world.log.clear()
        world.host.refuses_to_notify = {5}
        world.host.guests[5].put(pack(MessageType.READ, b"/\0"))
        world.notify(5)
        assert world.log == ["domain 5: cannot be notified: [Errno 6] planted"]
        assert world.host.guests[5].take()


class TestNotReading:
    def test_its_quota_stops_it_and_nobody_else(self, world: World) -> None:
        guest = world.host.guests[5]
        for _ in range(200):
            if guest.put(READ_NAME) < len(READ_NAME):
                break
            world.notify(5)
        else:
            raise AssertionError("it is never stopped")
        assert world.store.usage(5)["outstanding"] <= world.store.quotas["outstanding"]
        assert guest.word(ERROR) == 0
        assert world.read(6, b"name") == b"six"

    def test_when_it_reads_it_goes_on(self, world: World) -> None:
        guest = world.host.guests[5]
        data = READ_NAME * 300
        sent = 0
        while (more := guest.put(data[sent:])) > 0:
            sent += more
            world.notify(5)
        assert sent < len(data)
        answers = world.exchange(5, data[sent:])
        assert [message.payload for message in answers] == [b"five"] * 300
        assert world.store.usage(5)["outstanding"] == 0

    def test_events_beyond_its_quota_are_bounded(self, world: World) -> None:
        world.exchange(5, pack(MessageType.WATCH, b"data\0t\0"))
        for number in range(2000):
            world.dom0.write(b"/local/domain/5/data", b"%d" % number)
            world.settle()
        usage = world.store.usage(5)
        assert usage["memory"] < 2**20
        assert world.read(6, b"name") == b"six"


class TestComingAndGoing:
    def test_death_with_requests_waiting_in_the_same_turn(self, world: World) -> None:
        """XSA-425: input of the dead is not executed, and nothing of theirs is touched any more."""
        guest = world.host.guests[5]
        guest.put(write(b"/local/domain/5/late", b"x") * 5)
        world.host.fire(5)
        world.die(5)
        world.host.fired.reverse()  # the end is seen first
        world.settle()
        assert world.host.mapped == {6}
        assert 5 not in world.host.bound.values()
        assert b"5" not in world.dom0.directory(b"/local/domain")

    def test_input_before_the_end_of_the_same_turn(self, world: World) -> None:
        guest = world.host.guests[5]
        guest.put(READ_NAME * 20)
        world.host.fire(5)
        world.die(5)
        world.settle()
        assert world.host.mapped == {6}
        assert b"5" not in world.dom0.directory(b"/local/domain")

    def test_a_domid_changes_hands_while_nobody_looks(self, make: Callable[..., World]) -> None:
        """The first owner's nodes are removed; where a mapped page keeps the domid taken, nothing is."""
        for pinned in (False, True):
            world = make(5, 6)
            world.host.pins_domids = pinned
            world.host.become(5, 77)
            world.host.fire(-1)
            world.settle()
            world.host.become(5, 78)
            world.host.fire(-1)
            world.settle()
            assert (b"5" in world.dom0.directory(b"/local/domain")) is pinned
            assert (world.host.mapped == {5, 6}) is pinned

    def test_two_that_die_are_told_once(self, world: World) -> None:
        world.dom0.watch_only(b"@releaseDomain")
        world.dom0.watch_only(b"@releaseDomain", b"deep", b"1")
        world.die(5)
        world.die(6)
        world.settle()
        assert sorted(world.dom0.take_events()) == [
            (b"@releaseDomain", b"t"),
            (b"@releaseDomain/5", b"deep"),
            (b"@releaseDomain/6", b"deep"),
        ]

    def test_a_shutdown_is_told_once_and_the_ring_goes_on(self, world: World) -> None:
        world.dom0.watch_only(b"@releaseDomain")
        world.shut_down(5)
        world.settle()
        world.host.fire(-1)
        world.settle()
        assert world.dom0.take_events() == [(b"@releaseDomain", b"t")]
        assert world.read(5, b"name") == b"five"

    def test_a_stub_domain_loses_its_target(self, world: World) -> None:
        """XSA-233."""
        world.dom0.ask(MessageType.SET_TARGET, b"5", b"6")
        assert world.read(5, b"/local/domain/6/name") == b"six"
        world.die(6)
        world.settle()
        world.dom0.write(b"/local/domain/6/name", b"next")
        assert world.read(5, b"/local/domain/6/name") == b"EACCES\0"

    def test_a_domain_may_release_itself_out_of_its_own_request(self, world: World) -> None:
        """RELEASE by dom0's kernel on its ring, of a domain with input waiting."""
        world.host.guests[5].put(READ_NAME)
        (reply,) = world.exchange(0, pack(MessageType.RELEASE, b"5\0"))
        assert reply.payload == b"OK\0"
        world.settle()
        assert world.host.mapped == {6}

    @pytest.mark.parametrize(("gfn", "port"), [(99, 7), (1, 99)], ids=["page", "port"])
    def test_one_that_cannot_be_connected(self, make: Callable[..., World], gfn: int, port: int) -> None:
        world = make()
        world.host.appear(7)
        world.dom0.send(MessageType.INTRODUCE, b"7\0%d\0%d\0" % (gfn, port))
        assert [message.payload for message in world.dom0.take()] == [b"EINVAL\0"]
        assert world.host.mapped == set()
        assert 7 not in world.store.introduced

    def test_a_new_port_that_cannot_be_bound_leaves_it_deaf_until_one_can(self, world: World) -> None:
        world.dom0.send(MessageType.INTRODUCE, b"5\x001\x0099\0")
        assert [message.payload for message in world.dom0.take()] == [b"EINVAL\0"]
        world.host.guests[5].put(READ_NAME)
        world.rings.scan()
        assert world.host.mapped == {5, 6}
        assert [line for line in world.log if "notified" in line or "error" in line] == []
        world.introduce(5)
        assert world.read(5, b"name") == b"five"


class TestNotIntroduced:
    """Quotas and features of a domain that exists and has no session are its own, and go with it."""

    def give(self, world: World, domid: bytes) -> None:
        world.dom0.ask(MessageType.SET_QUOTA, domid, b"nodes", b"50")
        world.dom0.ask(MessageType.SET_FEATURE, domid, b"2")

    def has(self, world: World, domid: bytes) -> tuple[bytes, bytes]:
        return (
            world.dom0.ask(MessageType.GET_QUOTA, domid, b"nodes"),
            world.dom0.ask(MessageType.GET_FEATURE, domid),
        )

    def test_gone_it_is_forgotten(self, world: World) -> None:
        world.host.appear(7, unique=1)
        self.give(world, b"7")
        assert self.has(world, b"7") == (b"50\0", b"2\0")
        world.die(7)
        world.settle()
        assert world.store.accounts.get(7) is None
        with pytest.raises(errors.ENOENT):
            self.has(world, b"7")

    @pytest.mark.parametrize("noticed", [True, False])
    def test_the_next_owner_of_its_number_does_not_inherit(self, world: World, noticed: bool) -> None:
        world.host.appear(7, unique=1)
        self.give(world, b"7")
        world.host.become(7, 2)
        if noticed:
            world.host.fire(-1)
            world.settle()
        assert self.has(world, b"7") == (b"1000\0", b"15\0")
        self.give(world, b"7")
        world.host.fire(-1)
        world.settle()
        assert self.has(world, b"7") == (b"50\0", b"2\0"), "the end of the first was told twice"
        world.host.become(7, 3)
        world.introduce(7)
        assert self.has(world, b"7") == (b"1000\0", b"15\0")

    def test_there_are_no_more_than_there_are_domains(self, world: World) -> None:
        for n in range(1000):
            world.host.appear(7, unique=n + 1)
            self.give(world, b"7")
            world.die(7)
            world.settle()
        assert {account.domid for account in world.store.accounts} == {0, 5, 6}


class TestLostNotifications:
    def test_an_overflow_of_the_hosts_queue_has_all_rings_and_domains_looked_at(
        self, make: Callable[..., World]
    ) -> None:
        world = make(5, 6)
        world.host.guests[5].put(pack(MessageType.READ, b"/\0"))
        del world.host.guests[6]
        world.host.overflow = True
        world.settle()
        assert world.host.guests[5].take()
        assert 6 not in world.store.introduced

    def test_a_scan_finds_what_nobody_told(self, world: World) -> None:
        guest = world.host.guests[5]
        world.settle()
        guest.put(READ_NAME)
        world.settle()
        assert guest.take() == 0
        world.rings.scan()
        guest.take()
        assert [message.payload for message in guest.messages()] == [b"five"]

    def test_there_is_one_now_and_then(self, world: World) -> None:
        guest = world.host.guests[5]
        guest.put(READ_NAME)

        async def main() -> None:
            with trio.move_on_after(SCAN_SECONDS * 1.5):
                await scan_regularly(world.rings, world.pump)

        trio.run(main, clock=MockClock(autojump_threshold=0))
        world.settle()
        guest.take()
        assert [message.payload for message in guest.messages()] == [b"five"]


class TestStart:
    def test_dom0s_kernel_is_notified_and_served(self, make: Callable[..., World]) -> None:
        world = make()
        assert world.host.notified == {0: 1}
        (reply,) = world.exchange(0, pack(MessageType.READ, b"/\0"))
        assert reply.type == MessageType.READ

    @pytest.mark.parametrize("at", [0, 1000, 2**32 - 10])
    def test_its_indices_stand_and_what_it_asked_before_is_answered(
        self, make: Callable[..., World], at: int
    ) -> None:
        early = pack(MessageType.READ, b"/\0")
        world = make(early=early, at=at)
        kernel = world.host.guests[0]
        world.settle()
        assert kernel.word(REQ_CONS) == (at + len(early)) % 2**32
        kernel.take()
        assert [message.type for message in kernel.messages()] == [MessageType.READ]
        assert world.exchange(0, early * 100)[99].type == MessageType.READ

    def test_domains_that_run_already_are_connected(self, make: Callable[..., World]) -> None:
        world = make(running={3: 7, 4: 99})
        assert set(world.store.introduced) == {0, 3}
        assert world.host.notified[3] == 1
        (line,) = [line for line in world.log if "domain 4" in line]
        assert "runs already, but its store ring cannot be connected" in line
        world.give_home(3)
        assert world.read(3, b"") == b"EINVAL\0"
        assert world.read(3, b"/local/domain/3") == b""

    def test_a_domain_that_waits_for_no_store_here_is_named(self, make: Callable[..., World]) -> None:
        world = make(running={3: None})
        assert set(world.store.introduced) == {0}
        (line,) = [line for line in world.log if "domain 3" in line]
        assert "no event channel of its waits for the store here" in line
        world.give_home(3)
        world.introduce(3)
        assert world.read(3, b"/local/domain/3") == b""
