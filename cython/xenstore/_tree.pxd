from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from xenstore._ledger cimport Ledger
from xenstore._names cimport Named, Piece
from xenstore._perms cimport Perms


cdef class Node(Named):
    cdef Piece *children            # a directory; NULL: no child
    cdef bytes value
    cdef Perms perms
    cdef uint64_t epoch             # the version that may edit this node in place
    cdef uint64_t generation        # of the last write to value, permissions or list of children


cdef class History:
    cdef uint64_t generation        # last ones given out
    cdef uint64_t number
    cdef uint64_t epoch
    cdef uint64_t replaced_bytes    # of nodes that live versions copied or removed: what snapshots may pin


cdef struct Place:
    PyObject *node                  # the node at the path, or NULL
    PyObject *nearest               # the node, else its nearest existing ancestor
    Py_ssize_t matched              # bytes of the path that lead to nearest


cdef class Tree:
    cdef History history
    cdef Ledger ledger
    cdef Node root
    cdef Node specials              # holds @introduceDomain and @releaseDomain; not a node of its own
    cdef uint64_t epoch
    cdef uint64_t replaced_bytes    # of nodes copied or removed in this version, not added to the history's yet
    cdef dict deaths                # domid: generation at which a domain of that id last died; never changed in place

    cdef Place find(self, const char *path, Py_ssize_t size) noexcept
    cdef PyObject *parent_of(self, const char *path, Py_ssize_t size) noexcept
    cdef Tree fork(self)
    cdef int note_death(self, int domid) except -1
    cdef Perms current_perms(self, Node node)
    cdef int set_value(self, Node node, const char *path, Py_ssize_t size, bytes value) except -1
    cdef int set_perms(self, const char *path, Py_ssize_t size, Perms perms) except -1
    cdef int create(self, const char *path, Py_ssize_t size, Py_ssize_t existing, bytes value, int creator) except -1
    cdef Node remove(self, const char *path, Py_ssize_t size)

    cdef Node own_copy(self, Node node)
    cdef Node own_child(self, Node node, const char *name, Py_ssize_t size)
    cdef Node edit(self, const char *path, Py_ssize_t size)
    cdef int add_child(self, Node node, Node child, const char *name, Py_ssize_t size) except -1
    cdef int stamp(self, Node node) except -1
    cdef int charge_subtree(self, Node top, Py_ssize_t path_size, long sign) except -1


cdef bytes intern(bytes text)
cdef long node_size(Node node) noexcept
cdef Py_ssize_t parent_size(const char *path, Py_ssize_t size) noexcept
cdef Tree fresh_tree()
