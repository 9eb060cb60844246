"""One test for each of Xen's security advisories about its store daemons that a session alone can show.

What needs a ring's page (38, 325 in part, 326 in part) is tested with the rings.
"""

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.wire import DOMID_ANY, HEADER, MessageType, pack


def raw(type: int, length: int) -> bytes:
    """A header that announces so many bytes."""
    return HEADER.pack(type, 0, 0, length)


def test_xsa_38_a_message_too_long_ends_the_connection_and_no_other(world: World, dom0: Client) -> None:
    guest, other = world.guest(5), world.guest(6)
    guest.session.feed(raw(MessageType.READ, 4097) + b"x" * 4097)
    assert guest.session.closed
    assert guest.take() == []
    assert other.directory(b"/local/domain/6") == []
    client = world.connect()
    client.session.feed(raw(MessageType.READ, 4096) + b"x" * 4096)
    assert not client.session.closed


def test_xsa_72_a_reply_fits_a_message_or_is_refused(dom0: Client) -> None:
    """At the very border: see test_directories."""
    value = b"v" * (4096 - len(b"/x\0"))
    dom0.write(b"/x", value)
    assert dom0.read(b"/x") == value
    for number in range(1100):
        dom0.mkdir(b"/x/%d" % number)
    with pytest.raises(errors.E2BIG):
        dom0.directory(b"/x")
    assert dom0.read(b"/x") == value


