"""Play a scenario, compare every byte, and say precisely where it goes wrong."""

import re
from collections.abc import Iterable

from tests.conformance.show import show, show_sent
from tests.conformance.table import Events, Outcome, Row, Scenario, domid_of
from tests.conformance.words import CLOSED, OK, SILENCE, Action, Error, Like, Raw, Reply, Request
from tests.conformance.world import Line, World
from tests.peers.wire import Message
from xenstore.wire import MessageType as Type
from xenstore.wire import pack

#: Types whose own events follow the reply.  WATCH everywhere; the others on oxenstored.
EVENTS_FOLLOW = {
    "ours": {Type.WATCH},
    "c": {Type.WATCH},
    "o": {Type.WATCH, Type.WRITE, Type.MKDIR, Type.RM, Type.SET_PERMS},
}


class Mismatch(AssertionError):
    """A row did not go as its table says; the text tells all."""


class Play:
    """One scenario on one world.

    Attributes:
        rows_passed: how many rows went as expected so far.
    """

    def __init__(self, scenario: Scenario, world: World, peer: str) -> None:
        """`peer` says whose outcomes apply: "ours", "c" or "o"."""
        self.rows_passed = 0
        self._scenario = scenario
        self._world = world
        self._peer = peer
        self._lines: dict[str, Line] = {}
        self._partial: set[str] = set()  # connections in the middle of a message
        self._variables: dict[str, bytes] = {}

    def run(self) -> None:
        """Play all rows.

        Raises:
            Mismatch: at the first row that goes wrong.
        """
        for domid in sorted({*self._scenario.domains, *self._scenario.alive}):
            self._world.create(domid)
            if domid not in self._scenario.alive:
                self._world.introduce(domid)
        for node in self._scenario.given:
            self._world.place(node)
        for row in self._scenario.rows:
            try:
                self._play_row(row)
            except TimeoutError as error:
                raise Mismatch(f"{self._heading(row)}\n  no answer") from error
            self.rows_passed += 1

    def _play_row(self, row: Row) -> None:
        outcome = row.outcome_on(self._peer)
        if isinstance(row.what, Action):
            self._act(row, row.what)
        else:
            self._ask(row, row.what, outcome)
        self._check_others(row, outcome)

    def _line(self, who: str) -> Line:
        if who not in self._lines:
            domid = domid_of(who)
            self._lines[who] = self._world.connect() if domid is None else self._world.ring(domid)
        return self._lines[who]

    def _act(self, row: Row, action: Action) -> None:
        domid = domid_of(row.who)
        match action.name, domid:
            case "hang_up", None:
                self._partial.discard(row.who)
                self._lines.pop(row.who).hang_up()
                self._world.settle()
            case "create", int(domid):
                self._world.create(domid)
            case "die", int(domid):
                self._lines.pop(row.who, None)
                self._world.die(domid)
            case "shut_down", int(domid):
                self._world.shut_down(domid)
            case "uses", int(domid):
                expected = dict(action.arguments)
                if (usage := self._world.uses(domid)) is not None:
                    self._compare(row, row.who, expected, {name: usage.get(name) for name in expected})
            case "wait", _:
                self._world.wait(float(action.arguments[0]))
            case _:
                raise ValueError(f"{row.where}: {row.who} cannot {action.name}")

    def _ask(self, row: Row, what: Request | Raw, outcome: Outcome) -> None:
        line = self._line(row.who)
        data, frame = self._encode(row, what)
        line.send(data)
        if outcome.reply is SILENCE:
            self._partial.add(row.who)
        else:
            self._partial.discard(row.who)
        due = _replies_due(outcome.reply)
        messages, closed = line.collect(due, finished=row.who not in self._partial)
        if closed:
            self._lines.pop(row.who)
        expected = self._expected(what, outcome, frame, messages)
        got: list[object] = [*messages, *([CLOSED] if closed else [])]
        self._compare(row, row.who, expected, got)
        if isinstance(what, Request) and what.type in (Type.INTRODUCE, Type.RELEASE) and outcome.reply == OK:
            # The ring of that domain has ended, or begins anew: it opens again when next used.
            self._lines.pop(f"d{int(what.payload.split(bytes(1))[0])}", None)

    def _encode(self, row: Row, what: Request | Raw) -> tuple[bytes, Message]:
        """The bytes to send, and the reply they must get but for its payload."""
        if isinstance(what, Raw):
            return what.data, Message(0, 0, 0, b"")
        tx_id = int(self._variables[row.tx]) if isinstance(row.tx, str) else row.tx
        frame = Message(what.type, self.rows_passed + 1, tx_id, b"")
        return pack(what.type, what.payload, req_id=frame.req_id, tx_id=tx_id), frame

    def _expected(
        self, what: Request | Raw, outcome: Outcome, frame: Message, messages: list[Message]
    ) -> list[object]:
        """What must be on the asking connection, message by message."""
        if isinstance(outcome.reply, tuple):
            return list(outcome.reply)
        reply = self._expected_reply(outcome, frame, messages)
        follow = isinstance(what, Request) and what.type in EVENTS_FOLLOW[self._peer]
        first, last = ((), [*outcome.events, *outcome.after]) if follow else (outcome.events, outcome.after)
        return [*_events(first), *reply, *_events(last)]

    def _expected_reply(self, outcome: Outcome, frame: Message, messages: list[Message]) -> list[object]:
        if outcome.tx_id is not None:
            frame = frame._replace(tx_id=outcome.tx_id)
        match outcome.reply:
            case Error(name):
                return [frame._replace(type=Type.ERROR, payload=name.encode("ascii") + b"\0")]
            case bytes(payload):
                return [frame._replace(payload=payload)]
            case Like() as like:
                return [self._resolve(like, frame, messages)]
        return [CLOSED] if outcome.reply is CLOSED else []

    def _resolve(self, like: Like, frame: Message, messages: list[Message]) -> object:
        """The reply that came if it fits the pattern, whose groups are then bound; else the pattern."""
        for message in messages:
            if message[:3] == frame[:3] and (match := re.fullmatch(like.pattern, message.payload, re.DOTALL)):
                found = match.groupdict()
                fits = all(self._variables.get(name, value) == value for name, value in found.items())
                if fits and self._variables.get(like.unlike) not in found.values():
                    self._variables |= found
                    return message
        return like

    def _check_others(self, row: Row, outcome: Outcome) -> None:
        """Every other connection got the events it must get, and nothing else."""
        for who, line in self._lines.items():
            if who == row.who and not isinstance(row.what, Action):
                continue
            messages, closed = line.collect(0, finished=who not in self._partial)
            got: list[object] = [*messages, *([CLOSED] if closed else [])]
            self._compare(row, who, list(_events(outcome.others.get(who, ()))), got)

    def _compare(self, row: Row, who: str, expected: object, got: object) -> None:
        if expected == got:
            return
        lines = [
            self._heading(row),
            f"  on {who} expected {show(expected)}",
            f"  {' ' * len(who)}   got      {show(got)}",
        ]
        if difference := row.differs.get(self._peer):
            lines.append(f"  expected is a declared difference of this peer: {difference.reason}")
            if isinstance(expected, list) and self._peer != "ours":
                lines.append("  if this is now the normal outcome, the declaration must go")
        raise Mismatch("\n".join(lines))

    def _heading(self, row: Row) -> str:
        number = self.rows_passed + 1
        place = f"{self._scenario.name}, row {number} ({row.where})"
        return f"{place}: {row.why}\n  {row.who} sent   {show_sent(row)}"


def _replies_due(reply: Reply) -> int:
    if isinstance(reply, tuple):
        return sum(message.type != Type.WATCH_EVENT for message in reply)
    return 0 if reply is SILENCE else 1


def _events(events: Events) -> Iterable[Message]:
    for event in events:
        path, token = event.split(" ", 1)
        yield Message(Type.WATCH_EVENT, 0, 0, f"{path}\0{token}\0".encode("ascii"))
