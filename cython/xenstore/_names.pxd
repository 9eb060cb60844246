from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t


cdef uint32_t hash_name(const char *name, Py_ssize_t size) noexcept


cdef struct Piece                   # of a directory: a block of memory, counted by who holds it


cdef class Named:
    cdef uint64_t number            # creation order: listings are sorted by it
    cdef bytes name


cdef class Directory:
    cdef Piece *top
    cdef uint64_t epoch             # the version that may edit this directory in place
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
cdef Py_ssize_t dismantle(Py_ssize_t budget) noexcept
