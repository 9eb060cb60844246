"""The model's tree: nodes that hold their children in a dictionary, versions that are copies.

Nothing here is fast.  It is meant to be read once and believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

#: A permission entry for this domid is for every domain.
DOMID_ANY = 0x7FF5

NODE_HEADER_BYTES = 16
ENTRY_BYTES = 8

LETTERS = {"n": "", "r": "r", "w": "w", "b": "rw"}


@dataclass
class Entry:
    """One entry of a permission list.

    `unknown`: the domain did not exist when the entry was written, so it grants nothing, but is shown.
    `dead`: the domain has died since, so it is not even shown; the next write to the node drops it.
    """

    domid: int
    letter: str
    unknown: bool = False
    dead: bool = False


@dataclass(frozen=True)
class Actor:
    """On whose behalf something is done."""

    domid: int
    privileged: bool
    target: int | None = None

    def rights_on(self, node: "Node") -> set[str]:
        """What it may do: read, write, or as the owner."""
        if self.privileged:
            return set("rwo")
        identities = {self.domid, self.target, DOMID_ANY}
        if node.perms[0].domid in identities:
            return set("rwo")
        for entry in node.perms[1:]:
            if not entry.unknown and not entry.dead and entry.domid in identities:
                return set(LETTERS[entry.letter])
        return set(LETTERS[node.perms[0].letter])

    def may_read(self, node: "Node | None") -> bool:
        return node is not None and "r" in self.rights_on(node)


@dataclass
class Node:
    """One node; `children` are in creation order, as dictionaries keep it."""

    perms: list[Entry]
    value: bytes = b""
    children: dict[bytes, Self] = field(default_factory=dict)

    @property
    def owner(self) -> int:
        return self.perms[0].domid

    @property
    def size(self) -> int:
        """Bytes that the quota "node-size" bounds."""
        names = sum(len(name) + 1 for name in self.children)
        return NODE_HEADER_BYTES + ENTRY_BYTES * len(self.perms) + len(self.value) + names

    def visible_perms(self) -> list[Entry]:
        return [replace(entry) for entry in self.perms if not entry.dead]

    def written(self) -> None:
        self.perms = self.visible_perms()

    def copy(self) -> "Node":
        children = {name: child.copy() for name, child in self.children.items()}
        return Node([replace(entry) for entry in self.perms], self.value, children)


def components(path: bytes) -> list[bytes]:
    return path.split(b"/")[1:] if path != b"/" else []


def join(path: bytes, name: bytes) -> bytes:
    return path + name if path == b"/" else path + b"/" + name


def parent_path(path: bytes) -> bytes:
    """The path of the parent of an absolute path other than "/"."""
    return path.rpartition(b"/")[0] or b"/"


class Tree:
    """One version of the store's content."""

    def __init__(self, root: Node, specials: dict[bytes, Node]) -> None:
        self.root = root
        self.specials = specials

    @classmethod
    def fresh(cls) -> "Tree":
        """What a new store holds."""
        dom0 = [Entry(0, "n")]
        root = Node(
            list(dom0), children={b"tool": Node(list(dom0), children={b"xenstored": Node(list(dom0))})}
        )
        released = Node([Entry(0, "n"), Entry(DOMID_ANY, "r")])
        return cls(root, {b"@introduceDomain": Node(list(dom0)), b"@releaseDomain": released}).copy()

    def copy(self) -> "Tree":
        return Tree(self.root.copy(), {name: node.copy() for name, node in self.specials.items()})

    def find(self, path: bytes) -> Node | None:
        """The node at a path."""
        if path.startswith(b"@"):
            return self.specials.get(path)
        node: Node | None = self.root
        for name in components(path):
            node = node.children.get(name) if node else None
        return node

    def nearest(self, path: bytes) -> tuple[bytes, Node]:
        """The deepest node on the way to a path that exists, the path's own perhaps, and its path."""
        if path.startswith(b"@"):
            name = path.partition(b"/")[0]
            return name, self.specials.get(name, Node([Entry(0, "n")]))
        while (node := self.find(path)) is None:
            path = parent_path(path)
        return path, node

    def parent(self, path: bytes) -> Node | None:
        """The parent of the node at a path; "/" and special nodes have none."""
        return None if path == b"/" or path.startswith(b"@") else self.find(parent_path(path))

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Every node with its path, parents first, children in creation order; special nodes last."""
        yield from below(b"/", self.root)
        yield from self.specials.items()

    def nodes_of(self, domid: int) -> int:
        return sum(node.owner == domid for _, node in self.walk())

    def bytes_of(self, domid: int) -> int:
        """What a domain is charged for its nodes."""
        return sum(len(path) + node.size for path, node in self.walk() if node.owner == domid)


def below(path: bytes, node: Node) -> Iterator[tuple[bytes, Node]]:
    yield path, node
    for name, child in list(node.children.items()):
        yield from below(join(path, name), child)


def children_first(path: bytes, node: Node) -> Iterator[tuple[bytes, Node, Node]]:
    """What lies below a node, (path, node, its parent), every node after its children."""
    for name, child in node.children.items():
        yield from children_first(join(path, name), child)
        yield join(path, name), child, node


def parents_first(path: bytes, node: Node) -> Iterator[tuple[bytes, Node, Node]]:
    """The same, every node before its children."""
    for name, child in node.children.items():
        yield join(path, name), child, node
        yield from parents_first(join(path, name), child)
