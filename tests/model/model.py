"""The model of a store: what every request must answer, and whom it must tell."""

import re
from collections.abc import Callable, Iterator

from tests.model.domains import Domains
from tests.model.requests import OK, Bounds, Execution, Outcome, Refused, Request
from tests.model.session import Session, Transaction, Watch
from tests.model.tree import Node, Tree, children_first, parents_first
from tests.peers.wire import Message
from xenstore.wire import TYPE_NAMES, Feature, MessageType

#: Requests about a node whose payload is one path and nothing else.
ONE_PATH = {
    MessageType.DIRECTORY,
    MessageType.READ,
    MessageType.GET_PERMS,
    MessageType.MKDIR,
    MessageType.RM,
}
NODE_REQUESTS = ONE_PATH | {MessageType.WRITE, MessageType.SET_PERMS, MessageType.DIRECTORY_PART}
ON_SPECIALS = {MessageType.GET_PERMS, MessageType.SET_PERMS}
IGNORES_TX = {
    MessageType.WATCH,
    MessageType.UNWATCH,
    MessageType.TRANSACTION_START,
    MessageType.TRANSACTION_END,
}
DOM0_ONLY = {
    MessageType.CONTROL,
    MessageType.INTRODUCE,
    MessageType.RELEASE,
    MessageType.IS_DOMAIN_INTRODUCED,
    MessageType.RESUME,
    MessageType.SET_TARGET,
    MessageType.SET_FEATURE,
    MessageType.GET_QUOTA,
    MessageType.SET_QUOTA,
}
NEVER_SENT_BY_CLIENTS = {MessageType.WATCH_EVENT, MessageType.ERROR}


