"""The model's domains: who is introduced, what quotas bind it, and what its death removes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tests.model.requests import OK, Outcome, Refused, Request
from tests.model.tree import Entry, Node, Tree, join, parent_path
from xenstore.limits import QUOTAS
from xenstore.wire import TYPE_NAMES, MessageType

if TYPE_CHECKING:
    from tests.model.model import Model
    from tests.model.session import Session

ALL_FEATURES = 15
HOME = b"/local/domain/%d"


class Domains:
    """`introduced` has the sessions by domid, `accounts` the quotas of every domain heard of."""

    def __init__(self, model: Model, quotas: dict[str, int], exists: Callable[[int], bool]) -> None:
        self.model = model
        self.exists = exists
        self.quotas = {quota.name: quota.default for quota in QUOTAS} | quotas
        self.accounts = {0: dict(self.quotas)}
        self.introduced: dict[int, Session] = {}
        self.features_ahead: dict[int, int] = {}
        self.told_of_shutdown: set[int] = set()

    def known(self, domid: int) -> bool:
        return domid in self.introduced or self.exists(domid)

    def limit(self, session: Session, name: str) -> float:
        return self.accounts[session.domid][name] or float("inf")

    def open_accounts(self) -> None:
        """Whoever owns a node has an account."""
        for _, node in self.model.tree.walk():
            self.accounts.setdefault(node.owner, dict(self.quotas))

    def may_hold(self, after: Tree) -> bool:
        """Whether no domain gets more nodes than it may own by a change to this version."""
        return all(
            after.nodes_of(domid) <= max(self.model.tree.nodes_of(domid), quotas["nodes"] or float("inf"))
            for domid, quotas in self.accounts.items()
            if domid != 0
        )

    def usage(self, domid: int) -> dict[str, int]:
        """Without what transactions hold in memory, which is the store's own affair."""
        sessions = [session for session in self.model.sessions if session.domid == domid]
        watches = [watch for session in sessions for watch in session.watches]
        guests = [session for session in sessions if not session.privileged]
        return {
            "nodes": self.model.tree.nodes_of(domid),
            "watches": len(watches),
            "outstanding": sum(len(session.output) for session in guests),
            "memory": self.model.tree.bytes_of(domid)
            + sum(len(watch.path) + len(watch.token) for watch in watches),
            "transactions": sum(len(session.transactions) for session in guests),
        }

    # --- what happens to domains ---------------------------------------------------------------------

    def connect(self, domid: int) -> Session:
        self.accounts.setdefault(domid, dict(self.quotas))
        features = self.features_ahead.pop(domid, ALL_FEATURES)
        session = self.model.open(domid, privileged=domid == 0, features=features)
        self.introduced[domid] = session
        self.told_of_shutdown.discard(domid)
        return session

    def introduce(self, domid: int) -> None:
        if not self.exists(domid):
            raise Refused("ENOENT")
        old = self.introduced.get(domid)
        if old is not None:
            self.model.close(old)
            session = self.connect(domid)
            session.target, session.features = old.target, old.features
            return
        self.connect(domid)
        self._tell(b"@introduceDomain", domid)

    def shutdown(self, domid: int) -> None:
        if domid in self.introduced and domid not in self.told_of_shutdown:
            self.told_of_shutdown.add(domid)
            self._tell(b"@releaseDomain", domid)

    def died(self, domid: int) -> None:
        known = domid in self.introduced
        self.remove(domid)
        if known:
            self._tell(b"@releaseDomain", domid)

    def remove(self, domid: int) -> None:
        session = self.introduced.pop(domid, None)
        if session is not None:
            self.model.close(session)
        for other in self.introduced.values():
            if other.target == domid:
                other.target = None
        self.told_of_shutdown.discard(domid)
        self.features_ahead.pop(domid, None)
        tree = self.model.tree
        home = tree.find(HOME % domid)
        if home is not None and home.owner == domid:
            self._remove_node(HOME % domid)
        for node in (tree.root, *tree.specials.values()):
            if node.owner == domid:
                node.written()
                node.perms[0] = Entry(0, node.perms[0].letter)
                self.model.version += 1
        for path in list(self._topmost(b"/", tree.root, domid)):
            self._remove_node(path)
        for _, node in tree.walk():
            for entry in node.perms[1:]:
                entry.dead = entry.dead or entry.domid == domid
        self.model.version += 1
        if domid != 0:
            self.accounts.pop(domid, None)

    def _topmost(self, path: bytes, node: Node, domid: int) -> Iterator[bytes]:
        """Paths of the nodes a domain owns, but not of those below them."""
        for name, child in node.children.items():
            if child.owner == domid:
                yield join(path, name)
            else:
                yield from self._topmost(join(path, name), child, domid)

    def _remove_node(self, path: bytes) -> None:
        parent = self.model.tree.find(parent_path(path))
        assert parent is not None
        removed = parent.children.pop(path.rpartition(b"/")[2])
        parent.written()
        outcome = Outcome(changed=True, removed=removed, old_perms=removed)
        self.model.changed(Request(MessageType.RM, path, b""), outcome)

    def _tell(self, name: bytes, domid: int) -> None:
        """Watches on "name/domid", and on the name with a depth, hear which domain; others only that."""
        exact = b"%b/%d" % (name, domid)
        special = self.model.tree.find(name)
        for session, watch in self.model.all_watches():
            if watch.path in (name, exact) and session.actor.may_read(special):
                session.tell(watch, exact if watch.path == exact or watch.depth else name)

    # --- administrative requests ---------------------------------------------------------------------

    def administer(self, session: Session, type: int, payload: bytes) -> None:
        if type == MessageType.GET_FEATURE and b"\0" in payload and not session.privileged:
            raise Refused("EACCES")
        if payload and not payload.endswith(b"\0"):
            raise Refused("EINVAL")
        strings = payload.split(b"\0")[:-1]
        answer = getattr(self, "_" + TYPE_NAMES[type].lower())(session, strings)
        self.model.answer(answer)

    def _introduce(self, session: Session, strings: list[bytes]) -> bytes:
        if len(strings) < 3:
            raise Refused("EINVAL")
        domid, _, port = (_number(text) for text in strings[:3])
        if port == 0:
            raise Refused("EINVAL")
        self.introduce(domid)
        return OK

    def _release(self, session: Session, strings: list[bytes]) -> bytes:
        domid = self._introduced_guest(strings)
        self.remove(domid)
        self.model.later.append(lambda: self._tell(b"@releaseDomain", domid))
        return OK

    def _resume(self, session: Session, strings: list[bytes]) -> bytes:
        self.told_of_shutdown.discard(self._introduced_guest(strings))
        return OK

    def _introduced_guest(self, strings: list[bytes]) -> int:
        domid = _only_number(strings)
        if domid == 0:
            raise Refused("EINVAL")
        if domid not in self.introduced:
            raise Refused("ENOENT")
        return domid

    def _is_domain_introduced(self, session: Session, strings: list[bytes]) -> bytes:
        domid = _only_number(strings)
        return b"T\0" if domid == 0 or domid in self.introduced or 0x7FF0 <= domid <= 0x7FFF else b"F\0"

    def _get_domain_path(self, session: Session, strings: list[bytes]) -> bytes:
        return b"/local/domain/%d\0" % _only_number(strings)

    def _set_target(self, session: Session, strings: list[bytes]) -> bytes:
        if len(strings) < 2:
            raise Refused("EINVAL")
        domid, target = _number(strings[0]), _number(strings[1])
        if not {domid, target} <= {0, *self.introduced}:
            raise Refused("ENOENT")
        if domid in self.introduced:
            self.introduced[domid].target = target
        return OK

    def _get_feature(self, session: Session, strings: list[bytes]) -> bytes:
        if not strings:
            return b"%d\0" % session.features
        domid = _only_number(strings)
        if domid in self.introduced:
            return b"%d\0" % self.introduced[domid].features
        if not self.exists(domid) and domid not in self.features_ahead:
            raise Refused("ENOENT")
        return b"%d\0" % self.features_ahead.get(domid, ALL_FEATURES)

    def _set_feature(self, session: Session, strings: list[bytes]) -> bytes:
        if len(strings) != 2:
            raise Refused("EINVAL")
        domid = _number(strings[0])
        if domid == 0 or domid in self.introduced:
            raise Refused("EBUSY")
        if not self.exists(domid):
            raise Refused("ENOENT")
        mask = _number(strings[1])
        if mask & ~ALL_FEATURES:
            raise Refused("EINVAL")
        self._hear_of(domid)
        self.features_ahead[domid] = mask
        return OK

    def _get_quota(self, session: Session, strings: list[bytes]) -> bytes:
        if len(strings) > 2:
            raise Refused("EINVAL")
        if not strings:
            return " ".join(self.quotas).encode() + b"\0"
        quotas = self.quotas if len(strings) == 1 else self._hear_of(_number(strings[0]))
        if strings[-1].decode() not in quotas:
            raise Refused("EINVAL")
        return b"%d\0" % quotas[strings[-1].decode()]

    def _set_quota(self, session: Session, strings: list[bytes]) -> bytes:
        if len(strings) not in (2, 3) or not strings[-1]:
            raise Refused("EINVAL")
        quotas = self.quotas
        if len(strings) == 3:
            quotas = self._hear_of(_number(strings[0]))
        name, value = strings[-2].decode(), _number(strings[-1])
        if name not in self.quotas:
            raise Refused("EINVAL")
        quotas[name] = value
        return OK

    def _hear_of(self, domid: int) -> dict[str, int]:
        """The quotas of a domain that exists."""
        if domid not in self.accounts and not self.exists(domid):
            raise Refused("ENOENT")
        return self.accounts.setdefault(domid, dict(self.quotas))

    def _control(self, session: Session, strings: list[bytes]) -> bytes:
        raise Refused("EINVAL")


def _number(text: bytes) -> int:
    if text and not text.isdigit():
        raise Refused("EINVAL")
    return int(text or b"0")


def _only_number(strings: list[bytes]) -> int:
    if len(strings) != 1:
        raise Refused("EINVAL")
    return _number(strings[0])