def test_xsa_115_watches_tell_only_what_may_be_read(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.watch_only(b"/", b"all")
    guest.watch_only(b"@introduceDomain", b"in")
    dom0.write(b"/secret/node", b"x")
    dom0.rm(b"/secret")
    world.guest(6)
    assert guest.take_events() == []
    with pytest.raises(errors.EACCES):
        guest.ask(MessageType.IS_DOMAIN_INTRODUCED, b"6")
    guest.send(MessageType.WATCH, b"/x\0t\0", tx=999)
    assert [message.payload for message in guest.take()] == [b"OK\0", b"/x\0t\0"]


def test_xsa_115_taking_read_away_is_the_last_that_is_told(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    dom0.write(b"/node")
    dom0.set_perms(b"/node", b"r0")
    guest.watch_only(b"/node")
    dom0.set_perms(b"/node", b"n0")
    assert guest.take_events() == [(b"/node", b"t")]
    dom0.write(b"/node", b"more")
    dom0.rm(b"/node")
    assert guest.take_events() == []


def test_xsa_115_a_failed_creation_is_not_counted_and_removal_fires_for_real_nodes_only(world: World) -> None:
    guest = world.guest(5)
    world.dom0.watch_only(b"/", b"all")
    before = world.store.usage(5)
    with pytest.raises(errors.ENOSPC):
        guest.write(b"a/b/c", b"x" * 3000)
    guest.rm(b"missing")
    assert world.store.usage(5) == before
    assert world.dom0.take_events() == []


def test_xsa_206_writes_of_a_guest_do_not_starve_transactions(world: World) -> None:
    """The rest: see test_credits."""
    guest = world.guest(5)
    world.connect().start()
    guest.session.feed(pack(MessageType.WRITE, b"x\0") * 200)
    assert len(guest.take()) < 100


def test_xsa_233_a_target_and_its_stub_domain_go_in_either_order(world: World, dom0: Client) -> None:
    for first, second in ((5, 6), (6, 5)):
        world.guest(5)
        world.guest(6)
        dom0.ask(MessageType.SET_TARGET, b"5", b"6")
        dom0.ask(MessageType.RELEASE, b"%d" % first)
        dom0.ask(MessageType.RELEASE, b"%d" % second)


def test_xsa_272_nodes_are_counted(world: World) -> None:
    guest = world.guest(5)
    for number in range(999):
        guest.write(b"%d" % number)
        if number % 200 == 199:
            for name in range(number - 199, number + 1):
                guest.rm(b"%d" % name)
                guest.write(b"d%d/%d" % (name // 20, name % 20))
        if world.store.usage(5)["nodes"] == 1000:
            break
    assert world.store.usage(5)["nodes"] == 1000
    with pytest.raises(errors.ENOSPC):
        guest.write(b"one/more")


def test_xsa_322_a_new_domain_inherits_nothing(world: World, dom0: Client) -> None:
    dom0.write(b"/node", b"secret")
    world.guest(5)
    dom0.set_perms(b"/node", b"n0", b"r5")
    dom0.set_perms(b"@introduceDomain", b"n0", b"r5")
    world.die(5)
    new = world.guest(5)
    for path in (b"/node", b"@introduceDomain"):
        with pytest.raises(errors.EACCES):
            new.get_perms(path)
    dom0.set_perms(b"/node", b"n0", b"r5")
    assert new.read(b"/node") == b"secret"


def test_xsa_322_permissions_may_name_a_domain_before_it_is_introduced(world: World, dom0: Client) -> None:
    dom0.write(b"/node", b"for 5")
    world.hypervisor.domids.add(5)
    dom0.set_perms(b"/node", b"n0", b"r5")
    assert world.introduce(5).read(b"/node") == b"for 5"


def test_xsa_323_a_path_is_measured_in_one_way(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    home = b"/local/domain/5/"
    longest = b"p" * 1000 + b"/" + b"p" * 1047
    guest.write(longest)
    assert guest.read(home + longest) == b""
    for path in (longest + b"p", home + longest + b"p"):
        with pytest.raises(errors.EINVAL):
            guest.write(path)
        with pytest.raises(errors.EINVAL):
            guest.rm(path)
    dom0.write(home + longest + b"p")
    dom0.rm(home + longest + b"p")
    dom0.rm(home + longest)


def test_xsa_324_an_event_too_long_is_dropped(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/a", b"t" * 4080)
    dom0.write(b"/a/" + b"c" * 20)
    assert client.take_events() == []
    dom0.write(b"/a")
    assert len(client.take_events()) == 1


def test_xsa_325_a_domain_cut_off_is_announced_when_it_dies(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.write(b"data")
    dom0.watch_only(b"@releaseDomain")
    guest.session.feed(raw(MessageType.READ, 5000))
    assert guest.session.closed
    assert dom0.take_events() == []
    assert dom0.ask(MessageType.IS_DOMAIN_INTRODUCED, b"5") == b"T\0"
    world.die(5)
    assert dom0.take_events() == [(b"@releaseDomain", b"t")]


def test_xsa_326_nodes_of_one_transaction_are_bounded(world: World) -> None:
    """Outstanding replies, unread events and memory: see test_output and test_snapshots."""
    guest = world.guest(5)
    tx = guest.start()
    for number in range(1024):
        with pytest.raises(errors.ENOENT):
            guest.read(b"%d" % number, tx)
    with pytest.raises(errors.ENOSPC):
        guest.read(b"onemore", tx)
    with pytest.raises(errors.ENOMEM):
        guest.end(tx)


def test_xsa_330_reset_watches_leaves_no_watch_behind(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    for _ in range(10_000):
        guest.watch(b"x")
        guest.ask(MessageType.RESET_WATCHES, b"")
    assert world.store.usage(5)["watches"] == 0
    assert world.store.watches.count == 0
    guest.take()
    dom0.write(b"/local/domain/5/x")
    assert guest.take_events() == []


@pytest.mark.parametrize("owner", [b"n0", b"n6", b"n%d" % DOMID_ANY])
def test_xsa_352_a_guest_cannot_give_its_nodes_away(world: World, owner: bytes) -> None:
    guest = world.guest(5)
    world.guest(6)
    guest.write(b"mine")
    with pytest.raises(errors.EPERM):
        guest.set_perms(b"mine", owner)
    assert guest.get_perms(b"mine") == [b"n5"]


def test_xsa_353_the_root_is_a_node_like_any_other(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    before = dom0.directory(b"/"), dom0.get_perms(b"/"), dom0.read(b"/")
    for attempt in (
        lambda: guest.rm(b"/"),
        lambda: guest.set_perms(b"/", b"b5"),
        lambda: guest.directory(b"/"),
        lambda: guest.get_perms(b"/"),
        lambda: guest.write(b"/", b"x"),
        lambda: guest.read(b"/"),
    ):
        with pytest.raises(errors.EACCES):
            attempt()
    assert (dom0.directory(b"/"), dom0.get_perms(b"/"), dom0.read(b"/")) == before


def fill_up(world: World, guest: Client) -> None:
    """Bring a guest to two nodes below its quota."""
    world.store.set_quota("nodes", world.store.usage(5)["nodes"] + 2, 5)
    assert guest.directory(b"/local/domain/5") == []


def test_xsa_414_a_creation_that_fails_half_way_leaves_nothing(world: World) -> None:
    guest = world.guest(5)
    fill_up(world, guest)
    before = world.store.usage(5)
    with pytest.raises(errors.ENOSPC):
        guest.write(b"a/b/c/d")
    assert guest.directory(b"/local/domain/5") == []
    assert world.store.usage(5) == before


def test_xsa_415_a_failure_in_a_transaction_dooms_it(world: World) -> None:
    guest = world.guest(5)
    world.store.set_quota("node-size", 100, 5)
    before = world.store.usage(5)
    tx = guest.start()
    guest.write(b"a/b", b"", tx)
    with pytest.raises(errors.ENOSPC):
        guest.write(b"a/b/c", b"x" * 200, tx)
    guest.write(b"a/d", b"", tx)
    with pytest.raises(errors.ENOMEM):
        guest.end(tx)
    assert guest.directory(b"/local/domain/5") == []
    assert world.store.usage(5) == before


def test_xsa_416_requests_leave_only_their_replies(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.write(b"x", b"v" * 1000)
    before = world.store.usage(5)["memory"]
    request = pack(MessageType.READ, b"x\0")
    for count in range(1, 16):
        guest.session.feed(request)
        assert world.store.usage(5)["memory"] == before + count * (16 + 1000)
    guest.take()
    assert world.store.usage(5)["memory"] == before


def test_xsa_417_a_domain_never_heard_of_inherits_nothing(world: World, dom0: Client) -> None:
    """The grant was written while no domain 5 existed; nothing of its death was ever seen."""
    dom0.write(b"/node")
    dom0.set_perms(b"/node", b"n0", b"r5")
    with pytest.raises(errors.EACCES):
        world.guest(5).read(b"/node")


def test_xsa_418_a_thousand_levels(world: World, dom0: Client) -> None:
    """More: see test_deep."""
    path = b"/a" * 1000
    dom0.write(path)
    assert dom0.ask(MessageType.GET_PERMS, path) == b"n0\0"
    dom0.rm(b"/a")


def test_xsa_419_what_a_domain_left_elsewhere_goes_with_it(world: World, dom0: Client) -> None:
    dom0.mkdir(b"/shared")
    dom0.set_perms(b"/shared", b"b0")
    before = world.store.usage(0)
    for _ in range(20):
        guest = world.guest(5)
        guest.write(b"/shared/left/behind", b"x" * 100)
        world.die(5)
        assert dom0.directory(b"/shared") == []
    dom0.rm(b"/local")
    assert world.store.usage(0) == before


@pytest.mark.parametrize("length", [0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_xsa_420_lengths_are_unsigned(world: World, length: int) -> None:
    guest = world.guest(5)
    guest.session.feed(raw(MessageType.WRITE, length) + b"x" * 100)
    assert guest.session.closed


def test_xsa_421_a_node_made_and_removed_in_one_transaction(world: World) -> None:
    guest = world.guest(5)
    guest.write(b"m")
    before = world.store.usage(5)
    for _ in range(2000):
        tx = guest.start()
        guest.write(b"n", b"x", tx)
        guest.rm(b"n", tx)
        guest.write(b"m", b"", tx)
        guest.end(tx)
        world.wait(0.0)
    assert guest.directory(b"/local/domain/5") == [b"m"]
    assert world.store.usage(5) == before


def test_xsa_425_a_session_ends_while_its_input_waits(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.session.feed(pack(MessageType.WRITE, b"x\0") * 40 + b"half a header")
    assert guest.session.export()["input"]
    dom0.ask(MessageType.RELEASE, b"5")
    assert guest.session.closed
    guest.take()
    again = world.guest(5)
    again.session.feed(pack(MessageType.WRITE, b"x\0") * 40)
    third = world.introduce(5)
    again.session.feed(pack(MessageType.WRITE, b"y\0"))
    again.take()
    assert third.directory(b"/local/domain/5") == [b"x"]


def test_xsa_440_two_transactions_delete_the_same_nodes(world: World) -> None:
    guest = world.guest(5)
    for number in range(50):
        guest.write(b"%d" % number)
    first, second = guest.start(), guest.start()
    for tx in (first, second):
        for number in range(50):
            guest.rm(b"%d" % number, tx)
        assert guest.directory(b"/local/domain/5", tx) == []
    guest.end(first)
    guest.end(second)
    assert guest.directory(b"/local/domain/5") == []
    assert world.store.usage(5)["nodes"] == 1


HALF_A_HOME = [
    *[b"/local/domain/", b"/local/domain", b"/local/domain/x", b"/local/domain/99999999999"],
    *[b"/local/domain/5/", b"/local/domain/99999999999/", b"/local/domain//x", b"local/domain/"],
    b"/local/domain/99999999999/x",
]


@pytest.mark.parametrize("path", HALF_A_HOME)
def test_xsa_481_half_a_home_is_just_a_path(world: World, path: bytes) -> None:
    guest = world.guest(5)
    with pytest.raises((errors.EINVAL, errors.ENOENT, errors.EACCES)) as refused:
        guest.read(path)
    assert (refused.type is errors.EINVAL) == (path.endswith(b"/") or b"//" in path)
    assert guest.read(b"/local/domain/5") == b""


def test_xsa_483_a_new_domain_has_its_whole_quota(world: World, dom0: Client) -> None:
    for _ in range(3):
        guest = world.guest(5)
        world.store.set_quota("nodes", 20, 5)
        for number in range(19):
            guest.write(b"%d" % number)
        with pytest.raises(errors.ENOSPC):
            guest.write(b"more")
        dom0.set_perms(b"/local/domain/5/3", b"n0")
        dom0.ask(MessageType.RELEASE, b"5")


def test_xsa_484_reset_watches_inside_a_transaction(world: World) -> None:
    guest = world.guest(5)
    tx = guest.start()
    guest.write(b"x", b"", tx)
    assert guest.ask(MessageType.RESET_WATCHES, b"", tx=tx) == b"OK\0"
    with pytest.raises(errors.ENOENT):
        guest.read(b"x", tx)
    with pytest.raises(errors.ENOENT):
        guest.end(tx)
    assert world.store.usage(5)["transactions"] == 0
