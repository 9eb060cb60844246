"""The same history on two hosts, on one of which the store is started again and again: nobody can tell them
apart by trees, replies or events.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chance import seeds
from tests.crash.requests import path, request
from tests.peers.wire import Message
from tests.unit.journal.domains import LastingWorld
from tests.unit.journal.place import small_segments
from tests.unit.server.host import RING_SIZE, RSP_CONS, RSP_PROD
from tests.unit.store.client import Client
from tests.unit.store.random_store import nodes_of
from xenstore.wire import MessageType, pack

DOMIDS = (0, 1, 2, 3)
STEPS = 120
#: The identities of domains that replace others come after this.
FIRST_NUMBER = 2000
#: How the store of one of them goes on in another process.
Restart = Callable[[LastingWorld], None]
RESTARTS: dict[str, Restart] = {"kill": LastingWorld.restart, "live update": LastingWorld.live_update}


class Twin:
    """One of the two.

    Attributes:
        heard: the messages of each domain so far.
        longer: how many bytes more than the other one's its output was, by what is known.
    """

    def __init__(self, rundir: Path) -> None:
        self.world = LastingWorld(rundir, *DOMIDS[1:])
        self.world.dom0.set_perms(b"/tool", b"b0")
        self.world.dom0.set_perms(b"@releaseDomain", b"r0")
        self.heard: dict[int, list[Message]] = {domid: [] for domid in DOMIDS}
        self.longer = dict.fromkeys(DOMIDS, 0)

    def put(self, domid: int, data: bytes) -> int:
        return self.world.host.guests[domid].put(data)

    def take(self, domid: int, limit: int) -> int:
        guest = self.world.host.guests[domid]
        size = guest.take(limit)
        self.heard[domid] += guest.messages()
        return size

    def exchange(self, domid: int, data: bytes) -> list[Message]:
        """Everything there is to be heard."""
        messages = self.world.exchange(domid, data)
        self.heard[domid] += messages
        return messages

    def look_at_all(self) -> None:
        """What a store does that starts: serve each domain, notified or not."""
        for domid in sorted(self.world.store.introduced):
            if domid in self.world.host.guests:
                self.world.host.fire(domid)
        self.world.settle()

    def state(self) -> object:
        store = self.world.store
        store.seal_now()
        sessions = {domid: dict(session.export()) for domid, session in store.introduced.items()}
        for domid, session in sessions.items():
            session["sent_bytes"] -= self.longer[domid]
        return (
            nodes_of(store),
            {domid: store.usage(domid) | {"memory": 0} for domid in DOMIDS},
            sessions,
            [
                (guest.word(RSP_PROD) - self.longer[domid], guest.word(RSP_CONS) - self.longer[domid])
                for domid, guest in self.world.host.guests.items()
            ],
            self.heard,
            {domid: bytes(guest.received) for domid, guest in self.world.host.guests.items()},
        )


class History:
    """What happens, to both.

    Attributes:
        moved: the one whose store is started again; still: the other.
    """

    def __init__(self, directory: Path, seed: int, restart: Restart) -> None:
        self.chance = random.Random(seed)
        self.twins = self.moved, self.still = Twin(directory / "moved"), Twin(directory / "still")
        self._restart = restart
        self._unput = dict.fromkeys(DOMIDS, b"")
        self._open: dict[int, int] = {}  # transactions by domid
        self._lost: set[int] = set()  # domids of those that were open at a restart
        self._number = FIRST_NUMBER

    def step(self) -> None:
        steps = [self._give] * 12 + [self._take] * 8 + [self._toolstack] * 3
        steps += [self._start_or_end] * 3 + [self._go_on] * 2 + [self._replace]
        self.chance.choice(steps)()

    def compare(self) -> None:
        moved, still = self.moved.state(), self.still.state()
        assert moved == still
        assert self.moved.world.store.check() == []
        for domid in DOMIDS:
            memory = [twin.world.store.usage(domid)["memory"] for twin in self.twins]
            if self._number == FIRST_NUMBER:
                assert memory[0] == memory[1]
            else:  # an image leaves out what permissions said of domains that are gone
                assert memory[0] <= memory[1]

    def end(self) -> None:
        for domid in list(self._open):
            self._end(domid)
        for domid in DOMIDS:
            for twin in self.twins:
                twin.exchange(domid, self._unput[domid])
        self.compare()
        for twin in self.twins:
            twin.world.end()

    def _domid(self) -> int:
        return self.chance.choice(DOMIDS)

    def _give(self) -> None:
        """A piece of requests, of which the store is told or not."""
        domid = self._domid()
        tx = self._open.get(domid, 0)
        if len(self._unput[domid]) < RING_SIZE:
            data = request(self.chance)
            if tx and domid not in self._lost and self.chance.random() < 0.6:
                value = b"%d" % self.chance.randrange(99)
                data = pack(MessageType.WRITE, path(self.chance) + b"\0" + value, tx_id=tx)
            self._unput[domid] += data
        limit = self.chance.choice([5, 20, RING_SIZE, RING_SIZE])
        sizes = [twin.put(domid, self._unput[domid][:limit]) for twin in self.twins]
        assert sizes[0] == sizes[1]
        self._unput[domid] = self._unput[domid][sizes[0] :]
        if self.chance.random() < 0.8:
            for twin in self.twins:
                twin.world.notify(domid)

    def _take(self) -> None:
        domid = self._domid()
        limit = self.chance.choice([1, 17, 100, RING_SIZE, RING_SIZE])
        sizes = [twin.take(domid, limit) for twin in self.twins]
        assert sizes[0] == sizes[1]
        for twin in self.twins:
            twin.world.notify(domid)

    def _toolstack(self) -> None:
        """A client of the socket, which does not live long."""
        data = request(self.chance)
        outputs = []
        for twin in self.twins:
            client = Client(twin.world.store.connect())
            client.session.feed(data)
            outputs.append(client.session.take())
            client.session.close()
            twin.world.settle()
        assert outputs[0] == outputs[1]

    def _drain(self, domid: int) -> None:
        data, self._unput[domid] = self._unput[domid], b""
        for twin in self.twins:
            twin.exchange(domid, data)

    def _start_or_end(self) -> None:
        domid = self._domid()
        if domid in self._open:
            self._end(domid)
            return
        self._drain(domid)
        for twin in self.twins:
            messages = twin.exchange(domid, pack(MessageType.TRANSACTION_START, b"\0"))
            self._open[domid] = int(messages[-1].payload[:-1])

    def _end(self, domid: int) -> None:
        """One that was open at a restart ends with EAGAIN, where the other store is told to forget it."""
        tx = self._open.pop(domid)
        self._drain(domid)
        if domid not in self._lost:
            how = self.chance.choice([b"T\0", b"T\0", b"F\0"])
            for twin in self.twins:
                twin.exchange(domid, pack(MessageType.TRANSACTION_END, how, tx_id=tx))
            return
        self._lost.remove(domid)
        for twin, how, answer in ((self.moved, b"T\0", b"EAGAIN\0"), (self.still, b"F\0", b"OK\0")):
            twin.exchange(domid, pack(MessageType.TRANSACTION_END, how, tx_id=tx))
            assert twin.heard[domid].pop().payload == answer
        self.moved.longer[domid] += len(b"EAGAIN\0") - len(b"OK\0")

    def _go_on(self) -> None:
        """The restart; what a transaction says inside after one is its own affair, so it is quiet then."""
        for domid in self._open:
            self._drain(domid)
        self._restart(self.moved.world)
        self.moved.world.settle()
        self.still.look_at_all()
        self._lost |= set(self._open)
        self._compare_but_transactions()

    def _compare_but_transactions(self) -> None:
        if not self._open:
            self.compare()
            return
        assert nodes_of(self.moved.world.store) == nodes_of(self.still.world.store)
        assert self.moved.heard == self.still.heard

    def _replace(self) -> None:
        """A domain dies, also while there is no store; another one gets its number."""
        domid = self.chance.choice(DOMIDS[1:])
        if self._open:
            return
        self._number += 1
        if self.chance.random() < 0.5:
            self.moved.world.kill()
            for twin in self.twins:
                del twin.world.host.guests[domid]
            self.moved.world.begin()
            self.moved.world.settle()
            self.still.look_at_all()
            self.still.world.host.fire(-1)
        else:
            for twin in self.twins:
                twin.world.die(domid)
        for twin in self.twins:
            twin.world.settle()
            twin.world.host.appear(domid, self._number)
            twin.world.give_home(domid)
            twin.world.introduce(domid)
            twin.world.settle()
        self._unput[domid] = b""
        self.moved.longer[domid] = 0
        self.compare()


def play(directory: Path, seed: int, restart: Restart) -> None:
    history = History(directory, seed, restart)
    for _ in range(STEPS):
        history.step()
    history.end()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_segments(monkeypatch)


@pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS)
@pytest.mark.parametrize("seed", seeds(40, of=100))
def test_histories(tmp_path: Path, seed: int, restart: Restart) -> None:
    play(tmp_path, seed, restart)


@pytest.mark.long
@pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS)
@pytest.mark.parametrize("hundred", range(1, 20))
def test_more_histories(tmp_path: Path, hundred: int, restart: Restart) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        play(tmp_path / str(seed), seed, restart)


def forgetful(world: LastingWorld) -> None:
    """A restart that loses the watches of one domain."""
    world.restart()
    world.store.recall(7, 1, 0, b"", b"")  # what RESET_WATCHES leaves in a journal


def repetitive(world: LastingWorld) -> None:
    """A restart after which one domain's watches are told of once more."""
    world.restart()
    world.dom0.write(b"/local/domain/1/a", b"")
    world.dom0.rm(b"/local/domain/1/a")


@pytest.mark.parametrize("restart", [forgetful, repetitive])
def test_a_restart_that_shows_is_seen(tmp_path: Path, restart: Restart) -> None:
    def play_some() -> None:
        for seed in range(5):
            play(tmp_path / str(seed), seed, restart)

    with pytest.raises(AssertionError):
        play_some()
