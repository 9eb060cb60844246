"""The model's sessions: watches, open transactions, and what must come out."""

from dataclasses import dataclass, field

from tests.model.requests import Outcome, Request
from tests.model.tree import Actor, Tree
from tests.peers.wire import Message
from xenstore.wire import PAYLOAD_MAX, MessageType


@dataclass
class Watch:
    """`given` is the path as the client spelt it, `number` counts all watches in order of registration."""

    path: bytes
    token: bytes
    depth: int | None
    given: bytes
    number: int

    def reaches(self, path: bytes) -> bool:
        """Whether a change of the node at this path concerns the watch."""
        top = b"" if self.path == b"/" else self.path
        if path != self.path and not (path.startswith(top + b"/") and not path.startswith(b"@")):
            return False
        levels = 0 if path == self.path else path.count(b"/") - top.count(b"/")
        return self.depth is None or levels <= self.depth

    def spell(self, path: bytes) -> bytes:
        """A changed path as the event gives it: relative where the watch is."""
        if self.given.startswith((b"/", b"@")):
            return path
        return path[len(self.path) - len(self.given) :]


@dataclass
class Transaction:
    """A private copy of the tree, and what was done to it with which outcome.

    The copy is taken at the first operation; `base` is the same copy unchanged, `version` the store's then.
    """

    base: Tree | None = None
    tree: Tree | None = None
    version: int = 0
    done: list[tuple[Request, Outcome]] = field(default_factory=list)
    accessed: set[bytes] = field(default_factory=set)
    doomed: bool = False

    def private(self, live: Tree, version: int) -> tuple[Tree, Tree]:
        """The private copy, taken now if there is none yet, and what it was at first."""
        if self.tree is None or self.base is None:
            self.tree, self.base, self.version = live.copy(), live.copy(), version
        return self.tree, self.base

    @property
    def changed(self) -> bool:
        return any(outcome.changed for _, outcome in self.done)


@dataclass
class Session:
    """One client."""

    domid: int
    privileged: bool
    features: int
    target: int | None = None
    closed: bool = False
    last_tx_id: int = 0
    watches: list[Watch] = field(default_factory=list)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    output: list[Message] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        return Actor(self.domid, self.privileged, self.target)

    def take(self) -> list[Message]:
        output, self.output = self.output, []
        return output

    def say(self, message: Message) -> None:
        self.output.append(message)

    def tell(self, watch: Watch, path: bytes, *, first: bool = False) -> None:
        """Queue a watch event; one that waits already is not repeated, unless it is a watch's `first`."""
        spelt = watch.spell(path)
        event = Message(MessageType.WATCH_EVENT, 0, 0, spelt + b"\0" + watch.token + b"\0")
        if len(event.payload) > PAYLOAD_MAX:
            return
        if event in self.output and not first and not spelt.startswith(b"@"):
            return
        self.output.append(event)

    def reset(self) -> None:
        self.watches.clear()
        self.transactions.clear()
