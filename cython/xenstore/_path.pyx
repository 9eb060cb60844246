# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Which paths are well formed.  Source: xenstore-protocol.md 4; XSA-323 and XSA-481 for the traps."""

from libc.string cimport memcmp, memset

cdef bint[256] allowed
cdef const char *HOMES = "/local/domain/"
cdef enum:
    HOMES_SIZE = 14


cdef void fill_allowed() noexcept:
    cdef int c
    memset(allowed, 0, sizeof(allowed))
    for c in range(256):
        allowed[c] = (
            c'a' <= c <= c'z' or c'A' <= c <= c'Z' or c'0' <= c <= c'9'
            or c == c'-' or c == c'/' or c == c'_' or c == c'@'
        )


fill_allowed()


cdef bint valid_path(const char *path, Py_ssize_t size) noexcept:
    """Whether a path's characters and slashes are right: none doubled, none at the end except in "/"."""
    cdef Py_ssize_t i
    cdef bint after_slash = False
    if size == 0:
        return False
    for i in range(size):
        if not allowed[<unsigned char>path[i]]:
            return False
        if path[i] == c'/':
            if after_slash:
                return False
            after_slash = True
        else:
            after_slash = False
    return not after_slash or size == 1


cdef Py_ssize_t home_prefix(const char *path, Py_ssize_t size) noexcept:
    """Bytes of "/local/domain/<digits>/" at the start of a path, which the quota "path-max" leaves out; 0: none."""
    cdef Py_ssize_t i = HOMES_SIZE
    if size <= HOMES_SIZE or memcmp(path, HOMES, HOMES_SIZE) != 0:
        return 0
    while i < size and c'0' <= path[i] <= c'9':
        i += 1
    if i == HOMES_SIZE or i == size or path[i] != c'/':
        return 0
    return i + 1
