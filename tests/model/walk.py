"""The store beside its model: every step is played on both, and every byte that comes out compared."""

from tests.model import pools
from tests.model.model import Model
from tests.model.pools import Choose, strings
from tests.model.session import Session as ModelSession
from tests.peers.wire import Message
from tests.unit.store.client import Client, Hypervisor
from xenstore.store import Session, Store
from xenstore.wire import TYPE_NAMES, MessageType, pack

SOCKETS = ["socket A", "socket B"]
RINGS = {"ring 0": 0, "ring 1": 1, "ring 2": 2, "ring 3": 3}
SPEAKERS = [*SOCKETS, *RINGS]

#: Enough for a slot of a contended transaction to end, and for a guest to earn a write; not so much that
#: snapshots grow old within one walk.
STEP_SECONDS = 0.006


class Walk:
    """Clients of the socket, dom0's ring and three domains, in a store and in its model.

    Each method is one step: it chooses what to do, does it on both sides, and asserts that all sessions
    were told the same.  `trail` says in words what was done.
    """

    def __init__(self, quotas: dict[str, int]) -> None:
        self.hypervisor = Hypervisor(*pools.DOMIDS)
        self.store = Store(quotas=quotas, hypervisor=self.hypervisor)
        self.model = Model(quotas, self.hypervisor.exists)
        self.req_id = 0
        self.trail: list[str] = []
        self.clients: dict[str, tuple[Session, ModelSession]] = {}
        self.generations: dict[bytes, tuple[bytes, bytes]] = {}
        for name in SOCKETS:
            self.clients[name] = self.store.connect(), self.model.connect()
        self.store.connect_domain(0)
        self.model.domains.connect(0)
        for domid in pools.DOMIDS:
            home = b"/local/domain/%d" % domid
            self.introduce(domid)
            self.play("socket A", MessageType.MKDIR, strings(home))
            self.play("socket A", MessageType.SET_PERMS, strings(home, b"n%d" % domid))
        self.play("socket A", MessageType.WRITE, b"/a/b\0")
        self.play("socket A", MessageType.SET_PERMS, strings(b"/a", b"b0", b"r2"))

    def introduce(self, domid: int) -> None:
        self.play("socket A", MessageType.INTRODUCE, strings(b"%d" % domid, b"1", b"9"))

    # --- both sides ----------------------------------------------------------------------------------

    def pair(self, name: str) -> tuple[Session, ModelSession] | None:
        """The session of that name in the store and in the model; None: the domain is not introduced."""
        if name in SOCKETS:
            return self.clients[name]
        session = self.store.session_of(RINGS[name])
        expected = self.model.domains.introduced.get(RINGS[name])
        assert (session is None) == (expected is None), f"{name}: introduced in one, not in the other"
        return (session, expected) if session is not None and expected is not None else None

    def play(self, name: str, type: int, payload: bytes, tx_id: int = 0) -> None:
        pair = self.pair(name)
        if pair is None:
            return
        self.req_id += 1
        self.trail.append(f"{name}: {TYPE_NAMES.get(type, type)} {payload!r} tx {tx_id}")
        pair[0].feed(pack(type, payload, req_id=self.req_id, tx_id=tx_id))
        self.model.request(pair[1], type, self.req_id, tx_id, payload)
        self.compare(payload if tx_id == 0 else b"")

    def compare(self, payload: bytes = b"") -> None:
        """Let a little time pass, and see that all that has come out is what the model says."""
        self.store.now += STEP_SECONDS
        self.store.run_due()
        for name in SPEAKERS:
            pair = self.pair(name)
            if pair is not None:
                said = [self.without_generation(message, payload) for message in Client(pair[0]).take()]
                assert said == pair[1].take(), name

    def without_generation(self, message: Message, payload: bytes) -> Message:
        """A reply to DIRECTORY_PART with 0 for its generation; the same generation means the same names."""
        if message.type != MessageType.DIRECTORY_PART:
            return message
        generation, _, names = message.payload.partition(b"\0")
        assert generation.isdigit()
        if payload.startswith(b"/"):
            before = self.generations.get(payload)
            assert before is None or before == (generation, names) or before[0] != generation
            self.generations[payload] = generation, names
        return message._replace(payload=b"0\0" + names)

    def check_accounts(self) -> None:
        """Assert that the store's accounts are right, in its own eyes and in the model's."""
        assert self.store.check() == []
        for domid in (0, *pools.DOMIDS):
            known = self.store.accounts.get(domid) is not None
            assert known == (domid in self.model.domains.accounts), f"domain {domid}: heard of, or not"
            if not known:
                continue
            usage, expected = self.store.usage(domid), self.model.domains.usage(domid)
            if any(session.transactions for session in self.model.sessions if session.domid == domid):
                assert usage["memory"] >= expected["memory"]
                usage["memory"] = expected["memory"]
            assert usage == expected, f"domain {domid}"

    # --- choices -------------------------------------------------------------------------------------

    def open_transactions(self) -> list[tuple[str, int]]:
        pairs = [(name, self.pair(name)) for name in SPEAKERS]
        return [(name, tx) for name, pair in pairs if pair for tx in pair[1].transactions]

    def choose_tx(self, choose: Choose, name: str) -> int:
        """One of the session's open transactions, or none, rarely a wrong id."""
        mine = [tx for speaker, tx in self.open_transactions() if speaker == name]
        tx_id: int = choose([0, *mine] * 4 + [77])
        return tx_id

    # --- steps: what clients do ------------------------------------------------------------------------

    def node(self, choose: Choose) -> None:
        name = choose(SPEAKERS)
        self.play(name, *pools.node_request(choose), tx_id=self.choose_tx(choose, name))

    def node_inside(self, choose: Choose) -> None:
        if open_ones := self.open_transactions():
            name, tx_id = choose(open_ones)
            self.play(name, *pools.node_request(choose), tx_id=tx_id)

    def start(self, choose: Choose) -> None:
        tx_id = choose([0] * 12 + [1, 2])
        self.play(choose(SPEAKERS), MessageType.TRANSACTION_START, choose(pools.START_PAYLOADS), tx_id)

    def end(self, choose: Choose) -> None:
        if open_ones := self.open_transactions():
            name, tx_id = choose(open_ones)
            self.play(name, MessageType.TRANSACTION_END, choose(pools.END_PAYLOADS), tx_id)

    def watch(self, choose: Choose) -> None:
        name = choose(SPEAKERS)
        fields = choose(pools.WATCH_PATHS), choose(pools.TOKENS), *choose(pools.DEPTHS)
        payload = pools.damaged(choose, strings(*fields))
        self.play(name, MessageType.WATCH, payload, self.choose_tx(choose, name))

    def unwatch(self, choose: Choose) -> None:
        name = choose(SPEAKERS)
        pair = self.pair(name)
        watches = pair[1].watches if pair else []
        known = [(watch.given, watch.token) for watch in watches] + [(watch.path, b"t") for watch in watches]
        path, token = choose([*known, (b"/a", b"u"), (b"", b"t")])
        self.play(name, MessageType.UNWATCH, pools.damaged(choose, strings(path, token)))

    def reset_watches(self, choose: Choose) -> None:
        name = choose(SPEAKERS)
        self.play(name, MessageType.RESET_WATCHES, b"\0", self.choose_tx(choose, name))

    # --- steps: what happens around them -----------------------------------------------------------------

    def administrative(self, choose: Choose) -> None:
        name = choose([*SOCKETS * 3, "ring 0", "ring 1"])
        self.play(name, *pools.administrative_request(choose), tx_id=choose([0] * 8 + [1]))

    def unknown(self, choose: Choose) -> None:
        self.play(choose(SPEAKERS), choose(pools.UNKNOWN_TYPES), b"/a\0", choose([0, 1, 2]))

    def reconnect(self, choose: Choose) -> None:
        name = choose(SOCKETS)
        self.trail.append(f"{name}: connects anew")
        session, expected = self.clients[name]
        session.close()
        self.model.close(expected)
        self.clients[name] = self.store.connect(), self.model.connect()
        self.compare()

    def die(self, choose: Choose) -> None:
        domid = choose(pools.DOMIDS)
        self.trail.append(f"domain {domid} dies")
        self.hypervisor.domids.discard(domid)
        self.store.domain_died(domid)
        self.model.domains.died(domid)
        self.compare()

    def shut_down(self, choose: Choose) -> None:
        domid = choose(pools.DOMIDS)
        self.trail.append(f"domain {domid} shuts down")
        self.store.domain_shutdown(domid)
        self.model.domains.shutdown(domid)
        self.compare()

    def create(self, choose: Choose) -> None:
        """The hypervisor has a domain of that id, perhaps a new one, and the toolstack introduces it."""
        domid = choose(pools.DOMIDS)
        self.trail.append(f"domain {domid} exists")
        self.hypervisor.domids.add(domid)
        self.introduce(domid)


CLIENT_STEPS = [
    *[Walk.node] * 8,
    *[Walk.node_inside] * 12,
    *[Walk.start] * 4,
    *[Walk.end] * 5,
    *[Walk.watch] * 4,
    *[Walk.unwatch, Walk.reset_watches],
]
WORLD_STEPS = [
    *[Walk.administrative] * 8,
    *[Walk.create] * 4,
    *[Walk.die, Walk.shut_down, Walk.reconnect, Walk.unknown],
]
