# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The tree of nodes, in versions that share structure.

A `Tree` is one version: a root and an *epoch*.  Taking a snapshot (`fork`) is one reference to the root
and a new epoch for both sides; an edit changes nodes of the version's own epoch in place and copies the
others on its path, once.  If a node is of a version's epoch then so is everything above it.

Paths are absolute and already checked: "/", "/a/b", or "@name" for the two special nodes.  Nothing here
recurses along a path (XSA-418) or knows of permissions' meaning; quotas read the `ledger`, to which every
edit adds what it did to the owners of nodes.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.string cimport memchr

from xenstore._names cimport (
    editable_slot, hash_name, in_any_order, insert, lookup, new_directory, release, remove as remove_name,
)
from xenstore._perms cimport Entry, entries, keep_only, make_perms, with_owner

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)

cdef enum:
    NODE_HEADER = 16                # what a node is charged beside its parts (struct xs_tdb_record_hdr)
    PERM_SIZE = 8
    NODE_BYTES = 80                 # what a copy of a node really takes, for what snapshots pin
    INTERNED_MAX = 16384
    INTERNED_BYTES = 32

#: Names and short values in use.  Bounded: emptied when full, the strings live on in their nodes.
cdef dict interned = {}


cdef bytes intern(bytes text):
    """An equal string, the same one as last time where it is short."""
    if PyBytes_GET_SIZE(text) > INTERNED_BYTES:
        return text
    if len(interned) >= INTERNED_MAX:
        interned.clear()
    return <bytes>interned.setdefault(text, text)


@cython.final
@cython.no_gc
cdef class Node(Named):
    """One node of one or more versions."""

    def __dealloc__(self):
        if self.children != NULL:
            release(self.children)


@cython.final
cdef class History:
    """The counters that all versions of one store share."""


cdef long node_size(Node node) noexcept:
    """Bytes of a node that the quota "node-size" bounds: header, permissions, value, names of children."""
    cdef long size = NODE_HEADER + PERM_SIZE * node.perms.count + PyBytes_GET_SIZE(node.value)
    if node.children != NULL:
        size += node.children.names_size
    return size


cdef Py_ssize_t parent_size(const char *path, Py_ssize_t size) noexcept:
    """Bytes of the path of the parent of "/a/b" ("/a"); of "/a" it is 1 ("/")."""
    while size > 1 and path[size - 1] != c'/':
        size -= 1
    return size - 1 if size > 1 else 1


