# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A directory: named items found by name, listed in creation order, shared between versions.

A small directory is one array.  Above LEAF_MAX items it is a hash trie: a piece is either a leaf of at
most LEAF_MAX items or a branch of FANOUT pieces, chosen by the next five bits of the name's hash.  A
piece that more than one version holds is copied by the one that edits it, the others are edited in place,
so versions share what they did not change and no edit costs in proportion to the directory.

A lookup in a large store is a chain of cache misses and little else.  So a piece is one block of memory
(not an object with a block), it holds hashes beside the items so that only the right one is looked at,
and where what will be read lies further into a block than its first line, it is fetched ahead.

Names come from guests, so hashes are Python's keyed ones.  The types are outside the garbage collector:
items do not know their parents, hence there are no cycles.  Freeing never recurses: a directory that
dies leaves its pieces in a graveyard that `dismantle` empties in slices (XSA-418: a tree as deep as a
path is long; and a large removed subtree must not be one long pause).
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport UINT16_MAX
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memmove, memset

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030E0000
    #define xend_hash_bytes(data, size) Py_HashBuffer(data, size)
    #else
    #if PY_VERSION_HEX >= 0x030D0000
    /* 3.13 exports it, and declares it for itself alone. */
    PyAPI_FUNC(Py_hash_t) _Py_HashBytes(const void *data, Py_ssize_t size);
    #endif
    #define xend_hash_bytes(data, size) _Py_HashBytes(data, size)
    #endif
    """
    Py_hash_t xend_hash_bytes(const void *data, Py_ssize_t size) noexcept

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define xend_prefetch(p) __builtin_prefetch(p)
    #else
    #define xend_prefetch(p) ((void)(p))
    #endif
    """
    void prefetch "xend_prefetch" (const void *) noexcept

cdef enum:
    LEAF_MAX = 16
    COLLAPSE_AT = 8
    BITS = 5
    HASH_BITS = 32
    LEVELS = 8                      # HASH_BITS / BITS, rounded up, and the leaf
    PACE_MAX = 1024                 # dead pieces that one request frees at most, for those that were made
    LINE = 64                       # bytes of memory fetched at a time


cdef uint32_t hash_name(const char *name, Py_ssize_t size) noexcept:
    cdef uint64_t hash = <uint64_t>xend_hash_bytes(name, size)
    return <uint32_t>(hash ^ (hash >> 32))


@cython.no_gc
cdef class Named:
    """Something a directory can hold."""


# --- pieces ----------------------------------------------------------------------------------------

cdef inline Piece **slot_for(Piece *branch, uint32_t hash, int shift) noexcept:
    return &pieces_of(branch)[(hash >> shift) & (FANOUT - 1)]


cdef inline size_t bytes_of(uint32_t size) noexcept:
    if size == 0:
        return sizeof(Piece) + FANOUT * sizeof(Piece *)
    return sizeof(Piece) + size * (sizeof(uint32_t) + sizeof(PyObject *))


cdef Piece *new_piece(uint32_t size) except NULL:
    """An empty leaf with room for so many items, or with size 0 a branch."""
    global owed
    cdef Piece *piece = <Piece *>PyMem_Malloc(bytes_of(size)) if size <= UINT16_MAX else NULL
    if piece == NULL:
        raise MemoryError()
    memset(piece, 0, sizeof(Piece))
    piece.refs = 1
    piece.size = <uint16_t>size
    owed += 2
    if size == 0:
        memset(pieces_of(piece), 0, FANOUT * sizeof(Piece *))
    return piece


cdef Piece *copy_piece(Piece *source) except NULL:
    cdef Piece *piece = new_piece(source.size)
    cdef uint32_t i
    memcpy(piece, source, bytes_of(source.size))
    piece.refs = 1
    Py_XINCREF(piece.listing)
    if piece.size:
        for i in range(piece.used):
            Py_INCREF(<object>items_of(piece)[i])
    else:
        for i in range(FANOUT):
            if pieces_of(piece)[i] != NULL:
                pieces_of(piece)[i].refs += 1
    return piece


