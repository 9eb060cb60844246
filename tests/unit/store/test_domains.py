"""Domains come, are cut off, come again and die; what they leave behind."""

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.wire import HEADER, MessageType

TOO_LONG = HEADER.pack(MessageType.READ, 0, 0, 4097)
NOTHING = {"nodes": 0, "watches": 0, "outstanding": 0, "memory": 0, "transactions": 0}


def without_nodes(usage: dict[str, int]) -> dict[str, int]:
    return usage | {"nodes": 0, "memory": 0}


def test_output_of_a_session_cut_off_is_charged_once(world: World) -> None:
    guest = world.guest(5)
    idle = world.store.usage(5)
    guest.send(MessageType.READ, b"nothing\0")
    guest.session.feed(TOO_LONG)
    assert guest.session.closed
    assert world.store.usage(5) == idle
    assert [message.payload for message in guest.take()] == [b"ENOENT\0"]
    assert world.store.usage(5) == idle


def test_output_from_before_a_new_introduction_is_charged_once(world: World) -> None:
    guest = world.guest(5)
    idle = world.store.usage(5)
    guest.send(MessageType.READ, b"nothing\0")
    world.introduce(5)
    guest.take()
    assert world.store.usage(5) == idle


def test_introducing_again_starts_anew_and_nobody_is_told(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.watch(b"x")
    tx = guest.start()
    dom0.watch_only(b"@introduceDomain")
    again = world.introduce(5)
    assert dom0.take_events() == []
    assert without_nodes(world.store.usage(5)) == NOTHING
    with pytest.raises(errors.ENOENT):
        again.read(b"x", tx)
    dom0.write(b"/local/domain/5/x")
    assert again.take_events() == []


def test_introducing_again_keeps_the_target(world: World, dom0: Client) -> None:
    world.guest(5)
    world.guest(6)
    dom0.ask(MessageType.SET_TARGET, b"5", b"6")
    dom0.write(b"/local/domain/6/x", b"seen")
    assert world.introduce(5).read(b"/local/domain/6/x") == b"seen"


def test_what_a_domain_owns_goes_with_it(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    dom0.mkdir(b"/shared")
    dom0.set_perms(b"/shared", b"n0", b"b5")
    guest.write(b"/shared/mine/deep", b"x")
    guest.write(b"data", b"x")
    dom0.write(b"/shared/not", b"x")
    dom0.watch_only(b"/", b"all")
    world.die(5)
    assert dom0.take_events() == [(b"/local/domain/5", b"all"), (b"/shared/mine", b"all")]
    assert dom0.directory(b"/shared") == [b"not"]
    assert dom0.directory(b"/local/domain") == []
    with pytest.raises(errors.ENOENT):
        world.store.usage(5)


def test_orphans_are_kept_where_asked_for() -> None:
    world = World(keep_orphans=True)
    guest = world.guest(5)
    guest.write(b"data/deep", b"x")
    world.die(5)
    assert world.dom0.get_perms(b"/local/domain/5/data/deep") == [b"n0"]
    assert world.store.check() == []


@pytest.mark.parametrize("path", [b"/", b"@introduceDomain", b"@releaseDomain"])
def test_a_node_that_cannot_go_falls_to_dom0(world: World, dom0: Client, path: bytes) -> None:
    """dom0 gave away the root or a special node; the owner's death must neither remove it nor hang."""
    world.guest(5)
    dom0.set_perms(path, b"r5")
    world.die(5)
    assert dom0.get_perms(path) == [b"r0"]


def test_the_dead_own_nothing_that_a_transaction_gave_them(world: World, dom0: Client) -> None:
    """XSA-322: the next domain of that id would own it."""
    world.hypervisor.domids.add(5)
    tx = dom0.start()
    dom0.write(b"/x", b"", tx)
    dom0.set_perms(b"/x", b"n5", tx=tx)
    world.die(5)
    with pytest.raises(errors.EAGAIN):
        dom0.end(tx)
    with pytest.raises(errors.ENOENT):
        dom0.read(b"/x")


def test_a_transaction_sees_the_permissions_of_its_snapshot(world: World, dom0: Client) -> None:
    world.hypervisor.domids.add(5)
    dom0.write(b"/x")
    dom0.set_perms(b"/x", b"n0", b"r5")
    tx = dom0.start()
    before = dom0.get_perms(b"/x", tx)
    world.die(5)
    assert dom0.get_perms(b"/x", tx) == before
    dom0.end(tx)
    assert dom0.get_perms(b"/x") == [b"n0"]


def test_a_transaction_that_saw_an_entry_of_the_dead_does_not_write(world: World, dom0: Client) -> None:
    world.hypervisor.domids.add(5)
    dom0.write(b"/x")
    dom0.set_perms(b"/x", b"n0", b"r5")
    tx = dom0.start()
    dom0.get_perms(b"/x", tx)
    dom0.write(b"/y", b"", tx)
    world.die(5)
    with pytest.raises(errors.EAGAIN):
        dom0.end(tx)


def test_a_stub_domain_loses_its_target_with_it(world: World, dom0: Client) -> None:
    stub = world.guest(5)
    world.guest(6)
    dom0.ask(MessageType.SET_TARGET, b"5", b"6")
    dom0.mkdir(b"/kept")
    dom0.set_perms(b"/kept", b"n0", b"r6")
    assert stub.directory(b"/kept") == []
    world.die(6)
    world.guest(6)
    dom0.set_perms(b"/kept", b"n0", b"r6")
    with pytest.raises(errors.EACCES):
        stub.directory(b"/kept")


def test_shutdown_is_told_once_until_resume(world: World, dom0: Client) -> None:
    world.guest(5)
    dom0.watch_only(b"@releaseDomain")
    world.store.domain_shutdown(5)
    world.store.domain_shutdown(5)
    assert dom0.take_events() == [(b"@releaseDomain", b"t")]
    dom0.ask(MessageType.RESUME, b"5")
    world.store.domain_shutdown(5)
    assert dom0.take_events() == [(b"@releaseDomain", b"t")]


def test_a_restored_session_is_the_domains_session(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    state = guest.session.export()
    guest.session.close()
    session = world.store.restore(state)
    assert world.store.session_of(5) is session
    dom0.ask(MessageType.RELEASE, b"5")
    assert session.closed


def test_a_transaction_may_fill_its_own_client_with_events(world: World) -> None:
    """The client is cut off in the midst of its commit, which has happened all the same."""
    client = world.connect()
    for number in range(1100):
        client.watch(b"/big", b"%03900d" % number)
        client.session.take()
    tx = client.start()
    for name in (b"/big/1", b"/big/2", b"/big/3", b"/big/4"):
        client.write(name, b"", tx)
    client.send(MessageType.TRANSACTION_END, b"T\0", tx=tx)
    assert client.session.closed
    assert world.dom0.directory(b"/big") == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("path", [b"/", b"@releaseDomain"])
def test_what_falls_to_dom0_grants_the_dead_nothing(world: World, dom0: Client, path: bytes) -> None:
    """XSA-322: the change of owner is a write, which must not revive entries of domains that died before."""
    world.guest(5)
    world.guest(6)
    dom0.set_perms(path, b"n5", b"r6")
    world.die(6)
    world.die(5)
    assert dom0.get_perms(path) == [b"n0"]
    with pytest.raises(errors.EACCES):
        world.guest(6).get_perms(path)


def test_orphans_kept_grant_the_dead_nothing() -> None:
    world = World(keep_orphans=True)
    world.guest(6)
    world.guest(5).set_perms(b"/local/domain/5", b"n5", b"r6")
    world.die(6)
    world.die(5)
    assert world.dom0.get_perms(b"/local/domain/5") == [b"n0"]


def test_features_set_ahead_are_for_one_domain_only(world: World, dom0: Client) -> None:
    """A domain that dies before it is introduced leaves nothing to the next one of its id."""
    world.hypervisor.domids.add(5)
    dom0.ask(MessageType.SET_FEATURE, b"5", b"0")
    world.die(5)
    assert world.guest(5).ask(MessageType.GET_FEATURE) == b"15\0"
