from cpython.object cimport PyObject
from libc.stdint cimport uint16_t, uint32_t, uint64_t

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept


cdef enum:
    FANOUT = 32                     # pieces of a branch


cdef uint32_t hash_name(const char *name, Py_ssize_t size) noexcept


cdef class Named:
    cdef uint64_t number            # creation order: listings are sorted by it
    cdef bytes name


cdef inline const char *name_of(PyObject *item) noexcept:
    return PyBytes_AS_STRING((<Named>item).name)


cdef inline Py_ssize_t name_size(PyObject *item) noexcept:
    return PyBytes_GET_SIZE((<Named>item).name)


cdef struct Piece:                  # a directory is its top piece
    uint32_t refs                   # how many hold it; it is edited in place only where that is one
    uint16_t used                   # leaf: items; branch: pieces
    uint16_t size                   # leaf: how many items it has room for, an even number; branch: 0
    # Of the directory, kept in its top piece only:
    uint32_t count                  # items in all pieces
    uint32_t names_size             # bytes of the listing: each name and its NUL
    PyObject *listing               # bytes: the names in creation order, each with a NUL; NULL until asked for
    # Behind it are a branch's FANOUT pieces (or NULL), or a leaf's hashes and then its items.


cdef inline Piece **pieces_of(Piece *branch) noexcept:
    return <Piece **>(branch + 1)


cdef inline uint32_t *hashes_of(Piece *leaf) noexcept:
    return <uint32_t *>(leaf + 1)


cdef inline PyObject **items_of(Piece *leaf) noexcept:
    return <PyObject **>(hashes_of(leaf) + leaf.size)


cdef Piece *new_directory() except NULL
cdef void release(Piece *piece) noexcept
cdef PyObject *lookup(Piece *directory, const char *name, Py_ssize_t size, uint32_t hash) noexcept
cdef void fetch_ahead(Piece *directory, uint32_t hash) noexcept
cdef PyObject **editable_slot(Piece **directory, const char *name, Py_ssize_t size, uint32_t hash) except? NULL
cdef int insert(Piece **directory, Named item, uint32_t hash) except -1
cdef Named remove(Piece **directory, const char *name, Py_ssize_t size, uint32_t hash)
cdef PyObject **in_any_order(Piece *directory) except NULL
cdef PyObject **in_order(Piece *directory) except NULL
cdef bytes listing_of(Piece *directory)
cdef Py_ssize_t dismantle(Py_ssize_t budget) noexcept
cdef void keep_pace() noexcept
