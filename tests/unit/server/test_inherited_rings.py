"""Rings that another xenstored served before: after a live update they go on at the byte."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.server.host import RSP_CONS, Guest, World
from xenstore import stream
from xenstore._pump import Pump
from xenstore.image import capture, restore
from xenstore.platform import DomainState
from xenstore.server.rings import Rings
from xenstore.store import Store
from xenstore.wire import MessageType, pack


def succeed(world: World, *, private: bool) -> None:
    """Put another store and rings on the same host, out of what the first ones wrote down."""
    image = capture(world.store, local_ports=world.rings.local_ports())
    data = b"".join(stream.write(image, world.store, private=private))
    world.rings.hand_over()
    world.pump.close()
    store = Store()
    store.log = world.log.append
    image = stream.read(data, store)
    restore(image, store)
    world.rings = store.hypervisor = rings = Rings(world.host, world.log.append)
    world.store, world.pump = store, Pump(store)
    world.pump.log = world.log.append
    rings.inherit(image.domains)
    rings.start(store, world.pump)
    rings.hear_of_changes()


@pytest.fixture(params=[True, False], ids=["ours", "others"])
def private(request: pytest.FixtureRequest) -> bool:
    """Whether the stream tells positions, or only the page does."""
    result: bool = request.param
    return result


@pytest.fixture
def make() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(*domids: int, **how: object) -> World:
        made.append(World(*domids, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for world in made:
        world.end()


def test_a_conversation_goes_on(make: Callable[..., World], private: bool) -> None:
    world = make(5)
    world.exchange(5, pack(MessageType.WRITE, b"a\0one"))
    for value in (b"two", b"three"):
        succeed(world, private=private)
        assert world.exchange(5, pack(MessageType.WRITE, b"a\0" + value))[0].payload == b"OK\0"
        assert world.read(5, b"a") == value
    assert world.read(0, b"/local/domain/5/a") == b"three"


def test_half_a_request_and_half_a_reply_survive(make: Callable[..., World], private: bool) -> None:
    world = make(5)
    guest = world.host.guests[5]
    world.exchange(5, pack(MessageType.WRITE, b"a\0" + b"v" * 1500))
    request = pack(MessageType.READ, b"a\0")
    guest.put(request)
    world.notify(5)  # the reply fills the ring, a part of it is still in the store
    guest.take(100)
    guest.put(request[:7])
    world.notify(5)
    succeed(world, private=private)
    replies = world.exchange(5, request[7:])
    assert [reply.payload for reply in replies] == [b"v" * 1500] * 2


def test_what_the_guest_did_meanwhile_is_served(make: Callable[..., World], private: bool) -> None:
    world = make(5)
    world.host.guests[5].put(pack(MessageType.WRITE, b"a\0meanwhile"))
    succeed(world, private=private)
    world.settle()
    assert world.read(0, b"/local/domain/5/a") == b"meanwhile"


def test_nothing_is_served_before_all_is_taken_over(make: Callable[..., World], private: bool) -> None:
    world = make(5)
    world.host.guests[5].put(pack(MessageType.WRITE, b"a\0value"))
    succeed(world, private=private)
    assert world.host.guests[5].word(RSP_CONS) == 0
    assert world.store.usage(5)["nodes"] == 1
    world.settle()
    assert world.store.usage(5)["nodes"] == 2


def test_local_ports_are_kept(make: Callable[..., World], private: bool) -> None:
    world = make(5, 6)
    ports = world.rings.local_ports()
    succeed(world, private=private)
    assert world.rings.local_ports() == ports == {0: 100, 5: 105, 6: 106}
    world.store.release(6)
    assert 106 not in world.host.bound


def test_a_domain_that_died_meanwhile_is_released(make: Callable[..., World], private: bool) -> None:
    world = make(5, 6)
    world.dom0.watch(b"@releaseDomain", b"r")
    del world.host.guests[6]
    succeed(world, private=private)
    world.settle()
    assert sorted(world.store.introduced) == [0, 5]


def test_a_domid_used_again_meanwhile_is_another_domain(make: Callable[..., World], private: bool) -> None:
    world = make()
    world.host.guests[5] = world.host.guests_ever[5] = Guest(5)
    world.host.states[5] = DomainState(1, False, False)
    world.give_home(5)
    world.introduce(5)
    world.host.states[5] = DomainState(2, False, False)
    succeed(world, private=private)
    assert 5 not in world.store.introduced


def test_an_ignored_domain_stays_ignored_and_is_still_released(make: Callable[..., World]) -> None:
    world = make(5)
    world.host.guests[5].put(pack(MessageType.READ, b"a\0")[:12] + b"\xff\xff\0\0")
    world.notify(5)
    assert world.store.ignored == {5: 3}
    succeed(world, private=True)
    assert world.store.ignored == {5: 3}
    world.die(5)
    world.settle()
    assert 5 not in world.store.introduced


def test_if_nobody_took_over_domain_changes_are_heard_of_again(make: Callable[..., World]) -> None:
    world = make(5)
    world.rings.hand_over()
    world.die(5)
    world.rings.hear_of_changes()
    world.settle()
    assert 5 not in world.store.introduced


def test_quotas_of_who_is_not_introduced_go_on_with_whom_they_were_set_for(
    make: Callable[..., World], private: bool
) -> None:
    """Who has ended meanwhile is forgotten with all it owns, also where another has its number."""
    world = make(5)
    for domid in (6, 7, 8):
        world.host.appear(domid, unique=domid)
        world.dom0.ask(MessageType.SET_QUOTA, b"%d" % domid, b"nodes", b"50")
        world.give_home(domid)
    del world.host.guests[7]
    if private:
        world.host.become(8, 88)
    succeed(world, private=private)
    quotas = {account.domid: account.quota_values()["nodes"] for account in world.store.accounts}
    assert quotas == {0: 1000, 5: 1000, 6: 50} | ({} if private else {8: 50})
    homes = {domid for domid in range(9) if world.store.owner_of(b"/local/domain/%d" % domid) == domid}
    assert homes == {5, 6} | (set() if private else {8})
    assert world.store.check() == []
