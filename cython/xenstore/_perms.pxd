from libc.stdint cimport uint8_t, uint16_t

cdef enum Right:
    READ = 1
    WRITE = 2
    OWNER = 4

cdef enum:
    STALE = 1                       # flag of an entry whose domain did not exist when it was set
    ANY_DOMAIN = 0x7FF5             # DOMID_ANY
    NO_DOMAIN = -1


cdef struct Entry:
    uint16_t domid
    uint8_t right
    uint8_t flags


cdef class Perms:
    cdef bytes packed               # the entries, as C structs
    cdef bytes text                 # as on the wire: "n0\0r3\0"
    cdef Py_ssize_t count

cdef Entry *entries(Perms perms) noexcept
cdef int rights(Perms perms, int domid, int target) noexcept
cdef Perms make_perms(bytes packed)
cdef Perms parse_perms(const char *text, Py_ssize_t size)
cdef Perms with_owner(Perms perms, int domid)
cdef Perms keep_only(Perms perms, bint *keep)
