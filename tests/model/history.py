"""Histories of concurrent transactions: recorded from a store, and checked for strict serialisability.

The commit order is known: it is the order of the replies to TRANSACTION_END.  So nothing has to be searched:
`check` executes the history one transaction after the other on the model's tree.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.model.requests import OK, Bounds, Execution, Outcome, Request
from tests.model.tree import Actor, Tree
from tests.peers.wire import Message
from tests.unit.store.client import Client, World
from xenstore.wire import MessageType

KEYS = [b"/k/%c" % letter for letter in b"abcd"]
PATHS = [*KEYS, b"/k/a/x", b"/k/a/y", b"/k", b"/k"]
GUESTS = [1, 2, 3]
UNLIMITED = {"nodes": 0, "transactions": 0, "transaction-nodes": 0, "outstanding": 0, "memory": 0}


class Step(NamedTuple):
    """One request and its reply, in the order in which the store answered.

    `client` counts the sessions, `tx_id` is 0 outside of transactions; `refused` is an errno's name or empty.
    """

    client: int
    tx_id: int
    type: int
    payload: bytes
    reply: bytes
    refused: str


class Inconsistent(Exception):
    """A history no serial execution explains."""


# --- recording --------------------------------------------------------------------------------------


@dataclass
class Speaker:
    """A client that runs one transaction after the other; `asked` is the request it waits for."""

    number: int
    client: Client
    tx_id: int = 0
    operations_left: int = 0
    asked: tuple[int, bytes, int] | None = None


class Recording:
    """Sessions of the socket and of guests, interleaved request by request as `chance` will have it."""

    def __init__(self, seed: int, sockets: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(UNLIMITED)
        self.steps: list[Step] = []
        self.world.dom0.write(b"/k")
        self.world.dom0.set_perms(b"/k", b"b0")
        clients = [self.world.connect() for _ in range(sockets)] + [
            self.world.guest(domid) for domid in GUESTS
        ]
        self.actors = [Actor(client.session.domid, client.session.privileged) for client in clients]
        self.speakers = [Speaker(number, client) for number, client in enumerate(clients)]
        self.first_tree = first_tree()
        self.transactions = 0

    def run(self, transactions: int) -> "Recording":
        """Record until so many transactions have ended."""
        while self.transactions < transactions:
            idle = [speaker for speaker in self.speakers if speaker.asked is None]
            if idle:
                self.speak(self.chance.choice(idle))
            self.world.wait(self.chance.choice([0.0, 0.001, 0.003]))
            for speaker in self.chance.sample(self.speakers, len(self.speakers)):
                self.hear(speaker)
        return self

    def speak(self, speaker: Speaker) -> None:
        type, payload, tx_id = self.next_request(speaker)
        speaker.asked = type, payload, tx_id
        speaker.client.send(type, payload, tx=tx_id)
        self.hear(speaker)

    def next_request(self, speaker: Speaker) -> tuple[int, bytes, int]:
        if speaker.tx_id == 0 and self.chance.random() < 0.8:
            speaker.operations_left = self.chance.randint(1, 5)
            return MessageType.TRANSACTION_START, b"\0", 0
        if speaker.tx_id and speaker.operations_left == 0:
            verdict = b"T\0" if self.chance.random() < 0.9 else b"F\0"
            return MessageType.TRANSACTION_END, verdict, speaker.tx_id
        speaker.operations_left -= 1
        return *self.operation(), speaker.tx_id

    def operation(self) -> tuple[int, bytes]:
        type = self.chance.choice(OPERATIONS)
        path = self.chance.choice(PATHS)
        if type == MessageType.WRITE:
            return type, path + b"\0" + b"%d" % self.chance.randrange(1000)
        if type == MessageType.SET_PERMS:
            return type, path + b"\0" + self.chance.choice([b"b0\0", b"r0\0", b"b1\0", b"b0\0n1\0r2\0"])
        if type == MessageType.RM:
            path = self.chance.choice(PATHS[:-2])
        return type, path + b"\0"

    def hear(self, speaker: Speaker) -> None:
        for message in speaker.client.take():
            assert speaker.asked is not None, f"an answer to nothing: {message}"
            self.record(speaker, *speaker.asked, message)

    def record(self, speaker: Speaker, type: int, payload: bytes, tx_id: int, message: Message) -> None:
        speaker.asked = None
        refused = message.payload[:-1].decode() if message.type == MessageType.ERROR else ""
        reply = b"" if refused else message.payload
        if type == MessageType.TRANSACTION_START:
            speaker.tx_id = tx_id = int(reply[:-1])
        if type == MessageType.TRANSACTION_END:
            speaker.tx_id = 0
            self.transactions += 1
        self.steps.append(Step(speaker.number, tx_id, type, payload, reply, refused))


OPERATIONS = [
    *[MessageType.READ, MessageType.WRITE] * 4,
    *[MessageType.DIRECTORY, MessageType.MKDIR, MessageType.RM] * 2,
    *[MessageType.SET_PERMS, MessageType.GET_PERMS],
]


def exists(domid: int) -> bool:
    return domid == 0 or domid in GUESTS


def first_tree() -> Tree:
    """What the store of a recording holds before it begins, as far as its operations go."""
    tree = Tree.fresh()
    dom0 = Execution(tree, Actor(0, True), Bounds(), exists)
    dom0.perform(Request(MessageType.WRITE, b"/k", b""))
    dom0.perform(Request(MessageType.SET_PERMS, b"/k", b"b0\0"))
    return tree


# --- checking ---------------------------------------------------------------------------------------


@dataclass
class Open:
    """A transaction that has not ended: the snapshot its operations must see, and those operations."""

    snapshot: Tree | None = None
    steps: list[Step] = field(default_factory=list)
    changed: bool = False


def check(steps: Sequence[Step], actors: Sequence[Actor], tree: Tree) -> None:
    """Execute a history serially: what is outside of transactions at once, a committed one at its end.

    Every operation in a transaction, committed or not, must besides have been answered out of the state of
    the store at the transaction's first operation and its own changes.

    Raises:
        Inconsistent: a reply is not what the serial execution gives.
    """
    tree = tree.copy()
    open_ones: dict[tuple[int, int], Open] = {}
    for step in steps:
        actor = actors[step.client]
        key = step.client, step.tx_id
        if step.tx_id == 0:
            execute(step, tree, actor, "at once")
        elif step.type == MessageType.TRANSACTION_START:
            open_ones[key] = Open()
        elif step.type != MessageType.TRANSACTION_END:
            inside(step, open_ones[key], tree, actor)
        else:
            end(step, open_ones.pop(key), tree, actor)


def inside(step: Step, transaction: Open, tree: Tree, actor: Actor) -> None:
    if transaction.snapshot is None:
        transaction.snapshot = tree.copy()
    outcome = execute(step, transaction.snapshot, actor, "in the transaction's snapshot")
    transaction.changed |= outcome.changed
    transaction.steps.append(step)


def end(step: Step, transaction: Open, tree: Tree, actor: Actor) -> None:
    if step.refused not in ("", "EAGAIN"):
        raise Inconsistent(f"a transaction ended with {step}")
    if step.payload == b"T\0" and not step.refused and transaction.changed:
        for operation in transaction.steps:
            execute(operation, tree, actor, "at the transaction's commit")


def execute(step: Step, tree: Tree, actor: Actor, when: str) -> Outcome:
    path, _, rest = step.payload.partition(b"\0")
    outcome = Execution(tree, actor, Bounds(), exists).perform(Request(step.type, path, rest))
    if outcome.answer != (step.reply, step.refused):
        raise Inconsistent(f"{step}: executed serially {when} it gives {outcome.answer}")
    return outcome


# --- planting ---------------------------------------------------------------------------------------


def stale_reads(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Histories with one READ answered by the value that the same path's READ gave the time before."""
    return replies_before(steps, lambda step: step.type == MessageType.READ)