cdef Piece *own(Piece **slot) except NULL:
    """The piece in a slot of what a version owns, made its own: copied first if others hold it too."""
    cdef Piece *shared = slot[0]
    if shared.refs > 1:
        slot[0] = copy_piece(shared)
        shared.refs -= 1
    return slot[0]


cdef void free_piece(Piece *piece) noexcept:
    cdef uint32_t i
    if piece.size:
        for i in range(piece.used):
            Py_DECREF(<object>items_of(piece)[i])
    else:
        for i in range(FANOUT):
            if pieces_of(piece)[i] != NULL:
                release(pieces_of(piece)[i])
    Py_XDECREF(piece.listing)
    PyMem_Free(piece)


# --- the graveyard ---------------------------------------------------------------------------------

cdef Piece **graves = NULL
cdef Py_ssize_t graves_used = 0
cdef Py_ssize_t graves_size = 0
cdef Py_ssize_t owed = 0            # dead pieces to be freed, two for each that was made, until none is left


cdef void release(Piece *piece) noexcept:
    """Hold a piece no longer; where nobody else does, `dismantle` will free it."""
    global graves, graves_used, graves_size
    cdef Piece **grown
    piece.refs -= 1
    if piece.refs:
        return
    if graves_used == graves_size:
        grown = <Piece **>PyMem_Realloc(graves, (graves_size * 2 + 64) * sizeof(Piece *))
        if grown == NULL:
            free_piece(piece)
            return
        graves = grown
        graves_size = graves_size * 2 + 64
    graves[graves_used] = piece
    graves_used += 1


cdef Py_ssize_t dismantle(Py_ssize_t budget) noexcept:
    """Free at most `budget` dead pieces (each at most LEAF_MAX items); returns how many still wait."""
    global graves_used
    while graves_used > 0 and budget > 0:
        graves_used -= 1
        budget -= 1
        free_piece(graves[graves_used])
    return graves_used


cdef void keep_pace() noexcept:
    """Free twice as many dead pieces as were made since the last call: to be called after every request.

    A transaction that writes one deep node copies all above it, and leaves the copies behind: a store that frees
    them only by and by holds more and more, as long as somebody keeps it busy.
    """
    global owed
    cdef Py_ssize_t budget = min(owed, <Py_ssize_t>PACE_MAX)
    owed = owed - budget if dismantle(budget) else 0


# --- directories -----------------------------------------------------------------------------------

cdef Piece *new_directory() except NULL:
    """An empty directory."""
    return new_piece(2)


cdef inline bint has_name(PyObject *item, const char *name, Py_ssize_t size) noexcept:
    # Names are interned: that it is the very same one is often all there is to see.
    return name_of(item) == name or (name_size(item) == size and memcmp(name_of(item), name, size) == 0)


cdef inline PyObject **item_slot(Piece *leaf, const char *name, Py_ssize_t size, uint32_t hash) noexcept:
    cdef uint32_t i
    for i in range(leaf.used):
        if hashes_of(leaf)[i] == hash and has_name(items_of(leaf)[i], name, size):
            return &items_of(leaf)[i]
    return NULL


cdef inline Piece *leaf_of(Piece *directory, uint32_t hash) noexcept:
    """The leaf for names of that hash, its second line being fetched, or NULL."""
    cdef Piece *piece = directory
    cdef int shift = 0
    while piece.size == 0:
        piece = slot_for(piece, hash, shift)[0]
        if piece == NULL:
            return NULL
        prefetch(<char *>piece + LINE)
        shift += BITS
    return piece


cdef PyObject *lookup(Piece *directory, const char *name, Py_ssize_t size, uint32_t hash) noexcept:
    """The item of that name, a borrowed reference, or NULL.  Cost: at most eight pieces deep."""
    cdef Piece *leaf = leaf_of(directory, hash)
    cdef PyObject **slot = item_slot(leaf, name, size, hash) if leaf != NULL else NULL
    return NULL if slot == NULL else slot[0]