@cython.final
cdef class Tree:
    """One version of the store's nodes."""

    def __cinit__(self):
        self.ledger = Ledger()

    cdef Place find(self, const char *path, Py_ssize_t size) noexcept:
        """Where a path leads in this version; references are borrowed."""
        cdef Place place
        cdef PyObject *child
        cdef const char *end
        cdef Py_ssize_t start = 1, stop
        cdef PyObject *node = <PyObject *>self.root
        if path[0] == c'@':
            node = <PyObject *>self.specials
            start = 0
        place.matched = 1
        if path[0] == c'/' and size == 1:
            place.node = place.nearest = node
            return place
        while True:
            end = <const char *>memchr(path + start, c'/', size - start)
            stop = size if end == NULL else end - path
            child = NULL
            if (<Node>node).children != NULL:
                child = lookup((<Node>node).children, path + start, stop - start, hash_name(path + start, stop - start))
            if child == NULL:
                place.node = NULL
                place.nearest = node
                return place
            node = child
            place.matched = stop
            if stop == size:
                place.node = place.nearest = node
                return place
            start = stop + 1

    cdef PyObject *parent_of(self, const char *path, Py_ssize_t size) noexcept:
        """The parent of the node at path (borrowed), or NULL: none, for "/" and special nodes, or missing."""
        if size == 1 or path[0] == c'@':
            return NULL
        return self.find(path, parent_size(path, size)).node

    cdef Tree fork(self):
        """A version of its own with the same content.  Constant cost."""
        cdef Tree tree = Tree.__new__(Tree)
        tree.history = self.history
        tree.root = self.root
        tree.specials = self.specials
        tree.deaths = self.deaths
        self.history.epoch += 2
        tree.epoch = self.history.epoch
        self.epoch = self.history.epoch - 1
        return tree

    cdef int note_death(self, int domid) except -1:
        """From now on entries of permission lists that name this domain count no more, unless written later."""
        self.history.generation += 1
        self.deaths = {**self.deaths, domid: self.history.generation}
        return 0

    cdef Perms current_perms(self, Node node):
        """A node's permissions without the entries of domains that died after its last write (XSA-322)."""
        cdef Perms perms = node.perms
        cdef Entry *entry
        cdef bint *keep
        cdef bint stale = False
        cdef Py_ssize_t i
        if perms.count == 1 or not self.deaths:
            return perms
        entry = entries(perms)
        keep = <bint *>PyMem_Malloc(perms.count * sizeof(bint))
        if keep == NULL:
            raise MemoryError()
        for i in range(1, perms.count):
            keep[i] = <uint64_t>self.deaths.get(entry[i].domid, 0) < node.generation
            stale |= not keep[i]
        if stale:
            perms = keep_only(perms, keep)
        PyMem_Free(keep)
        return perms

    cdef int stamp(self, Node node) except -1:
        """Note that a node of this version's own is written now; entries of dead domains go for good."""
        cdef Perms perms
        if self.deaths and node.perms.count > 1:
            perms = self.current_perms(node)
            if perms is not node.perms:
                self.ledger.add(entries(perms)[0].domid, 0, PERM_SIZE * (perms.count - node.perms.count))
                node.perms = perms
        self.history.generation += 1
        node.generation = self.history.generation
        return 0

    cdef Node own_copy(self, Node node):
        cdef Node copy = Node.__new__(Node)
        copy.name = node.name
        copy.number = node.number
        copy.epoch = self.epoch
        copy.generation = node.generation
        copy.value = node.value
        copy.perms = node.perms
        copy.children = node.children
        if copy.children != NULL:
            copy.children.refs += 1
        self.replaced_bytes += NODE_BYTES + PyBytes_GET_SIZE(node.value)
        return copy

    cdef Node own_child(self, Node node, const char *name, Py_ssize_t size):
        """The child of a node of this version's own, made this version's own; None when there is none."""
        cdef PyObject **slot
        cdef Node child
        if node.children == NULL:
            return None
        slot = editable_slot(&node.children, name, size, hash_name(name, size))
        if slot == NULL:
            return None
        if (<Node>slot[0]).epoch != self.epoch:
            child = self.own_copy(<Node>slot[0])
            Py_INCREF(child)
            Py_DECREF(<object>slot[0])
            slot[0] = <PyObject *>child
        return <Node>slot[0]

    cdef Node edit(self, const char *path, Py_ssize_t size):
        """The existing node at path, made this version's own with everything above it."""
        cdef const char *end
        cdef Py_ssize_t start = 1, stop
        cdef Node node
        if path[0] == c'@':
            if self.specials.epoch != self.epoch:
                self.specials = self.own_copy(self.specials)
            return self.own_child(self.specials, path, size)
        if self.root.epoch != self.epoch:
            self.root = self.own_copy(self.root)
        node = self.root
        while start < size:
            end = <const char *>memchr(path + start, c'/', size - start)
            stop = size if end == NULL else end - path
            node = self.own_child(node, path + start, stop - start)
            start = stop + 1
        return node

    cdef int set_value(self, Node node, const char *path, Py_ssize_t size, bytes value) except -1:
        """Give the existing node at path another value."""
        if node.epoch != self.epoch:
            node = self.edit(path, size)
        self.ledger.add(entries(node.perms)[0].domid, 0, PyBytes_GET_SIZE(value) - PyBytes_GET_SIZE(node.value))
        node.value = value
        self.stamp(node)
        return 0

    cdef int set_perms(self, const char *path, Py_ssize_t size, Perms perms) except -1:
        """Give the existing node at path other permissions, perhaps another owner."""
        cdef Node node = self.edit(path, size)
        cdef long bytes_now = node_size(node) + size
        self.ledger.add(entries(node.perms)[0].domid, -1, -bytes_now)
        bytes_now += PERM_SIZE * (perms.count - node.perms.count)
        self.ledger.add(entries(perms)[0].domid, 1, bytes_now)
        self.history.generation += 1
        node.generation = self.history.generation
        node.perms = perms
        return 0

    cdef int create(self, const char *path, Py_ssize_t size, Py_ssize_t existing, bytes value, int creator) except -1:
        """Make the missing node at path and the missing ones above it.

        existing: bytes of the path of the nearest existing ancestor.  New nodes take its permissions, owned by
        creator unless that is NO_DOMAIN; those above the last get an empty value.
        """
        cdef Node node = self.edit(path, existing)
        cdef Node child
        cdef Perms perms
        cdef const char *end
        cdef Py_ssize_t start = existing + 1 if existing > 1 else 1
        cdef Py_ssize_t stop
        perms = self.current_perms(node)
        if creator >= 0:
            perms = with_owner(perms, creator)
        while start < size:
            end = <const char *>memchr(path + start, c'/', size - start)
            stop = size if end == NULL else end - path
            child = Node.__new__(Node)
            child.name = intern(PyBytes_FromStringAndSize(path + start, stop - start))
            child.epoch = self.epoch
            self.history.number += 1
            child.number = self.history.number
            child.value = value if stop == size else b""
            child.perms = perms
            self.history.generation += 1
            child.generation = self.history.generation
            self.ledger.add(entries(perms)[0].domid, 1, node_size(child) + stop)
            self.add_child(node, child, path + start, stop - start)
            node = child
            start = stop + 1
        return 0

    cdef int add_child(self, Node node, Node child, const char *name, Py_ssize_t size) except -1:
        if node.children == NULL:
            node.children = new_directory()
        insert(&node.children, child, hash_name(name, size))
        self.ledger.add(entries(node.perms)[0].domid, 0, size + 1)
        self.stamp(node)
        return 0

    cdef Node remove(self, const char *path, Py_ssize_t size):
        """Take the existing node at path (not "/") and everything below out of this version; returns it."""
        cdef Py_ssize_t above = parent_size(path, size)
        cdef Py_ssize_t start = above + 1 if above > 1 else 1
        cdef Node parent = self.edit(path, above)
        cdef Node top
        top = <Node>remove_name(&parent.children, path + start, size - start, hash_name(path + start, size - start))
        if parent.children.count == 0:
            release(parent.children)
            parent.children = NULL
        self.ledger.add(entries(parent.perms)[0].domid, 0, -(size - start + 1))
        self.stamp(parent)
        self.charge_subtree(top, size, -1)
        return top

    cdef int charge_subtree(self, Node top, Py_ssize_t path_size, long sign) except -1:
        """Add every node of a subtree to the ledger (sign 1) or take it off (-1).  Cost: its nodes."""
        cdef Py_ssize_t used = 1, room = 64, below
        cdef Pending *stack = <Pending *>PyMem_Malloc(room * sizeof(Pending))
        cdef Pending *grown
        cdef Pending now
        cdef PyObject **items
        cdef Piece *children
        cdef uint32_t i
        if stack == NULL:
            raise MemoryError()
        stack[0].node = <PyObject *>top
        stack[0].path_size = path_size
        try:
            while used:
                used -= 1
                now = stack[used]
                self.ledger.add(entries((<Node>now.node).perms)[0].domid, sign,
                                sign * (node_size(<Node>now.node) + now.path_size))
                if sign < 0:
                    self.replaced_bytes += NODE_BYTES
                children = (<Node>now.node).children
                if children == NULL:
                    continue
                if used + children.count > room:
                    room = (used + children.count) * 2
                    grown = <Pending *>PyMem_Realloc(stack, room * sizeof(Pending))
                    if grown == NULL:
                        raise MemoryError()
                    stack = grown
                below = now.path_size + (now.path_size > 1)     # with the slash; "/" has it already
                items = in_any_order(children)
                for i in range(children.count):
                    stack[used].node = items[i]
                    stack[used].path_size = below + PyBytes_GET_SIZE((<Node>items[i]).name)
                    used += 1
                PyMem_Free(items)
        finally:
            PyMem_Free(stack)
        return 0


