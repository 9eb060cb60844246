# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A directory: named items found by name, listed in creation order, shared between versions.

A small directory is one array.  Above LEAF_MAX items it is a hash trie: a piece is either a leaf of at
most LEAF_MAX items or a branch of FANOUT pieces, chosen by the next four bits of the name's hash.  A
piece belongs to one *epoch*; a version edits pieces of its own epoch in place and copies others first,
so versions share what they did not change and no edit costs in proportion to the directory.

Names come from guests, so hashes are Python's keyed ones.  The types are outside the garbage collector:
items do not know their parents, hence there are no cycles.  Freeing never recurses: a piece that dies
hands its sub-pieces, and a node its directory, to a graveyard that `dismantle` empties in slices
(XSA-418: a tree as deep as a path is long; and a large removed subtree must not be one long pause).
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memmove, memset

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030E0000
    #define xend_hash_bytes(data, size) Py_HashBuffer(data, size)
    #else
    #define xend_hash_bytes(data, size) _Py_HashBytes(data, size)
    #endif
    """
    Py_hash_t xend_hash_bytes(const void *data, Py_ssize_t size) noexcept

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept

cdef enum:
    LEAF_MAX = 16
    COLLAPSE_AT = 8
    BITS = 4
    HASH_BITS = 32
    LEVELS = 9                      # HASH_BITS / BITS, and the leaf


cdef uint32_t hash_name(const char *name, Py_ssize_t size) noexcept:
    cdef uint64_t hash = <uint64_t>xend_hash_bytes(name, size)
    return <uint32_t>(hash ^ (hash >> 32))


@cython.no_gc
cdef class Named:
    """Something a directory can hold."""


@cython.no_gc
cdef class Piece:
    """A leaf or a branch of a directory."""

    def __dealloc__(self):
        cdef uint32_t i
        if self.slots == NULL:
            return
        if self.branch:
            for i in range(FANOUT):
                if self.slots[i] != NULL:
                    bury(self.slots[i])
                    Py_DECREF(<object>self.slots[i])
        else:
            for i in range(self.used):
                Py_DECREF(<object>self.slots[i])
        PyMem_Free(self.slots)


@cython.final
@cython.no_gc
cdef class Directory(Piece):
    """The items below one node."""


# --- the graveyard ---------------------------------------------------------------------------------

cdef PyObject **graves = NULL
cdef Py_ssize_t graves_used = 0
cdef Py_ssize_t graves_size = 0


cdef void bury(PyObject *piece) noexcept:
    """Keep a piece that would die now alive until `dismantle`; the caller drops its own reference as usual."""
    global graves, graves_used, graves_size
    cdef PyObject **grown
    if piece.ob_refcnt > 1:
        return
    if graves_used == graves_size:
        grown = <PyObject **>PyMem_Realloc(graves, (graves_size * 2 + 64) * sizeof(PyObject *))
        if grown == NULL:
            return
        graves = grown
        graves_size = graves_size * 2 + 64
    Py_INCREF(<object>piece)
    graves[graves_used] = piece
    graves_used += 1


cdef Py_ssize_t dismantle(Py_ssize_t budget) noexcept:
    """Free at most `budget` dead pieces (each at most LEAF_MAX items); returns how many still wait."""
    global graves_used
    while graves_used > 0 and budget > 0:
        graves_used -= 1
        budget -= 1
        Py_DECREF(<object>graves[graves_used])
    return graves_used


# --- pieces ----------------------------------------------------------------------------------------

cdef int grow_leaf(Piece piece, uint32_t size) except -1:
    cdef PyObject **slots = <PyObject **>PyMem_Malloc(size * (sizeof(PyObject *) + sizeof(uint32_t)))
    if slots == NULL:
        raise MemoryError()
    cdef uint32_t *hashes = <uint32_t *>(slots + size)
    if piece.used:
        memcpy(slots, piece.slots, piece.used * sizeof(PyObject *))
        memcpy(hashes, piece.hashes, piece.used * sizeof(uint32_t))
    PyMem_Free(piece.slots)
    piece.slots = slots
    piece.hashes = hashes
    piece.size = size
    return 0


cdef int copy_into(Piece target, Piece source) except -1:
    cdef uint32_t i
    if source.branch:
        target.slots = <PyObject **>PyMem_Malloc(FANOUT * sizeof(PyObject *))
        if target.slots == NULL:
            raise MemoryError()
        target.branch = True
        target.used = source.used
        for i in range(FANOUT):
            target.slots[i] = source.slots[i]
            if target.slots[i] != NULL:
                Py_INCREF(<object>target.slots[i])
    elif source.used:
        grow_leaf(target, source.size)
        memcpy(target.slots, source.slots, source.used * sizeof(PyObject *))
        memcpy(target.hashes, source.hashes, source.used * sizeof(uint32_t))
        target.used = source.used
        for i in range(target.used):
            Py_INCREF(<object>target.slots[i])
    return 0


cdef Piece copy_piece(Piece source, uint64_t epoch):
    cdef Piece piece = Piece.__new__(Piece)
    piece.epoch = epoch
    copy_into(piece, source)
    return piece


cdef Directory new_directory(uint64_t epoch):
    """An empty directory of this epoch."""
    cdef Directory directory = Directory.__new__(Directory)
    directory.epoch = epoch
    return directory


cdef Directory copy_directory(Directory source, uint64_t epoch):
    """The same directory for another epoch; shares every piece below its top."""
    cdef Directory directory = Directory.__new__(Directory)
    directory.epoch = epoch
    copy_into(directory, source)
    directory.count = source.count
    directory.names_size = source.names_size
    directory.listing = source.listing
    return directory


cdef inline bint has_name(PyObject *item, const char *name, Py_ssize_t size) noexcept:
    return (
        PyBytes_GET_SIZE((<Named>item).name) == size
        and memcmp(PyBytes_AS_STRING((<Named>item).name), name, size) == 0
    )


cdef inline Py_ssize_t index_in_leaf(PyObject *piece, const char *name, Py_ssize_t size, uint32_t hash) noexcept:
    cdef uint32_t i
    for i in range((<Piece>piece).used):
        if (<Piece>piece).hashes[i] == hash and has_name((<Piece>piece).slots[i], name, size):
            return i
    return -1


cdef PyObject *lookup(Directory directory, const char *name, Py_ssize_t size, uint32_t hash) noexcept:
    """The item of that name, a borrowed reference, or NULL.  Cost: at most eight pieces deep."""
    cdef PyObject *piece = <PyObject *>directory
    cdef int shift = 0
    while (<Piece>piece).branch:
        piece = (<Piece>piece).slots[(hash >> shift) & (FANOUT - 1)]
        if piece == NULL:
            return NULL
        shift += BITS
    cdef Py_ssize_t i = index_in_leaf(piece, name, size, hash)
    return NULL if i < 0 else (<Piece>piece).slots[i]


cdef PyObject *own_piece(PyObject **slot, uint64_t epoch) except NULL:
    """The piece in a branch's slot, copied first unless it belongs to this epoch (borrowed)."""
    cdef Piece mine
    if (<Piece>slot[0]).epoch != epoch:
        mine = copy_piece(<Piece>slot[0], epoch)
        Py_INCREF(mine)
        Py_DECREF(<object>slot[0])
        slot[0] = <PyObject *>mine
    return slot[0]


