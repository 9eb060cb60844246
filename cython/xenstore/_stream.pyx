# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The nodes of a store as records of Xen's migration stream, written in slices and read in one go.

Format: live-update.md 2 (NODE_DATA).  `NUMBERED_NODE` is ours: NODE_DATA after the node's
creation number, so that a directory's children may come in any order and none has to be sorted to be
written.  Everything read is checked: the stream may be torn or flipped.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from xenstore._accounts cimport Account
from xenstore._ledger cimport Ledger
from xenstore._names cimport FANOUT, Piece, hash_name, in_order, insert, items_of, lookup, new_directory, pieces_of
from xenstore._path cimport valid_path
from xenstore._perms cimport READ, STALE, WRITE, Entry, Perms, entries, make_perms
from xenstore._store cimport Store
from xenstore._tree cimport Node, Tree, intern, node_size, parent_size
from xenstore._view cimport PAYLOAD_MAX

from xenstore.limits import QUOTA_INDEX

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept

cdef enum:
    HEADER_SIZE = 8                 # of a record: type, bytes that follow
    NUMBER_SIZE = 8
    PATH_MAX = PAYLOAD_MAX + 32     # what a session can make of a request's path
    LEVELS_MAX = (PATH_MAX >> 1) + 2

cdef enum:
    T_NODE = 5
    T_NUMBERED_NODE = 0x58450003

NODE = T_NODE
NUMBERED_NODE = T_NUMBERED_NODE

#: How far a new store's generations begin above the old one's, so that no listing has one that it had before.
cdef uint64_t GENERATION_GAP = <uint64_t>1 << 32

cdef char[4] LETTERS = [c"n", c"r", c"w", c"b"]     # indexed by READ | WRITE


cdef packed struct NodeHeader:
    uint32_t conn_id                # 0: committed, as everything here
    uint32_t tx_id
    uint16_t path_size              # with its NUL
    uint16_t value_size
    uint16_t access
    uint16_t perm_count


cdef packed struct PermRecord:
    uint8_t letter
    uint8_t flags
    uint16_t domid


class StreamError(Exception):
    """The bytes are no stream of this format.

    Attributes:
        offset: where in the stream.
        type: of the record there; None: outside of any.
    """

    def __init__(self, offset, type, problem):
        where = "" if type is None else f" in a record of type {type:#x}"
        super().__init__(f"at byte {offset}{where}: {problem}")
        self.offset = offset
        self.type = type


def generation(Store store not None) -> int:
    """A number that no node's generation exceeds."""
    return store.live.tree.history.generation


def set_quotas(Store store not None, defaults, of_domains) -> None:
    """Make these the quotas: the defaults by name, and those of domains by domid and name, which get an account.

    An account that is there already and not named gets the defaults.
    """
    cdef Account account
    for name, value in defaults.items():
        store.accounts.defaults[<int>QUOTA_INDEX[name]] = value
        for known in store.accounts:
            account = known
            account.quotas[<int>QUOTA_INDEX[name]] = value
    for domid, quotas in of_domains.items():
        account = store.accounts.of(domid)
        for name, value in quotas.items():
            account.quotas[<int>QUOTA_INDEX[name]] = value


# --- writing ------------------------------------------------------------------------------------------

cdef struct Level:                  # what is left to write of one directory, or of one piece of it
    PyObject **items                # nodes, or pieces
    uint32_t count, next
    bint pieces
    bint owned                      # the array is ours to free
    Py_ssize_t path_size            # of the directory's node; its children's paths begin so


