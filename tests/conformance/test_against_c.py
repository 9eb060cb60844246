"""Random requests, the same to C xenstored and to ours: every reply and event must be equal.

Left out is what differs on purpose (see `reasons.py`): a transaction is alone while it is open, values
stay short, the root and the specials keep their permissions, and no domain dies.
"""

import random
from pathlib import Path

import pytest

from tests.chance import seeds
from tests.conformance.in_process import SessionWorld
from tests.conformance.over_socket import DaemonWorld
from tests.conformance.show import show
from tests.conformance.table import node
from tests.conformance.words import (
    Request,
    directory,
    directory_part,
    domain_path,
    end,
    get_perms,
    mkdir,
    read,
    reset_watches,
    rm,
    set_perms,
    start,
    strings,
    unwatch,
    watch,
    write,
)
from tests.conformance.world import Line, World
from tests.peers.daemons import start_c, start_ours
from tests.peers.wire import Message
from xenstore.wire import MessageType as Type
from xenstore.wire import pack

pytestmark = pytest.mark.peer

STEPS = 300
DOMAINS = (3, 5)
NAMES = ("a", "b", "c")
PERMS = ("n0", "r0", "b0", "n3", "n5 r3", "n3 b5", "n0 b3", "n0 w3 r5", "b0 n3", "r3 n5", "w5")


class Dice:
    """Chooses what happens next; the same seed, the same choices."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def path(self) -> str:
        top = self.random.choice(("/t", "/t", "/local/domain/3", "/local/domain/5", "", "/"))
        if top == "/":
            return self.random.choice(("/", "/tool", "/missing/x", "/t/", "/local", "//"))
        names = self.random.choices(NAMES, k=self.random.choice((0, 1, 1, 2, 2, 3)))
        return "/".join([top, *names]) if top else "/".join(names or ["a"])

    def request(self) -> Request:
        path = self.path()
        token = self.random.choice("xy")
        value = self.random.choice(("", "1", "22", "\0", "v" * 50))
        return self.random.choice(
            (
                lambda: read(path),
                lambda: directory(path),
                lambda: get_perms(path),
                lambda: directory_part(path, self.random.choice((0, 2, 4, 1000))),
                lambda: write(path, value),
                lambda: write(path, value),
                lambda: write(path, value),
                lambda: mkdir(path),
                lambda: rm(path),
                lambda: set_perms(path if path != "/" else "/t", self.random.choice(PERMS)),
                lambda: set_perms(path if path != "/" else "/t", self.random.choice(PERMS)),
                lambda: watch(self.random.choice((path, path, "@releaseDomain", "@introduceDomain")), token),
                lambda: unwatch(path.replace("//", "/t").removesuffix("/") or "/", token),
                lambda: domain_path(self.random.randrange(9)),
                lambda: strings(Type.IS_DOMAIN_INTRODUCED, str(self.random.randrange(9))),
            )
        )()


class Pair:
    """The two stores, driven alike."""

    def __init__(self, theirs: World, ours: World, title: str) -> None:
        self.title = title
        self.worlds = (theirs, ours)
        self.lines: dict[str, tuple[Line, Line]] = {}
        for world in self.worlds:
            for domid in DOMAINS:
                world.create(domid)
                world.introduce(domid)
            world.place(node("/t", perms="n0 b3 b5"))
            for domid in DOMAINS:
                world.place(node(f"/local/domain/{domid}", perms=f"n{domid}"))
        for name in ("a", "b"):
            self.lines[name] = (self.worlds[0].connect(), self.worlds[1].connect())
        for domid in DOMAINS:
            self.lines[f"d{domid}"] = (self.worlds[0].ring(domid), self.worlds[1].ring(domid))
        self.history: list[str] = []

    def ask(self, who: str, request: Request, tx_id: int = 0) -> Message:
        """The reply, after all connections have been compared."""
        self.history.append(f"{who} {request} tx_id={tx_id}")
        for line in self.lines[who]:
            line.send(pack(request.type, request.payload, tx_id=tx_id))
        messages = self.compare(who, request, replies=1)
        for name in self.lines.keys() - {who}:
            self.compare(name, request, replies=0)  # after the reply: the request has been served
        return next(message for message in messages if message.type != Type.WATCH_EVENT)

    def compare(self, name: str, request: Request, replies: int) -> list[Message]:
        expected, got = (line.collect(replies, finished=True)[0] for line in self.lines[name])
        ours = [
            message for message in got if message in expected or not may_be_ours_alone(name, request, message)
        ]
        if comparable(request, expected) != comparable(request, ours):
            text = f"on {name}: C\n  {show(list(expected))}\nours\n  {show(list(got))}"
            pytest.fail("\n".join([self.title, *self.history[-12:], text]), pytrace=False)
        return got

    def compare_accounts(self) -> None:
        theirs, ours = ({domid: world.uses(domid) or {} for domid in DOMAINS} for world in self.worlds)
        for domid in DOMAINS:
            for kind in ("nodes", "watches", "transactions"):
                assert ours[domid][kind] == theirs[domid][kind], f"domain {domid}: {kind}"


def may_be_ours_alone(name: str, request: Request, message: Message) -> bool:
    """Whether C may lack it: at a commit, it asks for the right to read a removed node's parent too late."""
    return name.startswith("d") and request.type == Type.TRANSACTION_END and message.type == Type.WATCH_EVENT