cdef PyObject **editable_slot(Directory directory, const char *name, Py_ssize_t size, uint32_t hash) except? NULL:
    """Where the item of that name is kept, every piece on the way made the directory's own; NULL: no such item.

    The caller may put another item of the same name there, taking over the reference.
    """
    cdef PyObject *piece = <PyObject *>directory
    cdef PyObject **slot
    cdef int shift = 0
    while (<Piece>piece).branch:
        slot = &(<Piece>piece).slots[(hash >> shift) & (FANOUT - 1)]
        if slot[0] == NULL:
            return NULL
        piece = own_piece(slot, directory.epoch)
        shift += BITS
    cdef Py_ssize_t i = index_in_leaf(piece, name, size, hash)
    return NULL if i < 0 else &(<Piece>piece).slots[i]


cdef int add_to_leaf(Piece piece, PyObject *item, uint32_t hash) except -1:
    if piece.used == piece.size:
        grow_leaf(piece, piece.size * 2 if piece.size else 1)
    piece.slots[piece.used] = item
    piece.hashes[piece.used] = hash
    piece.used += 1
    return 0


cdef int split(Piece piece, int shift) except -1:
    """Turn a full leaf into a branch over leaves."""
    cdef PyObject **slots = <PyObject **>PyMem_Malloc(FANOUT * sizeof(PyObject *))
    cdef PyObject **items = piece.slots
    cdef uint32_t *hashes = piece.hashes
    cdef uint32_t i, used = piece.used
    cdef PyObject **slot
    cdef Piece leaf
    if slots == NULL:
        raise MemoryError()
    memset(slots, 0, FANOUT * sizeof(PyObject *))
    piece.slots = slots
    piece.hashes = NULL
    piece.used = piece.size = 0
    piece.branch = True
    for i in range(used):
        slot = &slots[(hashes[i] >> shift) & (FANOUT - 1)]
        if slot[0] == NULL:
            leaf = Piece.__new__(Piece)
            leaf.epoch = piece.epoch
            Py_INCREF(leaf)
            slot[0] = <PyObject *>leaf
            piece.used += 1
        add_to_leaf(<Piece>slot[0], items[i], hashes[i])
    PyMem_Free(items)
    return 0


cdef int insert(Directory directory, Named item, uint32_t hash) except -1:
    """Add an item whose name the directory does not hold."""
    cdef PyObject *piece = <PyObject *>directory
    cdef PyObject **slot
    cdef Piece leaf
    cdef int shift = 0
    while True:
        if (<Piece>piece).branch:
            slot = &(<Piece>piece).slots[(hash >> shift) & (FANOUT - 1)]
            if slot[0] == NULL:
                leaf = Piece.__new__(Piece)
                leaf.epoch = directory.epoch
                Py_INCREF(leaf)
                slot[0] = <PyObject *>leaf
                (<Piece>piece).used += 1
            piece = own_piece(slot, directory.epoch)
            shift += BITS
        elif (<Piece>piece).used == LEAF_MAX and shift < HASH_BITS:
            split(<Piece>piece, shift)
        else:
            break
    add_to_leaf(<Piece>piece, <PyObject *>item, hash)
    Py_INCREF(item)
    directory.count += 1
    directory.names_size += <uint32_t>PyBytes_GET_SIZE(item.name) + 1
    directory.listing = None
    return 0


