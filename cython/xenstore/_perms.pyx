# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A node's permission list: immutable, shared between nodes.

Entry 0 names the owner and everybody else's right; each further entry the right of one domain.
Source: xenstore-protocol.md 6; xen/include/public/io/xs_wire.h for DOMID_ANY.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept

cdef bytes LETTERS = b"nrwb"        # indexed by READ | WRITE

#: Lists in use, by their packed form.  Bounded: emptied when full, the lists live on in their nodes.
cdef dict interned = {}
cdef enum:
    INTERNED_MAX = 4096


@cython.final
@cython.no_gc
cdef class Perms:
    """A permission list."""


cdef inline Entry *entries(Perms perms) noexcept:  # no-cython-lint: inline in this module only
    return <Entry *>PyBytes_AS_STRING(perms.packed)


cdef int rights(Perms perms, int domid, int target) noexcept:
    """What a domain, acting also for its target (or NO_DOMAIN), may do: READ, WRITE, OWNER bits."""
    cdef Entry *entry = entries(perms)
    cdef Py_ssize_t i
    if entry[0].domid == domid or entry[0].domid == target or entry[0].domid == ANY_DOMAIN:
        return READ | WRITE | OWNER
    for i in range(1, perms.count):
        if entry[i].flags & STALE:
            continue
        if entry[i].domid == domid or entry[i].domid == target or entry[i].domid == ANY_DOMAIN:
            return entry[i].right
    return entry[0].right


cdef Perms make_perms(bytes packed):
    """The list with these entries; equal lists are mostly one object."""
    cdef Perms perms = interned.get(packed)
    cdef Entry *entry
    cdef Py_ssize_t i
    cdef list parts
    if perms is not None:
        return perms
    perms = Perms.__new__(Perms)
    perms.packed = packed
    perms.count = len(packed) // <Py_ssize_t>sizeof(Entry)
    entry = entries(perms)
    parts = []
    for i in range(perms.count):
        parts.append(b"%c%d\0" % (LETTERS[entry[i].right], entry[i].domid))
    perms.text = b"".join(parts)
    if len(interned) >= INTERNED_MAX:
        interned.clear()
    interned[packed] = perms
    return perms


cdef int parse_domid(const char *text, Py_ssize_t size) noexcept:
    """A domain id in C notation (decimal, 0x, leading 0 for octal), 0 to 65535; -1 when it is none."""
    cdef int base = 10
    cdef int digit
    cdef long value = 0
    cdef Py_ssize_t i = 0
    if size > 2 and text[0] == c'0' and (text[1] == c'x' or text[1] == c'X'):
        base = 16
        i = 2
    elif size > 1 and text[0] == c'0':
        base = 8
        i = 1
    if i >= size:
        return -1
    while i < size:
        digit = text[i]
        if c'0' <= digit <= c'9':
            digit -= c'0'
        elif c'a' <= (digit | 32) <= c'f':
            digit = (digit | 32) - c'a' + 10
        else:
            return -1
        if digit >= base:
            return -1
        value = value * base + digit
        if value > 0xFFFF:
            return -1
        i += 1
    return <int>value


cdef Perms parse_perms(const char *text, Py_ssize_t size):
    """The list that NUL-terminated strings such as "n0", "r3" spell, or None when one of them is malformed."""
    cdef Entry *parsed = <Entry *>PyMem_Malloc((size // 2 + 1) * sizeof(Entry))
    cdef Py_ssize_t count = 0, start = 0, end
    cdef int domid, right
    if parsed == NULL:
        raise MemoryError()
    try:
        while start < size:
            end = start
            while end < size and text[end] != 0:
                end += 1
            if end == size or end == start:
                return None
            right = right_of_letter(text[start])
            domid = parse_domid(text + start + 1, end - start - 1)
            if right < 0 or domid < 0:
                return None
            parsed[count].domid = <uint16_t>domid
            parsed[count].right = <uint8_t>right
            parsed[count].flags = 0
            count += 1
            start = end + 1
        if count == 0:
            return None
        return make_perms((<char *>parsed)[: count * sizeof(Entry)])
    finally:
        PyMem_Free(parsed)


cdef int right_of_letter(char letter) noexcept:
    if letter == c'n':
        return 0
    if letter == c'r':
        return READ
    if letter == c'w':
        return WRITE
    if letter == c'b':
        return READ | WRITE
    return -1


cdef Perms with_owner(Perms perms, int domid):
    """The same list, owned by another domain."""
    if entries(perms)[0].domid == domid:
        return perms
    cdef bytearray packed = bytearray(perms.packed)
    cdef char *data = packed
    (<Entry *>data)[0].domid = <uint16_t>domid
    return make_perms(bytes(packed))


cdef Perms keep_only(Perms perms, bint *keep):
    """The list without the entries i >= 1 for which keep[i] is false."""
    cdef list parts = []
    cdef Py_ssize_t i, width = sizeof(Entry)
    for i in range(perms.count):
        if i == 0 or keep[i]:
            parts.append(perms.packed[i * width : (i + 1) * width])
    return make_perms(b"".join(parts))
