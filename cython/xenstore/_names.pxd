from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t


cdef enum:
    FANOUT = 16                     # pieces of a branch


cdef uint32_t hash_name(const char *name, Py_ssize_t size) noexcept


cdef class Named:
    cdef bytes name
    cdef uint64_t number            # creation order: listings are sorted by it


cdef class Piece:
    cdef uint64_t epoch             # the version that may edit this piece in place
    cdef PyObject **slots           # leaf: Named; branch: Piece or NULL (owned references)
    cdef uint32_t *hashes           # leaf only: the names' hashes, in the same memory block as slots
    cdef uint32_t used, size
    cdef bint branch


cdef class Directory(Piece):
    cdef uint32_t count             # names in all pieces
    cdef uint32_t names_size        # bytes of the listing: each name and its NUL
    cdef bytes listing              # the names in creation order, each with a NUL; None until asked for


cdef Directory new_directory(uint64_t epoch)
cdef Directory copy_directory(Directory directory, uint64_t epoch)
cdef PyObject *lookup(Directory directory, const char *name, Py_ssize_t size, uint32_t hash) noexcept
cdef PyObject **editable_slot(Directory directory, const char *name, Py_ssize_t size, uint32_t hash) except? NULL
cdef int insert(Directory directory, Named item, uint32_t hash) except -1
cdef Named remove(Directory directory, const char *name, Py_ssize_t size, uint32_t hash)
cdef PyObject **in_order(Directory directory) except NULL
cdef bytes listing_of(Directory directory)
cdef void bury(PyObject *piece) noexcept
cdef Py_ssize_t dismantle(Py_ssize_t budget) noexcept
