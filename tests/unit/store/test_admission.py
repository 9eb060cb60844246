"""Contended transactions wait for admission at their first operation, in order, and not for long."""

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.wire import MessageType, pack

#: A transaction's place is its own for five milliseconds, and nobody waits longer than a quarter of a second.
SLOT_SECONDS = 0.005
WAIT_SECONDS = 0.25


class Contender:
    """A client that would change /counter in a transaction; `turn` is what it has been told so far."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tx = 0

    def ask(self) -> bool:
        """Start, and send the first operation; returns whether it is admitted."""
        self.tx = self.client.start()
        self.client.send(MessageType.READ, b"/counter\0", tx=self.tx)
        return self.is_answered()

    def is_answered(self) -> bool:
        return any(message.type == MessageType.READ for message in self.client.take())

    def finish(self) -> bool:
        """Write and commit; returns whether that succeeded."""
        try:
            self.client.write(b"/counter", b"x", self.tx)
            self.client.end(self.tx)
        except errors.EAGAIN:
            return False
        return True


def contenders(world: World, count: int) -> list[Contender]:
    return [Contender(world.connect()) for _ in range(count)]


def provoke(world: World, rounds: int = 40) -> None:
    """Conflict after conflict, until only one transaction is let in at a time."""
    pair = contenders(world, 2)
    for contender in pair:
        # With a second transaction on the same connection it is never made to wait.
        contender.client.start()
    for _ in range(rounds):
        for contender in pair:
            assert contender.ask()
        first, second = pair
        assert first.finish()
        second.client.write(b"/counter", b"y", second.tx)
        with pytest.raises(errors.EAGAIN):
            second.client.end(second.tx)
        world.dom0.write(b"/counter", b"0")
    for contender in pair:
        contender.client.session.close()
    world.wait(1.0)


@pytest.fixture(autouse=True)
def counter(dom0: Client) -> None:
    dom0.write(b"/counter", b"0")


def test_nobody_waits_before_there_were_conflicts(world: World) -> None:
    assert all(contender.ask() for contender in contenders(world, 200))


def test_after_conflicts_one_is_let_in_at_a_time_and_in_order(world: World) -> None:
    provoke(world)
    everybody = contenders(world, 10)
    assert [contender.ask() for contender in everybody] == [True] + [False] * 9
    for at, contender in enumerate(everybody):
        assert contender.finish()
        waiting = everybody[at + 1 :]
        assert [other.is_answered() for other in waiting] == [True] * bool(waiting) + [False] * (
            len(waiting) - 1
        )


def test_who_dawdles_holds_the_others_for_five_milliseconds(world: World) -> None:
    provoke(world)
    dawdler, other = contenders(world, 2)
    assert dawdler.ask()
    assert not other.ask()
    world.wait(SLOT_SECONDS / 2)
    assert not other.is_answered()
    assert 0 < world.store.seconds_to_next() <= SLOT_SECONDS
    world.wait(SLOT_SECONDS)
    assert other.is_answered()
    assert other.finish()
    assert not dawdler.finish()


def test_nobody_waits_longer_than_a_quarter_of_a_second(world: World) -> None:
    """Even if all before it dawdle."""
    provoke(world)
    everybody = contenders(world, 500)
    for contender in everybody:
        contender.ask()
    world.wait(WAIT_SECONDS)
    assert all(contender.is_answered() for contender in everybody[1:])


def test_who_goes_away_leaves_its_place(world: World) -> None:
    provoke(world)
    holder, gone, last = contenders(world, 3)
    assert holder.ask()
    assert not gone.ask()
    assert not last.ask()
    gone.client.session.close()
    assert not last.is_answered()
    holder.client.session.close()
    assert last.is_answered()


def test_a_transaction_given_up_leaves_its_place(world: World) -> None:
    provoke(world)
    holder, other = contenders(world, 2)
    assert holder.ask()
    assert not other.ask()
    holder.client.end(holder.tx, commit=False)
    assert other.is_answered()


def test_the_snapshot_is_taken_on_admission(world: World, dom0: Client) -> None:
    provoke(world)
    holder, other = contenders(world, 2)
    assert holder.ask()
    assert not other.ask()
    dom0.write(b"/counter", b"later")
    holder.client.end(holder.tx, commit=False)
    (reply,) = other.client.take()
    assert reply.payload == b"later"
    assert other.finish()


def test_guests_never_wait(world: World) -> None:
    provoke(world)
    holder = Contender(world.connect())
    assert holder.ask()
    guest = world.guest(5)
    tx = guest.start()
    assert guest.read(b"/local/domain/5", tx) == b""


def test_a_client_with_another_transaction_never_waits(world: World) -> None:
    """dom0's kernel runs the transactions of many over one connection, in order."""
    provoke(world)
    holder, other = contenders(world, 2)
    assert holder.ask()
    other.client.start()
    assert other.ask()


def test_a_client_with_further_requests_never_waits(world: World) -> None:
    provoke(world)
    holder, other = contenders(world, 2)
    assert holder.ask()
    tx = other.client.start()
    requests = [pack(MessageType.READ, b"/counter\0", tx_id=tx_id) for tx_id in (tx, 0)]
    other.client.session.feed(b"".join(requests))
    assert [message.payload for message in other.client.take()] == [b"0", b"0"]


def test_requests_outside_of_transactions_never_wait(world: World) -> None:
    provoke(world)
    holder, other = contenders(world, 2)
    assert holder.ask()
    assert other.client.read(b"/counter") == b"0"
    other.client.write(b"/counter", b"1")


def test_after_successes_nobody_waits_any_more(world: World) -> None:
    provoke(world)
    one = Contender(world.connect())
    for _ in range(300):
        assert one.ask()
        assert one.finish()
    assert all(contender.ask() for contender in contenders(world, 200))


def test_who_waits_can_be_moved(world: World) -> None:
    """The request that waits is part of the session's state."""
    provoke(world)
    holder, other = contenders(world, 2)
    assert holder.ask()
    assert not other.ask()
    state = other.client.session.export()
    assert state["input"]
    other.client.session.close()
    session = world.store.restore(state)
    holder.finish()
    world.wait(1.0)
    session.feed(b"")
    assert [message.type for message in Client(session).take()] == [MessageType.READ]