@cython.final
cdef class NodeWriter:
    """Writes the nodes that a store has now; what happens to it later does not matter.

    numbered: as NUMBERED_NODE records, at a cost per node that does not depend on the size of directories;
    otherwise as NODE records in creation order.  Made at constant cost.
    """

    cdef Tree tree
    cdef bint numbered
    cdef bint specials_done
    cdef Level *levels
    cdef Py_ssize_t used, room
    cdef char path[PATH_MAX + 1]
    cdef char *out
    cdef Py_ssize_t out_used, out_room

    def __init__(self, Store store not None, bint numbered=False):
        self.tree = store.live.tree.fork()
        self.numbered = numbered

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.used):
            if self.levels[i].owned:
                PyMem_Free(self.levels[i].items)
        PyMem_Free(self.levels)
        PyMem_Free(self.out)

    def next(self, Py_ssize_t limit) -> bytes:
        """Whole records of about `limit` bytes; empty: all nodes are written.

        Cost: the records, and that of sorting a directory that is begun, unless `numbered`.
        """
        self.out_used = 0
        if self.tree is None:
            return b""
        self.reserve(limit)
        if self.used == 0:
            self.path[0] = c"/"
            self.put(self.tree.root, 1)
            self.descend(self.tree.root, 1)
        while self.out_used < limit and self.step():
            pass
        return self.out[:self.out_used]

    cdef bint step(self) except -1:
        """Write one node; False: there is none left."""
        cdef Level *level
        cdef PyObject *item
        while True:
            if self.used == 0:
                if self.specials_done:
                    self.tree = None
                    return False
                self.specials_done = True
                self.descend(self.tree.specials, 0)
                continue
            level = &self.levels[self.used - 1]
            if level.next == level.count:
                if level.owned:
                    PyMem_Free(level.items)
                self.used -= 1
                continue
            item = level.items[level.next]
            level.next += 1
            if not level.pieces:
                self.write_child(<Node>item, level.path_size)
                return True
            if item != NULL:
                self.push_piece(<Piece *>item, level.path_size)

    cdef int write_child(self, Node node, Py_ssize_t above) except -1:
        cdef Py_ssize_t size = above
        if above > 1:
            self.path[size] = c"/"
            size += 1
        memcpy(self.path + size, PyBytes_AS_STRING(node.name), PyBytes_GET_SIZE(node.name))
        size += PyBytes_GET_SIZE(node.name)
        self.put(node, size)
        return self.descend(node, size)

    cdef int descend(self, Node node, Py_ssize_t path_size) except -1:
        """Continue with a node's children."""
        cdef Level level
        if node.children == NULL:
            return 0
        if self.numbered:
            return self.push_piece(node.children, path_size)
        level.items = in_order(node.children)
        level.count = node.children.count
        level.pieces = False
        level.owned = True
        level.next = 0
        level.path_size = path_size
        return self.push(level)

    cdef int push_piece(self, Piece *piece, Py_ssize_t path_size) except -1:
        cdef Level level
        level.pieces = piece.size == 0
        level.items = <PyObject **>pieces_of(piece) if level.pieces else items_of(piece)
        level.count = FANOUT if level.pieces else piece.used
        level.owned = False
        level.next = 0
        level.path_size = path_size
        return self.push(level)

    cdef int push(self, Level level) except -1:
        cdef Level *grown
        if self.used == self.room:
            grown = <Level *>PyMem_Realloc(self.levels, (self.room * 2 + 32) * sizeof(Level))
            if grown == NULL:
                if level.owned:
                    PyMem_Free(level.items)
                raise MemoryError()
            self.levels = grown
            self.room = self.room * 2 + 32
        self.levels[self.used] = level
        self.used += 1
        return 0

    cdef int reserve(self, Py_ssize_t size) except -1:
        cdef char *grown
        if size > self.out_room:
            grown = <char *>PyMem_Realloc(self.out, size + size // 4)
            if grown == NULL:
                raise MemoryError()
            self.out = grown
            self.out_room = size + size // 4
        return 0

    cdef int put(self, Node node, Py_ssize_t path_size) except -1:
        """Write the record of one node, whose path is in self.path."""
        cdef Perms perms = self.tree.current_perms(node)
        cdef Entry *entry = entries(perms)
        cdef NodeHeader header
        cdef PermRecord perm
        cdef Py_ssize_t i, value_size = PyBytes_GET_SIZE(node.value)
        cdef uint32_t[2] head
        cdef char *start
        cdef char *p
        if value_size > 0xFFFF or perms.count > 0xFFFF:
            raise ValueError(f"{self.path[:path_size]!r}: the stream has no room for a node of this size")
        self.reserve(self.out_used + HEADER_SIZE + NUMBER_SIZE + <Py_ssize_t>sizeof(NodeHeader)
                     + perms.count * <Py_ssize_t>sizeof(PermRecord) + path_size + 1 + value_size + 7)
        start = p = self.out + self.out_used + HEADER_SIZE
        if self.numbered:
            memcpy(p, &node.number, NUMBER_SIZE)
            p += NUMBER_SIZE
        header.conn_id = header.tx_id = 0
        header.path_size = <uint16_t>(path_size + 1)
        header.value_size = <uint16_t>value_size
        header.access = 0
        header.perm_count = <uint16_t>perms.count
        memcpy(p, &header, sizeof(NodeHeader))
        p += sizeof(NodeHeader)
        for i in range(perms.count):
            perm.letter = LETTERS[entry[i].right]
            perm.flags = entry[i].flags
            perm.domid = entry[i].domid
            memcpy(p, &perm, sizeof(PermRecord))
            p += sizeof(PermRecord)
        memcpy(p, self.path, path_size)
        p[path_size] = 0
        p += path_size + 1
        memcpy(p, PyBytes_AS_STRING(node.value), value_size)
        p += value_size
        while (p - start) & 7:
            p[0] = 0
            p += 1
        head[0] = T_NUMBERED_NODE if self.numbered else T_NODE
        head[1] = <uint32_t>(p - start)
        memcpy(start - HEADER_SIZE, head, HEADER_SIZE)
        self.out_used = p - self.out
        return 0


# --- reading ------------------------------------------------------------------------------------------

@cython.final
cdef class NodeReader:
    """Puts the nodes of a stream into a store, in the place of those it has.

    generation: as `Image.generation`; the nodes get higher ones.  After the last record comes `finish`.
    A store in which reading failed is of no further use.
    """

    cdef Store store
    cdef Tree tree
    cdef const unsigned char *data
    cdef Py_ssize_t at              # the record being read, for errors
    cdef uint32_t type
    cdef char path[PATH_MAX]        # of the node read last: the next one is mostly below it, or beside it
    cdef Py_ssize_t path_size
    cdef PyObject *nodes[LEVELS_MAX]    # on the way to it, from the root (borrowed)
    cdef Py_ssize_t ends[LEVELS_MAX]    # where in path each one's name ends
    cdef int depth                  # how many of these
    cdef bint has_root
    cdef Perms perms                # of the node read last

    def __init__(self, Store store not None, uint64_t generation=0):
        cdef Tree tree = store.live.tree
        self.store = store
        self.tree = tree
        if store.sessions:
            raise ValueError("nodes are read into a store that has no sessions yet")
        tree.charge_subtree(tree.root, 1, -1)
        tree.root = self.fresh_node(tree.root.perms)
        tree.ledger.add(entries(tree.root.perms)[0].domid, 1, node_size(tree.root) + 1)
        store.settle()
        tree.history.generation = generation + GENERATION_GAP
        tree.root.generation = tree.history.generation

    cdef Node fresh_node(self, Perms perms):
        cdef Node node = Node.__new__(Node)
        node.name = node.value = b""
        node.epoch = self.tree.epoch
        node.generation = self.tree.history.generation
        node.perms = perms
        return node

    def read(self, stream, Py_ssize_t at) -> int:
        """Read the node records that begin at an offset; returns where the first other record begins, or the end.

        Raises:
            StreamError: a record is no node as a store can hold it, or its parent is missing.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(stream, &view, PyBUF_SIMPLE)
        self.data = <const unsigned char *>view.buf
        try:
            return self.read_records(at, view.len)
        finally:
            self.data = NULL
            PyBuffer_Release(&view)

    cdef Py_ssize_t read_records(self, Py_ssize_t at, Py_ssize_t size) except -1:
        cdef uint32_t[2] head
        while size - at >= HEADER_SIZE:
            memcpy(head, self.data + at, HEADER_SIZE)
            if head[0] != T_NODE and head[0] != T_NUMBERED_NODE:
                break
            self.at = at
            self.type = head[0]
            if size - at - HEADER_SIZE < ((<Py_ssize_t>head[1] + 7) & ~7):
                self.refuse(f"{head[1]} bytes are announced, {size - at - HEADER_SIZE} follow")
            self.read_record(at + HEADER_SIZE, head[1])
            at += HEADER_SIZE + ((<Py_ssize_t>head[1] + 7) & ~7)
        return at

    def finish(self) -> None:
        """Book the nodes on their owners' accounts.

        Raises:
            StreamError: there was no node "/".
        """
        if not self.has_root:
            raise StreamError(self.at, None, "the stream has no node /")
        self.tree.replaced_bytes = 0
        self.store.settle()

    cdef int refuse(self, problem) except -1:
        raise StreamError(self.at, self.type, problem)

    cdef int read_record(self, Py_ssize_t at, Py_ssize_t size) except -1:
        cdef const char *p = <const char *>self.data + at
        cdef NodeHeader header
        cdef uint64_t number
        cdef Py_ssize_t used = sizeof(NodeHeader)
        if self.type == T_NUMBERED_NODE:
            used += NUMBER_SIZE
        if size < used:
            return self.refuse(f"a node takes {used} bytes at least, there are {size}")
        if self.type == T_NUMBERED_NODE:
            memcpy(&number, p, NUMBER_SIZE)
            p += NUMBER_SIZE
            if number >> 56:
                return self.refuse(f"creation number {number} is out of range")
            if number > self.tree.history.number:
                self.tree.history.number = number
        else:
            self.tree.history.number += 1
            number = self.tree.history.number
        memcpy(&header, p, sizeof(NodeHeader))
        p += sizeof(NodeHeader)
        used += <Py_ssize_t>header.perm_count * <Py_ssize_t>sizeof(PermRecord) + header.path_size + header.value_size
        if size < used:
            return self.refuse(f"permissions, path and value take {used} bytes, there are {size}")
        if header.conn_id or header.tx_id:
            return self.refuse("the node belongs to an open transaction, where only committed ones are expected")
        self.read_perms(p, header.perm_count)
        p += header.perm_count * sizeof(PermRecord)
        if header.path_size < 2 or header.path_size > PATH_MAX or memchr(p, 0, header.path_size) != p + header.path_size - 1:
            return self.refuse(f"a path of 1 to {PATH_MAX - 1} bytes and a NUL are expected")
        return self.place(p, header.path_size - 1, p + header.path_size, header.value_size, number)

    cdef int read_perms(self, const char *p, uint16_t count) except -1:
        """Make self.perms the list of these records."""
        cdef bytes packed
        cdef Entry *entry
        cdef PermRecord perm
        cdef uint16_t i
        if count == 0:
            return self.refuse("a node has one permission at least")
        packed = PyBytes_FromStringAndSize(NULL, count * <Py_ssize_t>sizeof(Entry))
        entry = <Entry *>PyBytes_AS_STRING(packed)
        for i in range(count):
            memcpy(&perm, p + i * sizeof(PermRecord), sizeof(PermRecord))
            if perm.letter == c"n":
                entry[i].right = 0
            elif perm.letter == c"r":
                entry[i].right = READ
            elif perm.letter == c"w":
                entry[i].right = WRITE
            elif perm.letter == c"b":
                entry[i].right = READ | WRITE
            else:
                return self.refuse(f"{perm.letter} is no permission; n, r, w, b are")
            entry[i].domid = perm.domid
            entry[i].flags = perm.flags & STALE
        if self.perms is None or packed != self.perms.packed:
            self.perms = make_perms(packed)
        return 0

    cdef int place(self, const char *path, Py_ssize_t size, const char *value, Py_ssize_t value_size,
                   uint64_t number) except -1:
        """Put a node where its path says."""
        cdef Node node
        cdef bytes text = PyBytes_FromStringAndSize(value, value_size)
        if not valid_path(path, size):
            return self.refuse(f"{path[:size]!r} is no valid path")
        if path[0] == c"@":
            return self.set_special(path, size, text)
        if path[0] != c"/":
            return self.refuse(f"{path[:size]!r} is not absolute")
        if size == 1:
            if self.has_root:
                return self.refuse("a second node /")
            self.has_root = True
            self.set_node(self.tree.root, 1, intern(text))
            self.depth = 1
            self.nodes[0] = <PyObject *>self.tree.root
            self.ends[0] = 0
            self.path_size = 0
            return 0
        self.find_parent(path, parent_size(path, size))
        node = self.fresh_node(self.perms)
        node.number = number
        node.value = intern(text)
        self.add(path, size, node)
        return 0

    cdef int find_parent(self, const char *path, Py_ssize_t size) except -1:
        """Make the way to the parent, of this path, the current one."""
        cdef Py_ssize_t end = 0 if size == 1 else size
        cdef PyObject *found
        cdef Py_ssize_t start, stop
        if not self.has_root:
            return self.refuse("there was no node / before")
        if end <= self.path_size and memcmp(path, self.path, end) == 0:
            while self.depth and self.ends[self.depth - 1] > end:
                self.depth -= 1
            if self.ends[self.depth - 1] == end:
                self.path_size = end
                return 0
        # Not beside or below the node before, as a stream in preorder has it: from the root, then.
        self.depth = 1
        start = 0
        while start < end:
            stop = start + 1
            while stop < end and path[stop] != c"/":
                stop += 1
            found = NULL
            if (<Node>self.nodes[self.depth - 1]).children != NULL:
                found = lookup((<Node>self.nodes[self.depth - 1]).children, path + start + 1, stop - start - 1,
                               hash_name(path + start + 1, stop - start - 1))
            if found == NULL:
                return self.refuse(f"{path[:size]!r}, the parent, was not there before")
            self.nodes[self.depth] = found
            self.ends[self.depth] = stop
            self.depth += 1
            start = stop
        memcpy(self.path, path, end)
        self.path_size = end
        return 0

    cdef int add(self, const char *path, Py_ssize_t size, Node node) except -1:
        """Put a node below the one that the current way ends at; the way then ends at this one."""
        cdef Node parent = <Node>self.nodes[self.depth - 1]
        cdef Py_ssize_t start = self.path_size + 1
        cdef uint32_t hash = hash_name(path + start, size - start)
        if parent.children == NULL:
            parent.children = new_directory()
        elif lookup(parent.children, path + start, size - start, hash) != NULL:
            return self.refuse(f"a second node {path[:size]!r}")
        node.name = intern(PyBytes_FromStringAndSize(path + start, size - start))
        insert(&parent.children, node, hash)
        self.tree.ledger.add(entries(parent.perms)[0].domid, 0, size - start + 1)
        self.tree.ledger.add(entries(node.perms)[0].domid, 1, node_size(node) + size)
        memcpy(self.path + self.path_size, path + self.path_size, size - self.path_size)
        self.path_size = size
        self.nodes[self.depth] = <PyObject *>node
        self.ends[self.depth] = size
        self.depth += 1
        return 0

    cdef int set_special(self, const char *path, Py_ssize_t size, bytes value) except -1:
        cdef PyObject *found = lookup(self.tree.specials.children, path, size, hash_name(path, size))
        if found == NULL:
            return self.refuse(f"{path[:size]!r} is no special node")
        return self.set_node(<Node>found, size, value)

    cdef int set_node(self, Node node, Py_ssize_t path_size, bytes value) except -1:
        """Give a node that every store has its value and permissions."""
        cdef Ledger ledger = self.tree.ledger
        ledger.add(entries(node.perms)[0].domid, -1, -(node_size(node) + path_size))
        node.perms = self.perms
        node.value = value
        node.generation = self.tree.history.generation
        ledger.add(entries(node.perms)[0].domid, 1, node_size(node) + path_size)
        return 0


def check_path(bytes path not None) -> bool:
    """Whether a path of a client, relative or absolute, is one that a session can spell out."""
    return len(path) <= PAYLOAD_MAX and valid_path(path, len(path))
