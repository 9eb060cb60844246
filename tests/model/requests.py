"""The model's requests about nodes: each does its work on one version of the tree, or refuses."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.model.tree import (
    DOMID_ANY,
    ENTRY_BYTES,
    NODE_HEADER_BYTES,
    Actor,
    Entry,
    Node,
    Tree,
    join,
    parent_path,
)
from xenstore.wire import PAYLOAD_MAX, TYPE_NAMES

OK = b"OK\0"


class Refused(Exception):
    """A request fails with this errno name; `too_large`: no transaction can go on from there."""

    def __init__(self, name: str, *, too_large: bool = False) -> None:
        super().__init__(name)
        self.name = name
        self.too_large = too_large


class Request(NamedTuple):
    """What is asked of a node: the message type, the absolute path, and what follows the path's NUL."""

    type: int
    path: bytes
    rest: bytes


@dataclass
class Bounds:
    """What binds a guest; None and infinity for the privileged."""

    nodes_left: float = float("inf")
    node_size: float = float("inf")
    entries: float = float("inf")
    knows_any: bool = True


@dataclass
class Outcome:
    """The reply's payload, or the errno's name in `refused`; and what became of the node."""

    reply: bytes = b""
    refused: str = ""
    too_large: bool = False
    changed: bool = False
    removed: Node | None = None
    old_perms: Node | None = None

    @property
    def answer(self) -> tuple[bytes, str]:
        return self.reply, self.refused


class Execution:
    """One version of the tree as one actor may use it; `exists` tells which domains there are."""

    def __init__(self, tree: Tree, actor: Actor, bounds: Bounds, exists: Callable[[int], bool]) -> None:
        self.tree = tree
        self.actor = actor
        self.bounds = bounds
        self.exists = exists

    def perform(self, request: Request) -> Outcome:
        try:
            method: Callable[[Request], Outcome] = getattr(self, TYPE_NAMES[request.type].lower())
            return method(request)
        except Refused as refused:
            return Outcome(refused=refused.name, too_large=refused.too_large)

    def _wanted(self, request: Request, rights: str) -> Node:
        """The node, if the actor has all these rights on it.

        A missing node shows as such only to those who have one of the rights on the nearest existing one.
        """
        _, nearest = self.tree.nearest(request.path)
        node = self.tree.find(request.path)
        have = self.actor.rights_on(node or nearest)
        if node is None and have & set(rights):
            raise Refused("ENOENT")
        if node is None or not have >= set(rights):
            raise Refused("EACCES")
        return node

    # --- reading -----------------------------------------------------------------------------------

    def read(self, request: Request) -> Outcome:
        return _fitting(self._wanted(request, "r").value)

    def directory(self, request: Request) -> Outcome:
        return _fitting(_listing(self._wanted(request, "r")))

    def get_perms(self, request: Request) -> Outcome:
        perms = self._wanted(request, "r").visible_perms()
        return _fitting(b"".join(f"{entry.letter}{entry.domid}\0".encode() for entry in perms))

    def directory_part(self, request: Request) -> Outcome:
        """Without the generation count, which has no meaning in the model; it stands for 0."""
        listing = _listing(self._wanted(request, "r"))
        digits = re.match(rb"\d*", request.rest)
        offset = int(digits[0] or b"0") if digits else 0
        return Outcome(b"0\0" + listing[offset:] + b"\0")

    # --- writing -----------------------------------------------------------------------------------

    def write(self, request: Request) -> Outcome:
        node = self._writable(request)
        if node is None:
            return self._create(request, request.rest)
        self._fits(node, len(request.rest) - len(node.value))
        node.value = request.rest
        node.written()
        return Outcome(OK, changed=True)

    def mkdir(self, request: Request) -> Outcome:
        return self._create(request, b"") if self._writable(request) is None else Outcome(OK)

    def _writable(self, request: Request) -> Node | None:
        _, nearest = self.tree.nearest(request.path)
        if "w" not in self.actor.rights_on(nearest):
            raise Refused("EACCES")
        return self.tree.find(request.path)

    def _fits(self, node: Node, more: int) -> None:
        if node.size + more > self.bounds.node_size:
            raise Refused("ENOSPC", too_large=True)

    def _create(self, request: Request, value: bytes) -> Outcome:
        path, parent = self.tree.nearest(request.path)
        missing = request.path[len(path) :].strip(b"/").split(b"/")
        if len(missing) > self.bounds.nodes_left:
            raise Refused("ENOSPC", too_large=True)
        self._fits(parent, len(missing[0]) + 1)
        perms = parent.visible_perms()
        if not self.actor.privileged:
            perms[0] = Entry(self.actor.domid, perms[0].letter)
        base = NODE_HEADER_BYTES + ENTRY_BYTES * len(perms)
        if any(base + len(child) + 1 > self.bounds.node_size for child in missing[1:]):
            raise Refused("ENOSPC", too_large=True)
        if base + len(value) > self.bounds.node_size:
            raise Refused("ENOSPC", too_large=True)
        for name in missing:
            parent.children[name] = Node(Node(perms).visible_perms())
            parent.written()
            parent = parent.children[name]
        parent.value = value
        return Outcome(OK, changed=True)

    def rm(self, request: Request) -> Outcome:
        node = self._writable(request)
        if node is None:
            if self.tree.parent(request.path) is None:
                raise Refused("ENOENT")
            return Outcome(OK)
        if request.path == b"/":
            raise Refused("EINVAL")
        parent = self.tree.parent(request.path)
        assert parent is not None
        name = request.path.rpartition(b"/")[2]
        assert join(parent_path(request.path), name) == request.path
        removed = parent.children.pop(name)
        parent.written()
        return Outcome(OK, changed=True, removed=removed, old_perms=removed)

    def set_perms(self, request: Request) -> Outcome:
        perms = self.asked_perms(request)
        node = self._wanted(request, "wo")
        if not self.actor.privileged:
            if perms[0].domid != node.owner:
                raise Refused("EPERM")
            self._fits(node, ENTRY_BYTES * (len(perms) - len(node.perms)))
        old = Node(node.visible_perms())
        node.perms = perms
        return Outcome(OK, changed=True, old_perms=old)

    def asked_perms(self, request: Request) -> list[Entry]:
        """What a SET_PERMS asks for, which is looked at before anything else."""
        if b"\0" not in request.rest:
            raise Refused("EINVAL")
        if request.rest.count(b"\0") > self.bounds.entries:
            raise Refused("ENOSPC")
        perms = [self._entry(text, request.rest) for text in request.rest.split(b"\0")[:-1]]
        if not request.rest.endswith(b"\0"):
            raise Refused("EINVAL")
        if perms[0].unknown:
            raise Refused("ENOENT")
        return perms

    def _entry(self, text: bytes, rest: bytes) -> Entry:
        if not re.fullmatch(rb"[nrwb](0|[1-9]\d{0,4})", text) or int(text[1:]) > 0xFFFF:
            raise Refused("EINVAL")
        domid = int(text[1:])
        known = self.bounds.knows_any if domid == DOMID_ANY else self.exists(domid)
        return Entry(domid, text[:1].decode(), unknown=not known)


def _fitting(reply: bytes) -> Outcome:
    if len(reply) > PAYLOAD_MAX:
        raise Refused("E2BIG")
    return Outcome(reply)


def _listing(node: Node) -> bytes:
    return b"".join(name + b"\0" for name in node.children)