cdef void fetch_ahead(Piece *directory, uint32_t hash) noexcept:
    """Begin to fetch the items whose names have that hash, for a `lookup` that comes later."""
    cdef Piece *leaf = leaf_of(directory, hash)
    cdef uint32_t i
    if leaf == NULL:
        return
    for i in range(leaf.used):
        if hashes_of(leaf)[i] == hash:
            prefetch(items_of(leaf)[i])


cdef PyObject **editable_slot(Piece **directory, const char *name, Py_ssize_t size, uint32_t hash) except? NULL:
    """Where the item of that name is kept, every piece on the way made the version's own; NULL: no such item.

    The caller may put another item of the same name there, taking over the reference.
    """
    cdef Piece *piece = own(directory)
    cdef Piece **slot
    cdef int shift = 0
    while piece.size == 0:
        slot = slot_for(piece, hash, shift)
        if slot[0] == NULL:
            return NULL
        piece = own(slot)
        shift += BITS
    return item_slot(piece, name, size, hash)


cdef void put(Piece *leaf, PyObject *item, uint32_t hash) noexcept:
    items_of(leaf)[leaf.used] = item
    hashes_of(leaf)[leaf.used] = hash
    leaf.used += 1


cdef int add_to_leaf(Piece **slot, PyObject *item, uint32_t hash) except -1:
    """Add to the version's own leaf in a slot, which moves where it has no room."""
    cdef Piece *leaf = slot[0]
    if leaf.used == leaf.size:
        slot[0] = successor(leaf, leaf.size + (2 if leaf.size < 8 else 4))
        memcpy(hashes_of(slot[0]), hashes_of(leaf), leaf.used * sizeof(uint32_t))
        memcpy(items_of(slot[0]), items_of(leaf), leaf.used * sizeof(PyObject *))
        slot[0].used = leaf.used
        PyMem_Free(leaf)
    put(slot[0], item, hash)
    return 0


cdef Piece *successor(Piece *piece, uint32_t size) except NULL:
    """An empty piece that says of its directory what another says, which then goes."""
    cdef Piece *new = new_piece(size)
    new.count = piece.count
    new.names_size = piece.names_size
    new.listing = piece.listing
    piece.listing = NULL
    return new


cdef int split(Piece **slot, int shift) except -1:
    """Put a branch over leaves in the place of a full leaf, which is the version's own."""
    cdef Piece *leaf = slot[0]
    cdef Piece *branch = successor(leaf, 0)
    cdef Piece **below
    cdef uint32_t i
    for i in range(leaf.used):
        below = slot_for(branch, hashes_of(leaf)[i], shift)
        if below[0] == NULL:
            below[0] = new_piece(2)
            branch.used += 1
        add_to_leaf(below, items_of(leaf)[i], hashes_of(leaf)[i])
    slot[0] = branch
    PyMem_Free(leaf)
    return 0


cdef int insert(Piece **directory, Named item, uint32_t hash) except -1:
    """Add an item whose name the directory does not hold."""
    cdef Piece **slot = directory
    cdef Piece *piece
    cdef int shift = 0
    while True:
        piece = own(slot)
        if piece.size == 0:
            slot = slot_for(piece, hash, shift)
            if slot[0] == NULL:
                slot[0] = new_piece(2)
                piece.used += 1
            shift += BITS
        elif piece.used >= LEAF_MAX and shift < HASH_BITS:
            split(slot, shift)
        else:
            break
    add_to_leaf(slot, <PyObject *>item, hash)
    Py_INCREF(item)
    recount(directory[0], 1, PyBytes_GET_SIZE(item.name) + 1)
    return 0