def stale_listings(steps: Sequence[Step]) -> Iterator[list[Step]]:
    return replies_before(steps, lambda step: step.type == MessageType.DIRECTORY)


def replies_before(steps: Sequence[Step], wanted: Callable[[Step], bool]) -> Iterator[list[Step]]:
    last: dict[bytes, Step] = {}
    for at, step in enumerate(steps):
        if not wanted(step):
            continue
        old = last.get(step.payload)
        if old is not None and (old.reply, old.refused) != (step.reply, step.refused):
            yield [*steps[:at], step._replace(reply=old.reply, refused=old.refused), *steps[at + 1 :]]
        last[step.payload] = step


def conflicts_committed(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Histories in which one transaction that failed with EAGAIN pretends to have committed."""
    for at, step in enumerate(steps):
        if step.refused == "EAGAIN":
            yield [*steps[:at], step._replace(reply=OK, refused=""), *steps[at + 1 :]]


def lost_writes(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Histories in which the last WRITE before a READ that shows its value wrote something else."""
    for at, step in enumerate(steps):
        if step.type != MessageType.READ or step.refused or not step.reply:
            continue
        wrote = step.payload + step.reply
        for back in range(at - 1, max(at - 200, -1), -1):
            if steps[back].type == MessageType.WRITE and steps[back].payload == wrote:
                stale = steps[back]._replace(payload=step.payload + b"stale")
                yield [*steps[:back], stale, *steps[back + 1 :]]
                break