cdef struct Pending:
    PyObject *node
    Py_ssize_t path_size


cdef Tree fresh_tree():
    """A new store's content: "/", "/tool", "/tool/xenstored" and the two special nodes, all dom0's.

    Everybody may watch domains go (@releaseDomain is n0 r<DOMID_ANY>), only dom0 may watch them come.
    """
    cdef Tree tree = Tree.__new__(Tree)
    cdef Entry entry[2]
    cdef Node node
    tree.history = History()
    tree.deaths = {}
    tree.history.epoch = tree.epoch = 1
    entry[0].domid = 0
    entry[0].right = 0
    entry[0].flags = 0
    entry[1].domid = 0x7FF5
    entry[1].right = 1
    entry[1].flags = 0
    for name in ("root", "specials"):
        node = Node.__new__(Node)
        node.name = b""
        node.value = b""
        node.epoch = 1
        node.perms = make_perms((<char *>entry)[: sizeof(Entry)])
        if name == "root":
            tree.root = node
        else:
            tree.specials = node
    tree.ledger.add(0, 1, node_size(tree.root) + 1)
    for path in (b"/tool/xenstored", b"@introduceDomain", b"@releaseDomain"):
        if path[0] == c'@':
            create_special(tree, path)
        else:
            tree.create(path, len(path), 1, b"", -1)
    tree.set_perms(b"@releaseDomain", 14, make_perms((<char *>entry)[: 2 * sizeof(Entry)]))
    return tree


cdef create_special(Tree tree, bytes name):
    cdef Node node = Node.__new__(Node)
    node.name = name
    node.value = b""
    node.epoch = tree.epoch
    node.perms = tree.specials.perms
    tree.history.number += 1
    node.number = tree.history.number
    tree.history.generation += 1
    node.generation = tree.history.generation
    if tree.specials.children == NULL:
        tree.specials.children = new_directory()
    insert(&tree.specials.children, node, hash_name(name, len(name)))
    tree.ledger.add(0, 1, node_size(node) + len(name))
