"""The state of a session is a value: exported and restored, it goes on as if nothing had happened."""

import pickle
import random
from typing import Any

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.store import Session
from xenstore.wire import HEADER_SIZE, MessageType, pack

CLIENTS = ["socket A", "socket B", "guest 1", "guest 2"]
PATHS = [b"/s/a", b"/s/b", b"/s/a/x", b"x", b"x/y"]
WATCHED = [*PATHS, b"/s", b"@introduceDomain", b"@releaseDomain"]


def move(world: World, session: Session) -> Session:
    """The session made anew out of its exported state, which is plain data."""
    state: dict[str, Any] = pickle.loads(pickle.dumps(session.export()))
    session.close()
    return world.store.restore(state)


class Twin:
    """A store with four sessions, by name, and all they have ever been sent."""

    def __init__(self) -> None:
        self.world = World()
        self.world.dom0.mkdir(b"/s")
        self.world.dom0.set_perms(b"/s", b"b0")
        self.sessions = {name: self.world.connect().session for name in CLIENTS[:2]}
        for domid in (1, 2):
            self.sessions[f"guest {domid}"] = self.world.guest(domid).session
        self.output = dict.fromkeys(CLIENTS, b"")

    def take(self, name: str, limit: int) -> None:
        self.output[name] += self.sessions[name].take(limit)

    def settle(self) -> None:
        """Take what there is, of all of them."""
        for name, session in self.sessions.items():
            session.feed(b"")
            self.output[name] += session.take()


def random_request(chance: random.Random) -> bytes:
    path = chance.choice(PATHS) + b"\0"
    type = chance.choice(
        [*[MessageType.WRITE] * 5, *[MessageType.WATCH] * 3, MessageType.RM, MessageType.READ]
    )
    match type:
        case MessageType.WRITE:
            payload = path + b"v" * chance.choice([0, 5, 300])
        case MessageType.WATCH:
            depth = chance.choice([b"", b"", b"1\0"])
            payload = chance.choice(WATCHED) + b"\0" + chance.choice([b"t\0", b"u\0"]) + depth
        case _:
            payload = path
    return pack(type, payload, req_id=chance.getrandbits(32))


@pytest.mark.parametrize("seed", range(40))
def test_a_session_moved_at_any_point_says_the_same(seed: int) -> None:
    chance = random.Random(seed)
    moved, still = twins = Twin(), Twin()
    unfed = dict.fromkeys(CLIENTS, b"")
    for _ in range(400):
        name = chance.choice(CLIENTS)
        action = chance.random()
        if action < 0.6:
            unfed[name] += random_request(chance)
            size = chance.choice([3, 20, len(unfed[name])])
            for twin in twins:
                twin.sessions[name].feed(unfed[name][:size])
            unfed[name] = unfed[name][size:]
        elif action < 0.85:
            limit = chance.choice([1, 10, HEADER_SIZE, 100, 10_000])
            for twin in twins:
                twin.take(name, limit)
        else:
            moved.sessions[name] = move(moved.world, moved.sessions[name])
        assert moved.output == still.output
        assert moved.world.store.check() == []
        assert [moved.world.store.usage(domid) for domid in (0, 1, 2)] == [
            still.world.store.usage(domid) for domid in (0, 1, 2)
        ]
    for twin in twins:
        twin.settle()
    assert moved.output == still.output


def test_what_the_state_holds(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    world.guest(6)
    dom0.ask(MessageType.SET_TARGET, b"5", b"6")
    guest.watch_only(b"data", b"token", b"2")
    guest.watch_only(b"/abs", b"")
    tx = guest.start()
    guest.session.feed(b"half")
    state = guest.session.export()
    assert state == {
        "domid": 5,
        "privileged": False,
        "target": 6,
        "features": 15,
        "input": b"half",
        "output": b"",
        "message_left": 0,
        "sent_bytes": state["sent_bytes"],
        "watches": [(b"data", b"token", 2), (b"/abs", b"", -1)],
        "executed_bytes": 68,
        "last_tx_id": tx,
        "transactions": [tx],
    }


def test_open_transactions_end_with_eagain(world: World, dom0: Client) -> None:
    tx = dom0.start()
    dom0.write(b"/x", b"lost", tx)
    client = Client(move(world, dom0.session))
    client.write(b"/y", b"lost as well", tx)
    with pytest.raises(errors.EAGAIN):
        client.end(tx)
    with pytest.raises(errors.ENOENT):
        client.read(b"/x")
    with pytest.raises(errors.ENOENT):
        client.end(tx)
    assert client.start() == tx + 1
    assert world.store.open_transactions == 1


def test_a_moved_guest_keeps_its_quotas(world: World) -> None:
    guest = world.guest(5)
    for number in range(128):
        guest.watch(b"x", b"%d" % number)
    for _ in range(10):
        guest.start()
    moved = Client(move(world, guest.session))
    with pytest.raises(errors.ENOSPC):
        moved.watch(b"x", b"one more")
    with pytest.raises(errors.ENOSPC):
        moved.start()


def test_a_moved_guest_that_waits_goes_on_waiting(world: World) -> None:
    guest = world.guest(5)
    guest.session.feed(pack(MessageType.READ, b"no\0") * 30)
    moved = move(world, guest.session)
    assert moved.stalled
    assert world.store.usage(5)["outstanding"] == 20
    assert len(Client(moved).take()) == 30


def test_watches_keep_their_order(world: World, dom0: Client) -> None:
    client = world.connect()
    for token in (b"3", b"1", b"2"):
        client.watch_only(b"/x", token)
    moved = Client(move(world, client.session))
    dom0.write(b"/x")
    assert [token for _, token in moved.take_events()] == [b"3", b"1", b"2"]


def test_a_relative_watch_stays_relative(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.watch_only(b"a", b"t")
    moved = Client(move(world, guest.session))
    dom0.write(b"/local/domain/5/a/b")
    assert moved.take_events() == [(b"a/b", b"t")]
    with pytest.raises(errors.EEXIST):
        moved.watch(b"/local/domain/5/a", b"t")


def test_a_watch_outlives_a_quota_lowered_since(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.watch_only(b"a/b/c")
    world.store.set_quota("path-max", 2, 5)
    moved = Client(move(world, guest.session))
    dom0.write(b"/local/domain/5/a/b/c")
    assert moved.take_events() == [(b"a/b/c", b"t")]
