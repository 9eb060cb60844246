from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from xenstore._names cimport Named, Piece
from xenstore._perms cimport Perms
from xenstore._tree cimport Node, Tree


cdef class Subscriber:
    cdef readonly int domid
    cdef readonly bint privileged
    cdef readonly bint closed
    cdef int event(self, Watch watch, const char *path, Py_ssize_t size) except -1
    cdef bint may_read(self, Perms perms) noexcept


cdef class Watch:
    cdef PyObject *subscriber       # borrowed: who registered it, alive while the watch is placed
    cdef readonly bytes path        # absolute
    cdef readonly bytes token
    cdef readonly int depth         # levels below the path that are watched; -1: all
    cdef readonly bint relative     # events are told relative to the subscriber's home
    cdef int prefix                 # bytes that relative events leave out
    cdef uint64_t number            # order of registration
    cdef PyObject *before           # neighbours among the watches of one spot (borrowed)
    cdef PyObject *after
    cdef bint placed


cdef class Spot(Named):
    cdef Piece *children
    cdef PyObject *first            # watches set exactly here, oldest first (borrowed: their subscribers own them)
    cdef PyObject *last


cdef class Inside:
    cdef bytes path
    cdef Spot spot
    cdef PyObject *node             # borrowed, as is its parent, from the removed subtree
    cdef PyObject *parent


cdef struct Step:
    PyObject *spot                  # all borrowed: nothing changes during a walk
    PyObject *node
    PyObject *parent                # NULL: the node is the removed one itself
    bint expanded                   # its children are on the walk, or behind it


cdef struct Walk:
    Step *steps
    Py_ssize_t used, room


cdef class WatchIndex:
    cdef Spot root, specials
    cdef readonly long count
    cdef uint64_t numbers

    cdef int add(self, Watch watch) except -1
    cdef int discard(self, Watch watch) except -1
    cdef list matching(self, const char *path, Py_ssize_t size, bint any_depth)
    cdef int fire(self, Tree tree, const char *path, Py_ssize_t size, Perms old_perms) except -1
    cdef int fire_removed(self, Tree tree, const char *path, Py_ssize_t size, Node removed, Perms old_perms) except -1
    cdef list below(self, const char *path, Py_ssize_t size, Node removed, bint parents_first)
    cdef int step(self, Walk *walk, list found, bint parents_first) except -1
    cdef int fire_exact(self, Tree tree, Inside inside) except -1
    cdef Spot spot_at(self, const char *path, Py_ssize_t size)