cdef Named remove(Directory directory, const char *name, Py_ssize_t size, uint32_t hash):
    """Take the item of that name out; None when there is no such item."""
    cdef PyObject **way[LEVELS]
    cdef PyObject *parents[LEVELS]
    cdef PyObject *piece = <PyObject *>directory
    cdef PyObject **slot
    cdef int depth = 0
    cdef Py_ssize_t i
    cdef Named item
    if lookup(directory, name, size, hash) == NULL:
        return None
    while (<Piece>piece).branch:
        slot = &(<Piece>piece).slots[(hash >> (depth * BITS)) & (FANOUT - 1)]
        way[depth] = slot
        parents[depth] = piece
        piece = own_piece(slot, directory.epoch)
        depth += 1
    i = index_in_leaf(piece, name, size, hash)
    item = <Named>(<Piece>piece).slots[i]
    Py_DECREF(item)
    (<Piece>piece).used -= 1
    memmove(&(<Piece>piece).slots[i], &(<Piece>piece).slots[i + 1], ((<Piece>piece).used - i) * sizeof(PyObject *))
    memmove(&(<Piece>piece).hashes[i], &(<Piece>piece).hashes[i + 1], ((<Piece>piece).used - i) * sizeof(uint32_t))
    while depth > 0 and (<Piece>piece).used == 0:
        depth -= 1
        piece = parents[depth]
        Py_DECREF(<object>way[depth][0])
        way[depth][0] = NULL
        (<Piece>piece).used -= 1
    directory.count -= 1
    directory.names_size -= <uint32_t>PyBytes_GET_SIZE(item.name) + 1
    directory.listing = None
    if directory.branch and directory.count <= COLLAPSE_AT:
        collapse(directory)
    return item


cdef int collapse(Directory directory) except -1:
    """Turn a directory that became small again into one leaf."""
    cdef PyObject **items = in_order(directory)
    cdef PyObject **slots = directory.slots
    cdef uint32_t i
    directory.slots = NULL
    directory.branch = False
    directory.used = directory.size = 0
    grow_leaf(directory, COLLAPSE_AT)
    for i in range(directory.count):
        Py_INCREF(<object>items[i])
        add_to_leaf(directory, items[i], hash_name(
            PyBytes_AS_STRING((<Named>items[i]).name), PyBytes_GET_SIZE((<Named>items[i]).name)))
    for i in range(FANOUT):
        if slots[i] != NULL:
            Py_DECREF(<object>slots[i])
    PyMem_Free(slots)
    PyMem_Free(items)
    return 0


# --- listings --------------------------------------------------------------------------------------

cdef int by_number(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<Named>(<PyObject **>a)[0]).number
    cdef uint64_t y = (<Named>(<PyObject **>b)[0]).number
    return (x > y) - (x < y)


cdef Py_ssize_t gather(PyObject *piece, PyObject **items, Py_ssize_t used) noexcept:
    cdef uint32_t i
    if not (<Piece>piece).branch:
        memcpy(items + used, (<Piece>piece).slots, (<Piece>piece).used * sizeof(PyObject *))
        return used + (<Piece>piece).used
    for i in range(FANOUT):
        if (<Piece>piece).slots[i] != NULL:
            used = gather((<Piece>piece).slots[i], items, used)
    return used


cdef PyObject **in_order(Directory directory) except NULL:
    """All items in creation order: an array of directory.count borrowed references, to be freed with PyMem_Free."""
    cdef PyObject **items = <PyObject **>PyMem_Malloc((directory.count + 1) * sizeof(PyObject *))
    cdef Py_ssize_t i, used = 0
    if items == NULL:
        raise MemoryError()
    if directory.count:
        used = gather(<PyObject *>directory, items, 0)
    for i in range(1, used):
        if (<Named>items[i - 1]).number > (<Named>items[i]).number:
            qsort(items, used, sizeof(PyObject *), by_number)
            break
    return items


cdef bytes listing_of(Directory directory):
    """The names in creation order, each followed by a NUL; built once after a change, then kept."""
    cdef PyObject **items
    cdef char *p
    cdef Py_ssize_t i, size
    cdef bytes text
    if directory.listing is None:
        items = in_order(directory)
        text = PyBytes_FromStringAndSize(NULL, directory.names_size)
        p = PyBytes_AS_STRING(text)
        for i in range(directory.count):
            size = PyBytes_GET_SIZE((<Named>items[i]).name) + 1
            memcpy(p, PyBytes_AS_STRING((<Named>items[i]).name), size)
            p += size
        PyMem_Free(items)
        directory.listing = text
    return directory.listing


cdef extern from "Python.h":
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)
