"""Permission lists: how they are spelt, what they grant, and who may change them."""

import itertools

import pytest

from tests.model.tree import Actor, Entry, Node
from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.wire import DOMID_ANY, MessageType

ANY = b"%d" % DOMID_ANY

#: What SET_PERMS is sent after the path's NUL, and what GET_PERMS shows, or the error.
SPELLINGS: list[tuple[bytes, list[bytes] | type[errors.XenstoreError]]] = [
    (b"n0\0", [b"n0"]),
    (b"r0\0", [b"r0"]),
    (b"w0\0", [b"w0"]),
    (b"b0\0", [b"b0"]),
    (b"n0\0r1\0w2\0b0\0", [b"n0", b"r1", b"w2", b"b0"]),
    (b"n0\0r1\0r1\0", [b"n0", b"r1", b"r1"]),
    (b"n0\0r0x1\0r0X2\0", [b"n0", b"r1", b"r2"]),
    (b"n0\0r02\0", [b"n0", b"r2"]),
    (b"n00\0", [b"n0"]),
    (b"n0\0r7\0", [b"n0", b"r7"]),
    (b"n0\0r65535\0", [b"n0", b"r65535"]),
    (b"n0\0r0xffff\0r0xFfFe\0", [b"n0", b"r65535", b"r65534"]),
    (b"n0\0r" + ANY + b"\0", [b"n0", b"r" + ANY]),
    (b"n" + ANY + b"\0", [b"n" + ANY]),
    (b"n0\0" * 600, [b"n0"] * 600),
    (b"", errors.EINVAL),
    (b"n0", errors.EINVAL),
    (b"n0\0r1", errors.EINVAL),
    (b"\0", errors.EINVAL),
    (b"n0\0\0", errors.EINVAL),
    (b"n\0", errors.EINVAL),
    (b"0\0", errors.EINVAL),
    (b"x0\0", errors.EINVAL),
    (b"N0\0", errors.EINVAL),
    (b"rw0\0", errors.EINVAL),
    (b"n-1\0", errors.EINVAL),
    (b"n+1\0", errors.EINVAL),
    (b"n 1\0", errors.EINVAL),
    (b"n1 \0", errors.EINVAL),
    (b"n0\0r65536\0", errors.EINVAL),
    (b"n0\0r4294967296\0", errors.EINVAL),
    (b"n0\0r99999999999999999999\0", errors.EINVAL),
    (b"n0x\0", errors.EINVAL),
    (b"n0xg\0", errors.EINVAL),
    (b"n08\0", errors.EINVAL),
    (b"n0\0r1a\0", errors.EINVAL),
    (b"n7\0", errors.ENOENT),
    (b"n7\0x\0", errors.EINVAL),
]


@pytest.fixture
def node(world: World) -> bytes:
    world.hypervisor.domids |= {1, 2}
    world.dom0.mkdir(b"/node")
    return b"/node\0"


@pytest.mark.parametrize(("spelling", "shown"), SPELLINGS)
def test_spellings(
    dom0: Client, node: bytes, spelling: bytes, shown: list[bytes] | type[errors.XenstoreError]
) -> None:
    if isinstance(shown, list):
        dom0.ask_raw(MessageType.SET_PERMS, node + spelling)
        assert dom0.get_perms(b"/node") == shown
    else:
        with pytest.raises(shown):
            dom0.ask_raw(MessageType.SET_PERMS, node + spelling)
        assert dom0.get_perms(b"/node") == [b"n0"]


# --- what they grant --------------------------------------------------------------------------------

OWNERS = ["n0", "r0", "w0", "b0", "n1", "n3"]
ENTRIES = [f"{letter}{domid}" for letter in "nrwb" for domid in (1, 2, 3)] + [
    f"r{DOMID_ANY}",
    f"b{DOMID_ANY}",
]
LISTS = [
    *[(owner,) for owner in (*OWNERS, f"n{DOMID_ANY}")],
    *itertools.product(OWNERS, ENTRIES),
    *itertools.product(["n0", "b0", "r3"], ENTRIES, ENTRIES),
]


