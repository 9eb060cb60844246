"""Garbage into sessions: nothing raises, the accounts stay right, and nobody else notices."""

import random
from itertools import islice

import pytest

from tests.chance import seeds
from tests.fuzz.garbage import in_pieces, inputs, valid_request
from tests.peers.wire import Message
from tests.unit.store.client import Client, World
from xenstore.wire import MessageType, pack

pytestmark = pytest.mark.slow

#: Inputs between two looks at the accounts, which cost all nodes.
INPUTS_A_LOOK = 250


class Observed:
    """A store with clients that have work to do: dom0, and a guest, beside one that talks nonsense."""

    def __init__(self) -> None:
        self.world = World()
        self.dom0 = self.world.dom0
        self.noisy = self.world.guest(1)
        self.guest = self.world.guest(2)
        self.dom0.mkdir(b"/fuzz")
        self.dom0.set_perms(b"/fuzz", b"n0", b"b1")
        self.dom0.mkdir(b"/work")
        self.dom0.set_perms(b"/work", b"b0")
        for client in (self.dom0, self.guest):
            client.watch_only(b"/work")

    def work(self, requests: list[tuple[int, bytes, int]]) -> list[list[Message]]:
        """All that the two clients are told when they send these requests, (type, payload, transaction)."""
        said = []
        for request, (type, payload, tx_id) in enumerate(requests):
            client = self.dom0 if request % 2 else self.guest
            client.send(type, payload, req_id=request, tx=tx_id)
            said += [self.dom0.take(), self.guest.take()]
        return said


def some_work(chance: random.Random, step: int) -> list[tuple[int, bytes, int]]:
    """Requests that say the same in every store: both clients' transactions have the same ids."""
    key = b"/work/%d\0" % chance.randrange(5)
    tx_id = step + 1
    return [
        *[(MessageType.WRITE, key + b"%d" % step, 0), (MessageType.READ, key, 0)],
        *[(MessageType.TRANSACTION_START, b"\0", 0)] * 2,
        *[(MessageType.DIRECTORY, b"/work\0", tx_id), (MessageType.WRITE, b"/work/tx\0%d" % step, tx_id)],
        *[(MessageType.TRANSACTION_END, b"T\0", tx_id)] * 2,
        *[(MessageType.RM, key, 0), (MessageType.GET_PERMS, b"/work\0", 0)],
    ]


def annoy(observed: Observed, chance: random.Random, count: int) -> None:
    """Feed the noisy guest so many inputs, introducing it again whenever it was cut off."""
    for data in islice(inputs(chance), count):
        for piece in in_pieces(chance, data):
            observed.noisy.session.feed(piece)
        observed.noisy.session.take()
        if observed.noisy.session.closed or chance.random() < 0.02:
            admin = observed.world.connect()
            admin.ask(MessageType.INTRODUCE, b"1", b"1", b"9")
            admin.session.close()
            session = observed.world.store.session_of(1)
            assert session is not None
            observed.noisy = Client(session)


def is_not_noticed(seed: int, steps: int) -> None:
    chance, work_chance = random.Random(seed), random.Random(seed)
    disturbed, undisturbed = Observed(), Observed()
    for step in range(steps):
        annoy(disturbed, chance, count=INPUTS_A_LOOK)
        requests = some_work(work_chance, step)
        assert disturbed.work(requests) == undisturbed.work(requests)
        assert disturbed.world.store.check() == []
        for observed in (disturbed, undisturbed):
            observed.world.wait(1.0)


@pytest.mark.parametrize("seed", seeds(4, of=16))
def test_a_guest_talking_nonsense_is_not_noticed_by_others(seed: int) -> None:
    is_not_noticed(seed, steps=40)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_a_guest_talking_nonsense_for_long_is_not_noticed_by_others(seed: int) -> None:
    is_not_noticed(seed, steps=2000)


@pytest.mark.parametrize("seed", range(100, 104))
def test_a_privileged_client_talking_nonsense_breaks_nothing(seed: int) -> None:
    """It may do what it likes to the store's content, so only the store's own order is looked at."""
    chance = random.Random(seed)
    world = World()
    for domid in (1, 2):
        world.guest(domid)
    noisy = [world.connect() for _ in range(4)]
    for step, data in enumerate(islice(inputs(chance), 20_000)):
        at = chance.randrange(len(noisy))
        for piece in in_pieces(chance, data):
            noisy[at].session.feed(piece)
        noisy[at].session.take()
        if noisy[at].session.closed or chance.random() < 0.02:
            noisy[at].session.close()
            noisy[at] = world.connect()
        if step % INPUTS_A_LOOK == 0:
            world.wait(0.3)
            assert world.store.check() == []
    for client in noisy:
        client.session.close()
    for domid in (1, 2):
        world.die(domid)
    assert world.store.check() == []
    assert world.store.open_transactions == 0
    assert world.store.watches.count == 0


def conversation() -> bytes:
    """Valid traffic of one client, a request of every sort among it."""
    chance = random.Random(7)
    requests = [valid_request(chance) for _ in range(60)]
    requests.insert(30, pack(MessageType.WRITE, b"/fuzz/late\0value"))
    return b"".join(requests)


def answer_to(pieces: list[bytes]) -> bytes:
    session = World().connect().session
    for piece in pieces:
        session.feed(piece)
    return session.take()


@pytest.mark.slow
def test_where_the_stream_is_split_makes_no_difference() -> None:
    data = conversation()
    whole = answer_to([data])
    assert len(whole) > 1000
    for at in range(len(data) + 1):
        assert answer_to([data[:at], data[at:]]) == whole, at


def test_a_stream_may_come_byte_by_byte() -> None:
    data = conversation()
    assert answer_to([data[at : at + 1] for at in range(len(data))]) == answer_to([data])
