from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from xenstore._perms cimport Perms
from xenstore._tree cimport Node, Tree

cdef enum Fault:                    # errno names on the wire; indexes FAULT_TEXT
    NO_FAULT
    F_EINVAL
    F_EACCES
    F_EEXIST
    F_ENOENT
    F_ENOMEM
    F_ENOSPC
    F_EIO
    F_ENOSYS
    F_EBUSY
    F_EAGAIN
    F_E2BIG
    F_EPERM
    FAULTS

cdef enum Op:                       # message types of the requests that a view answers
    CONTROL = 0
    DIRECTORY = 1
    READ_NODE = 2
    GET_PERMS = 3
    WATCH = 4
    UNWATCH = 5
    TRANSACTION_START = 6
    TRANSACTION_END = 7
    WRITE_NODE = 11
    MKDIR = 12
    RM = 13
    SET_PERMS = 14
    WATCH_EVENT = 15
    ERROR = 16
    RESET_WATCHES = 21
    DIRECTORY_PART = 22

cdef enum Change:
    UNCHANGED
    CHANGED
    REMOVED

cdef enum:
    PAYLOAD_MAX = 4096
    NO_LIMIT = 0

cdef struct Actor:                  # on whose behalf a request is executed
    int domid
    int target                      # domain whose rights it has as well, or NO_DOMAIN
    bint privileged
    long nodes_left                 # how many nodes it may still create; negative: any number
    long bytes_left                 # how much memory it may still take; negative: any amount
    long growth_left                # for how many bytes more the journal has room, unless it is privileged
    uint32_t node_size_max          # NO_LIMIT: none
    uint32_t perms_max
    bint any_domain                 # whether DOMID_ANY in permissions means anything to it

cdef struct Request:
    int op
    const char *path                # absolute and checked
    Py_ssize_t path_size
    const char *rest                # what follows the path's NUL
    Py_ssize_t rest_size

cdef class View:
    cdef Tree tree
    cdef object knows               # callable(domid): whether such a domain exists
    # about the request performed last:
    cdef Fault fault
    cdef bint too_large             # refused since a node would grow too large, or who asks hold too much
    cdef Change change
    cdef Perms old_perms            # of the node changed or removed; None: it was created
    cdef Node removed

    cdef bytes perform(self, Actor *who, Request *request)
    cdef bytes fail(self, Fault fault)
    cdef bytes refuse(self, Actor *who, PyObject *node, PyObject *nearest, int wanted)
    cdef int rights_on(self, Actor *who, PyObject *node) except -1
    cdef bytes read(self, Actor *who, Request *request, PyObject *node, PyObject *nearest)
    cdef bytes directory_part(self, Node node, Request *request)
    cdef bytes write(self, Actor *who, Request *request)
    cdef bytes create(self, Actor *who, Request *request, PyObject *nearest, Py_ssize_t matched)
    cdef bint new_nodes_fit(self, Actor *who, Request *request, PyObject *nearest, Py_ssize_t start) except -1
    cdef bytes rm(self, Actor *who, Request *request)
    cdef bytes set_perms(self, Actor *who, Request *request)
    cdef Perms asked_perms(self, Actor *who, Request *request)
    cdef bytes give_perms(self, Actor *who, Request *request, Perms perms)
    cdef Perms flag_unknown(self, Actor *who, Perms perms)
    cdef bint has_room(self, Actor *who, long more) noexcept
    cdef bint fits(self, Actor *who, Node node, long more) except -1
    cdef bint exceed(self, Fault fault) noexcept

cdef Py_ssize_t strings(const char *text, Py_ssize_t size) noexcept
cdef bytes OK
cdef tuple FAULT_TEXT
cdef View view_of(Tree tree, knows)