def comparable(request: Request, messages: list[Message]) -> list[Message]:
    """What must be equal.

    The generation that DIRECTORY_PART begins with is each daemon's own.  Where a transaction looks for a
    missing node, C has accessed its ancestors, too, which shows in the order of the events at the end.
    """
    if request.type == Type.TRANSACTION_END:
        return sorted(messages)
    if request.type == Type.DIRECTORY_PART:
        return [message._replace(payload=message.payload.partition(b"\0")[2]) for message in messages]
    return messages


def play(theirs: World, ours: World, seed: int) -> None:
    dice = Dice(seed)
    pair = Pair(theirs, ours, f"seed {seed}")
    transaction: tuple[str, int] | None = None
    for _ in range(STEPS):
        if transaction:
            who, tx_id = transaction
            if dice.random.random() < 0.15:
                pair.ask(who, end(commit=dice.random.random() < 0.8), tx_id)
                transaction = None
            else:
                pair.ask(who, dice.request(), tx_id)
            continue
        who = dice.random.choice(list(pair.lines))
        if dice.random.random() < 0.05:
            transaction = who, int(pair.ask(who, start()).payload[:-1])
        elif dice.random.random() < 0.02:
            pair.ask(who, reset_watches())
        else:
            pair.ask(who, dice.request())
    if transaction:
        pair.ask(transaction[0], end(commit=False), transaction[1])
    pair.compare_accounts()
    for world in pair.worlds:
        assert world.finish() == []


def sessions() -> World:
    return SessionWorld({}, alone=False, bytewise=False)


@pytest.mark.parametrize("seed", seeds(6, of=20))
def test_a_few(tmp_path: Path, seed: int) -> None:
    with start_c(tmp_path) as daemon:
        play(DaemonWorld(daemon), sessions(), seed)


@pytest.mark.parametrize("seed", seeds(2, of=5))
def test_our_daemon(tmp_path: Path, seed: int) -> None:
    with start_c(tmp_path / "c") as theirs, start_ours(tmp_path / "ours", is_forked=True) as ours:
        play(DaemonWorld(theirs), DaemonWorld(ours), seed)


@pytest.mark.long
def test_many(tmp_path: Path) -> None:
    for seed in range(1000, 2000):
        with start_c(tmp_path / str(seed)) as daemon:
            play(DaemonWorld(daemon), sessions(), seed)