class Model:
    """A store, its sessions and its domains."""

    def __init__(self, quotas: dict[str, int], exists: Callable[[int], bool]) -> None:
        self.tree = Tree.fresh()
        self.version = 0
        self.sessions: list[Session] = []
        self.watches_ever = 0
        self.domains = Domains(self, quotas, exists)

    def connect(self) -> Session:
        return self.open(0, privileged=True)

    def open(self, domid: int, *, privileged: bool, features: int = 15) -> Session:
        self.sessions.append(Session(domid, privileged, features))
        return self.sessions[-1]

    def close(self, session: Session) -> None:
        session.reset()
        session.closed = True
        self.sessions.remove(session)

    # --- requests ----------------------------------------------------------------------------------

    def request(self, session: Session, type: int, req_id: int, tx_id: int, payload: bytes) -> None:
        """Execute one request; what comes of it is in the sessions' output."""
        self.reply_to = session, type, req_id, tx_id
        self.later: list[Callable[[], None]] = []
        try:
            self._dispatch(session, type, tx_id, payload)
        except Refused as refused:
            session.say(Message(MessageType.ERROR, req_id, tx_id, refused.name.encode() + b"\0"))
        for action in self.later:
            action()
        self.domains.open_accounts()

    def answer(self, payload: bytes = OK) -> None:
        session, type, req_id, tx_id = self.reply_to
        session.say(Message(type, req_id, tx_id, payload))

    def _dispatch(self, session: Session, type: int, tx_id: int, payload: bytes) -> None:
        if type not in set(TYPE_NAMES) - NEVER_SENT_BY_CLIENTS:
            raise Refused("ENOSYS")
        if type in DOM0_ONLY and not session.privileged:
            raise Refused("EACCES")
        if tx_id and type not in IGNORES_TX and tx_id not in session.transactions:
            raise Refused("ENOENT")
        if type in NODE_REQUESTS:
            try:
                self.answer(self._node_request(session, type, tx_id, payload))
            except Refused as refused:
                raise self._as_told(session, type, payload, refused) from refused
        elif type == MessageType.TRANSACTION_START:
            self._start(session, tx_id)
        elif type == MessageType.TRANSACTION_END:
            self._end(session, tx_id, payload)
        elif type == MessageType.WATCH:
            self._watch(session, payload)
        elif type == MessageType.UNWATCH:
            self._unwatch(session, payload)
        elif type == MessageType.RESET_WATCHES:
            session.reset()
            self.answer()
        else:
            self.domains.administer(session, type, payload)

    def _node_request(self, session: Session, type: int, tx_id: int, payload: bytes) -> bytes:
        if type == MessageType.SET_PERMS:
            asked = Request(type, b"", payload.partition(b"\0")[2])
            self._execution(session, self.tree, 0).asked_perms(asked)
        request = self._parse(session, type, payload)
        transaction = session.transactions.get(tx_id)
        outcome = self._inside(session, transaction, request) if transaction else self._live(session, request)
        if outcome.refused:
            raise Refused(outcome.refused)
        return outcome.reply

    def _as_told(self, session: Session, type: int, payload: bytes, refused: Refused) -> Refused:
        """As many permissions as may be, refused for any other reason, are too many."""
        entries = payload.partition(b"\0")[2].count(b"\0")
        if type != MessageType.SET_PERMS or session.privileged:
            return refused
        return Refused("ENOSPC") if entries == self.domains.limit(session, "node-permissions") else refused

    def _parse(self, session: Session, type: int, payload: bytes) -> Request:
        path, nul, rest = payload.partition(b"\0")
        if not nul or (type in ONE_PATH and rest):
            raise Refused("EINVAL")
        if type == MessageType.DIRECTORY_PART and (rest.count(b"\0") != 1 or not rest.endswith(b"\0")):
            raise Refused("EINVAL")
        return Request(type, self._absolute(session, path, special=type in ON_SPECIALS), rest)

    def _absolute(self, session: Session, path: bytes, *, special: bool) -> bytes:
        if not re.fullmatch(rb"[A-Za-z0-9/_@-]+", path) or b"//" in path:
            raise Refused("EINVAL")
        if path.endswith(b"/") and path != b"/":
            raise Refused("EINVAL")
        if path.startswith(b"@") and not special:
            raise Refused("EINVAL")
        if not path.startswith((b"/", b"@")):
            path = b"/local/domain/%d/%b" % (session.domid, path)
        home = re.match(rb"/local/domain/\d+/", path)
        length = len(path) - (home.end() if home else 0)
        if not session.privileged and length > self.domains.limit(session, "path-max"):
            raise Refused("EINVAL")
        return path

    # --- nodes -------------------------------------------------------------------------------------

    def _execution(self, session: Session, tree: Tree, nodes_left: float) -> Execution:
        bounds = Bounds()
        if not session.privileged:
            bounds = Bounds(
                nodes_left,
                self.domains.limit(session, "node-size"),
                self.domains.limit(session, "node-permissions"),
                bool(session.features & Feature.DOMID_ANY),
            )
        return Execution(tree, session.actor, bounds, self.domains.known)

    def _live(self, session: Session, request: Request) -> Outcome:
        left = self.domains.limit(session, "nodes") - self.tree.nodes_of(session.domid)
        outcome = self._execution(session, self.tree, left).perform(request)
        if outcome.changed:
            self.changed(request, outcome)
        return outcome

    def changed(self, request: Request, outcome: Outcome) -> None:
        """The live tree has changed: tell the watches."""
        self.version += 1
        if outcome.removed is not None:
            self._tell_of_removed(request.path, outcome.removed)
        self._tell(self.tree, request.path, outcome.old_perms)

    def _inside(self, session: Session, transaction: Transaction, request: Request) -> Outcome:
        tree, base = transaction.private(self.tree, self.version)
        if not session.privileged:
            accessed = transaction.accessed | {request.path}
            limit = self.domains.limit(session, "transaction-nodes")
            if accessed != transaction.accessed and len(accessed) > limit:
                transaction.doomed = True
                return Outcome(refused="ENOSPC")
            transaction.accessed = accessed
        more = tree.nodes_of(session.domid) - base.nodes_of(session.domid)
        left = self.domains.limit(session, "nodes") - max(0, more)
        outcome = self._execution(session, tree, left).perform(request)
        transaction.doomed |= outcome.too_large
        transaction.done.append((request, outcome))
        return outcome

    # --- transactions ------------------------------------------------------------------------------

    def _start(self, session: Session, tx_id: int) -> None:
        if tx_id:
            raise Refused("EBUSY" if tx_id in session.transactions else "ENOENT")
        if not session.privileged and len(session.transactions) >= self.domains.limit(
            session, "transactions"
        ):
            raise Refused("ENOSPC")
        session.last_tx_id += 1
        session.transactions[session.last_tx_id] = Transaction()
        self.answer(b"%d\0" % session.last_tx_id)

    def _end(self, session: Session, tx_id: int, payload: bytes) -> None:
        if tx_id and tx_id not in session.transactions:
            raise Refused("ENOENT")
        if payload not in (b"T\0", b"F\0"):
            raise Refused("EINVAL")
        if tx_id == 0:
            raise Refused("ENOENT")
        transaction = session.transactions.pop(tx_id)
        if payload == b"T\0":
            self._commit(session, transaction)
        self.answer()

    def _commit(self, session: Session, transaction: Transaction) -> None:
        if transaction.doomed:
            raise Refused("ENOMEM")
        if transaction.tree is None or not transaction.changed:
            return
        after, done = transaction.tree, transaction.done
        if transaction.version != self.version:
            after = self.tree.copy()
            execution = self._execution(session, after, float("inf"))
            done = [(request, execution.perform(request)) for request, _ in transaction.done]
            if [again.answer for _, again in done] != [once.answer for _, once in transaction.done]:
                raise Refused("EAGAIN")
        if not session.privileged and not self.domains.may_hold(after):
            raise Refused("ENOSPC")
        before, self.tree = self.tree, after
        self.version += 1
        self._tell_of_commit(before, done)

    # --- watches -----------------------------------------------------------------------------------

    def _watch(self, session: Session, payload: bytes) -> None:
        fields = payload.split(b"\0")
        if len(fields) not in (3, 4) or fields[-1]:
            raise Refused("EINVAL")
        depth = None
        if len(fields) == 4:
            if not session.features & Feature.WATCH_DEPTH or not re.fullmatch(rb"\d+", fields[2]):
                raise Refused("EINVAL")
            depth = int(fields[2])
        path = self._absolute(session, fields[0], special=True)
        if any((watch.path, watch.token) == (path, fields[1]) for watch in session.watches):
            raise Refused("EEXIST")
        if not session.privileged and len(session.watches) >= self.domains.limit(session, "watches"):
            raise Refused("ENOSPC")
        self.watches_ever += 1
        watch = Watch(path, fields[1], depth, fields[0], self.watches_ever)
        session.watches.append(watch)
        self.answer()
        session.tell(watch, path, first=True)

    def _unwatch(self, session: Session, payload: bytes) -> None:
        fields = payload.split(b"\0")
        if len(fields) != 3 or fields[2]:
            raise Refused("EINVAL")
        path = self._absolute(session, fields[0], special=True)
        for watch in session.watches:
            if (watch.path, watch.token) == (path, fields[1]):
                session.watches.remove(watch)
                self.answer()
                return
        raise Refused("ENOENT")

    def all_watches(self) -> Iterator[tuple[Session, Watch]]:
        """In the order of their registration."""
        pairs = [(session, watch) for session in self.sessions for watch in session.watches]
        yield from sorted(pairs, key=lambda pair: pair[1].number)

    def _tell(self, tree: Tree, path: bytes, old: Node | None) -> None:
        """Tell whoever may read the node or its parent, or could read the node as it was."""
        for session, watch in self.all_watches():
            may_read = session.actor.may_read
            if watch.reaches(path) and (
                may_read(tree.find(path))
                or may_read(tree.parent(path))
                or may_read(old)
                or session.privileged
            ):
                session.tell(watch, path)

    def _tell_of_removed(self, path: bytes, removed: Node) -> None:
        """Tell the watches set exactly on nodes below a removed one."""
        for inner, node, parent in children_first(path, removed):
            self._tell_exactly(inner, node, parent)

    def _tell_exactly(self, path: bytes, node: Node, parent: Node) -> None:
        for session, watch in self.all_watches():
            if watch.path == path and (session.actor.may_read(node) or session.actor.may_read(parent)):
                session.tell(watch, path)

    def _tell_of_commit(self, before: Tree, done: list[tuple[Request, Outcome]]) -> None:
        """Each path once, in the order of first access, unless it exists neither before nor after.

        Removing a node accesses what lies below it as well, parents first, as far as it is watched: what was
        there before the transaction, and what the transaction had made and is there again after it.
        """
        watched = {watch.path for _, watch in self.all_watches()}
        told: dict[bytes, tuple[Node, Node] | bool] = {}
        for request, outcome in done:
            told[request.path] = outcome.changed or told.get(request.path, False)
            if outcome.removed is not None and (old := before.find(request.path)) is not None:
                for inner, node, parent in parents_first(request.path, old):
                    if inner in watched:
                        told[inner] = told.get(inner) or (node, parent)
            if outcome.removed is not None:
                for inner, _, _ in parents_first(request.path, outcome.removed):
                    again, parent_again = self.tree.find(inner), self.tree.parent(inner)
                    if inner in watched and again is not None and parent_again is not None:
                        told[inner] = told.get(inner) or (again, parent_again)
        for path, how in told.items():
            if isinstance(how, tuple):
                self._tell_exactly(path, *how)
            elif how and (before.find(path) or self.tree.find(path)):
                self._tell(self.tree, path, before.find(path))
