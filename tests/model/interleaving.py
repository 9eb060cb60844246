"""Two transactions of three operations in every interleaving, and what must come of each.

A *program* is what one transaction does; an *interleaving* says whose turn it is, step by step, where the
last step of each is its end.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations
from typing import NamedTuple

from tests.model.history import exists
from tests.model.requests import Bounds, Execution, Request
from tests.model.tree import Actor, Tree
from tests.unit.store.client import Client, World
from xenstore.wire import MessageType, pack

Program = tuple[Request, ...]
Answers = tuple[bytes, ...]

READ_X = Request(MessageType.READ, b"/p/x", b"")
READ_Y = Request(MessageType.READ, b"/p/y", b"")
WRITE_X = Request(MessageType.WRITE, b"/p/x", b"1")
WRITE_X_OTHER = Request(MessageType.WRITE, b"/p/x", b"2")
WRITE_X_SAME = Request(MessageType.WRITE, b"/p/x", b"0")
WRITE_Y = Request(MessageType.WRITE, b"/p/y", b"1")
WRITE_NEW = Request(MessageType.WRITE, b"/p/new", b"1")
MKDIR_X = Request(MessageType.MKDIR, b"/p/x", b"")
MKDIR_Z = Request(MessageType.MKDIR, b"/p/z", b"")
RM_X = Request(MessageType.RM, b"/p/x", b"")
RM_P = Request(MessageType.RM, b"/p", b"")
LIST_P = Request(MessageType.DIRECTORY, b"/p", b"")
PERMS_X = Request(MessageType.SET_PERMS, b"/p/x", b"r0\0n0\0")
GET_PERMS_X = Request(MessageType.GET_PERMS, b"/p/x", b"")
EVERYTHING = (
    *(READ_X, READ_Y, WRITE_X, WRITE_X_OTHER, WRITE_X_SAME, WRITE_Y, WRITE_NEW, MKDIR_X, MKDIR_Z),
    *(RM_X, RM_P, LIST_P, PERMS_X, GET_PERMS_X),
)

#: What the store holds before each trial, and what is looked at after it.
SETTING = [
    Request(MessageType.WRITE, b"/p", b""),
    Request(MessageType.RM, b"/p", b""),
    Request(MessageType.WRITE, b"/p/x", b"0"),
    Request(MessageType.WRITE, b"/p/y", b"0"),
]
LOOKS = (LIST_P, READ_X, READ_Y, GET_PERMS_X, Request(MessageType.READ, b"/p/new", b""))


class Result(NamedTuple):
    """Replies of both transactions, how each ended, and what the store shows afterwards."""

    answers: tuple[Answers, Answers]
    ends: tuple[bytes, bytes]
    after: Answers


def interleavings() -> Iterator[tuple[int, ...]]:
    """Every order of two transactions' four steps: tuples of 0 and 1."""
    for places in combinations(range(8), 4):
        yield tuple(int(place not in places) for place in range(8))


# --- what must come ---------------------------------------------------------------------------------


@cache
def alone(*programs: Program) -> tuple[tuple[Answers, ...], tuple[bool, ...], Answers]:
    """Answers of programs executed one after the other, whether each changed anything, and what is left."""
    tree = Tree.fresh()
    execution = Execution(tree, Actor(0, True), Bounds(), exists)
    for request in SETTING:
        execution.perform(request)
    answers, changes = [], []
    for program in programs:
        outcomes = [execution.perform(request) for request in program]
        answers.append(tuple(outcome.reply or outcome.refused.encode() for outcome in outcomes))
        changes.append(any(outcome.changed for outcome in outcomes))
    looks = [execution.perform(request) for request in LOOKS]
    return tuple(answers), tuple(changes), tuple(look.reply or look.refused.encode() for look in looks)


def expected(programs: tuple[Program, Program], order: tuple[int, ...]) -> Result:
    """The one result that strict serialisability, and no needless EAGAIN, allow."""
    last = order[-1]
    first = 1 - last
    answers: dict[int, Answers] = {}
    ends = {first: b"OK\0", last: b"OK\0"}
    serial = alone(programs[first], programs[last])
    answers[first] = serial[0][0]
    first_end = [place for place, turn in enumerate(order) if turn == first][-1]
    if order.index(last) > first_end:
        answers[last], after = serial[0][1], serial[2]
    else:
        (answers[last],), (changed,), _ = alone(programs[last])
        if not changed:
            after = alone(programs[last], programs[first])[2]
        elif serial[0][1] == answers[last]:
            after = serial[2]
        else:
            ends[last], after = b"EAGAIN\0", alone(programs[first])[2]
    return Result((answers[0], answers[1]), (ends[0], ends[1]), after)


# --- what comes -------------------------------------------------------------------------------------


class Trials:
    """One store on which trial after trial is run.

    Both sessions keep a further transaction open throughout: such a session is never made to wait for
    admission, however many conflicts there were.
    """

    def __init__(self) -> None:
        self.world = World()
        self.clients = self.world.connect(), self.world.connect()
        self.transactions = [client.start() for client in self.clients]
        self.setting = b"".join(encode(request) for request in SETTING)
        self.looks = b"".join(encode(request) for request in LOOKS)

    def run(self, programs: tuple[Program, Program], order: tuple[int, ...]) -> Result:
        self.world.dom0.session.feed(self.setting)
        self.world.dom0.session.take()
        steps = [self.steps(turn, program) for turn, program in enumerate(programs)]
        for turn in order:
            self.clients[turn].session.feed(next(steps[turn]))
        self.world.dom0.session.feed(self.looks)
        first, second = (texts(client) for client in self.clients)
        return Result(
            (tuple(first[1:4]), tuple(second[1:4])), (first[4], second[4]), tuple(texts(self.world.dom0))
        )

    def steps(self, turn: int, program: Program) -> Iterator[bytes]:
        """The transaction's requests, the first with its start before it."""
        self.transactions[turn] += 1
        tx_id = self.transactions[turn]
        start = pack(MessageType.TRANSACTION_START, b"\0")
        for request in program:
            yield start + encode(request, tx_id)
            start = b""
        yield pack(MessageType.TRANSACTION_END, b"T\0", tx_id=tx_id)


@cache
def payload(request: Request) -> bytes:
    return request.path + b"\0" + request.rest


def encode(request: Request, tx_id: int = 0) -> bytes:
    return pack(request.type, payload(request), tx_id=tx_id)


def texts(client: Client) -> list[bytes]:
    """Payloads of the messages that wait; of errors only the name."""
    return [
        message.payload.rstrip(b"\0")
        if message.type == MessageType.ERROR and b"EAGAIN" not in message.payload
        else message.payload
        for message in client.take()
    ]


def programs_of(requests: Iterable[Request]) -> list[Program]:
    """All programs of three of these operations."""
    pool = list(requests)
    return [(a, b, c) for a in pool for b in pool for c in pool]