cdef Named remove(Piece **directory, const char *name, Py_ssize_t size, uint32_t hash):
    """Take the item of that name out; None when there is no such item."""
    cdef Piece **way[LEVELS]
    cdef Piece *piece
    cdef PyObject **slot
    cdef int depth = 0
    cdef Named item
    if lookup(directory[0], name, size, hash) == NULL:
        return None
    way[0] = directory
    piece = own(directory)
    while piece.size == 0:
        way[depth + 1] = slot_for(piece, hash, depth * BITS)
        depth += 1
        piece = own(way[depth])
    slot = item_slot(piece, name, size, hash)
    item = <Named>slot[0]
    Py_DECREF(item)
    take_out(piece, <uint32_t>(slot - items_of(piece)))
    while depth > 0 and piece.used == 0:
        PyMem_Free(piece)
        way[depth][0] = NULL
        depth -= 1
        piece = way[depth][0]
        piece.used -= 1
    recount(directory[0], -1, -(size + 1))
    if directory[0].size == 0 and directory[0].count <= COLLAPSE_AT:
        collapse(directory)
    return item


cdef void take_out(Piece *leaf, uint32_t i) noexcept:
    leaf.used -= 1
    memmove(&items_of(leaf)[i], &items_of(leaf)[i + 1], (leaf.used - i) * sizeof(PyObject *))
    memmove(&hashes_of(leaf)[i], &hashes_of(leaf)[i + 1], (leaf.used - i) * sizeof(uint32_t))


cdef void recount(Piece *directory, int items, Py_ssize_t names_size) noexcept:
    """Note that so many items more are in the directory, or fewer."""
    directory.count += items
    directory.names_size += <uint32_t>names_size
    Py_CLEAR(directory.listing)


cdef int collapse(Piece **directory) except -1:
    """Turn a directory that became small again into one leaf."""
    cdef PyObject **items = in_any_order(directory[0])
    cdef Piece *branch = directory[0]
    cdef uint32_t i
    directory[0] = successor(branch, COLLAPSE_AT)
    for i in range(branch.count):
        Py_INCREF(<object>items[i])
        put(directory[0], items[i], hash_name(name_of(items[i]), name_size(items[i])))
    PyMem_Free(items)
    release(branch)
    return 0


# --- listings --------------------------------------------------------------------------------------

cdef int by_number(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<Named>(<PyObject **>a)[0]).number
    cdef uint64_t y = (<Named>(<PyObject **>b)[0]).number
    return (x > y) - (x < y)


cdef Py_ssize_t gather(Piece *piece, PyObject **items, Py_ssize_t used) noexcept:
    cdef uint32_t i
    if piece.size:
        memcpy(items + used, items_of(piece), piece.used * sizeof(PyObject *))
        return used + piece.used
    for i in range(FANOUT):
        if pieces_of(piece)[i] != NULL:
            used = gather(pieces_of(piece)[i], items, used)
    return used


cdef PyObject **in_any_order(Piece *directory) except NULL:
    """All items: an array of directory.count borrowed references, to be freed with PyMem_Free."""
    cdef PyObject **items = <PyObject **>PyMem_Malloc((directory.count + 1) * sizeof(PyObject *))
    if items == NULL:
        raise MemoryError()
    gather(directory, items, 0)
    return items


cdef PyObject **in_order(Piece *directory) except NULL:
    """All items in creation order, otherwise as `in_any_order`."""
    cdef PyObject **items = in_any_order(directory)
    cdef Py_ssize_t i
    for i in range(1, directory.count):
        if (<Named>items[i - 1]).number > (<Named>items[i]).number:
            qsort(items, directory.count, sizeof(PyObject *), by_number)
            break
    return items


cdef bytes listing_of(Piece *directory):
    """The names in creation order, each followed by a NUL; built once after a change, then kept."""
    cdef PyObject **items
    cdef char *p
    cdef Py_ssize_t i, size
    cdef bytes text
    if directory.listing != NULL:
        return <bytes>directory.listing
    items = in_order(directory)
    text = PyBytes_FromStringAndSize(NULL, directory.names_size)
    p = PyBytes_AS_STRING(text)
    for i in range(directory.count):
        size = name_size(items[i]) + 1
        memcpy(p, name_of(items[i]), size)
        p += size
    PyMem_Free(items)
    Py_INCREF(text)
    directory.listing = <PyObject *>text
    return text


cdef extern from "Python.h":
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)
    void Py_XINCREF(PyObject *) noexcept
    void Py_XDECREF(PyObject *) noexcept
    void Py_CLEAR(PyObject *) noexcept