def allowed(client: Client, perms: list[bytes]) -> set[str]:
    """What a client may do with /node: read it, write it, and change its permissions to what they are."""
    granted = set()
    for right, request in (
        ("r", lambda: client.read(b"/node")),
        ("w", lambda: client.write(b"/node")),
        ("o", lambda: client.set_perms(b"/node", *perms)),
    ):
        try:
            request()
            granted.add(right)
        except errors.EACCES:
            pass
    return granted


def test_rights_are_those_of_the_first_entry_that_matches(world: World, dom0: Client) -> None:
    """Guest 3 is a stub domain whose target is 1: each entry for 1 is for it as well."""
    guests = {domid: world.guest(domid) for domid in (1, 2, 3)}
    dom0.ask(MessageType.SET_TARGET, b"3", b"1")
    dom0.mkdir(b"/node")
    for texts in LISTS:
        perms = [text.encode() for text in texts]
        dom0.set_perms(b"/node", *perms)
        node = Node([Entry(int(text[1:]), text[0]) for text in texts])
        for domid, guest in guests.items():
            actor = Actor(domid, privileged=False, target=1 if domid == 3 else None)
            assert allowed(guest, perms) == actor.rights_on(node), (texts, domid)
        world.wait(1.0)


def test_a_node_needs_no_right_above_it(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    dom0.write(b"/hidden/deep/node", b"value")
    dom0.set_perms(b"/hidden/deep/node", b"n0", b"b5")
    assert guest.read(b"/hidden/deep/node") == b"value"
    guest.write(b"/hidden/deep/node/new", b"x")
    with pytest.raises(errors.EACCES):
        guest.read(b"/hidden/deep")


def test_a_missing_node_shows_only_to_who_could_look(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    dom0.mkdir(b"/closed")
    dom0.mkdir(b"/open")
    dom0.set_perms(b"/open", b"r0")
    with pytest.raises(errors.EACCES):
        guest.read(b"/closed/missing/deep")
    with pytest.raises(errors.ENOENT):
        guest.read(b"/open/missing/deep")
    with pytest.raises(errors.EACCES):
        guest.write(b"/open/missing")


def test_new_nodes_are_their_creators(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    dom0.mkdir(b"/shared")
    dom0.set_perms(b"/shared", b"n0", b"b5", b"r6")
    guest.write(b"/shared/a/b")
    assert guest.get_perms(b"/shared/a") == guest.get_perms(b"/shared/a/b") == [b"n5", b"b5", b"r6"]
    dom0.write(b"/shared/c")
    assert dom0.get_perms(b"/shared/c") == [b"n0", b"b5", b"r6"]


def test_an_entry_for_a_domain_to_come_counts_once_it_was_written_after(world: World, dom0: Client) -> None:
    dom0.mkdir(b"/node")
    dom0.set_perms(b"/node", b"n0", b"r5")
    guest = world.guest(5)
    with pytest.raises(errors.EACCES):
        guest.read(b"/node")
    dom0.set_perms(b"/node", b"n0", b"r5")
    assert guest.read(b"/node") == b""


def test_any_domain_means_nothing_to_who_was_not_offered_it(world: World, dom0: Client) -> None:
    world.hypervisor.domids.add(5)
    dom0.ask(MessageType.SET_FEATURE, b"5", b"6")
    without = world.guest(5)
    without.set_perms(b"/local/domain/5", b"n5", b"r" + ANY)
    with pytest.raises(errors.EACCES):
        world.guest(6).read(b"/local/domain/5")
    world.introduce(5)
    with_it = world.guest(7)
    with_it.set_perms(b"/local/domain/7", b"n7", b"r" + ANY)
    assert world.guest(8).read(b"/local/domain/7") == b""
