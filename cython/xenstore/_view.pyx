# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The requests about nodes, executed on one version of the tree under the permission rules.

The live store, a transaction's private version and the replay of a transaction are all views; a request
does the same in each of them.  `perform` returns the reply's payload, or None with the reason in `fault`;
what it changed is left in `change`, `old_perms` and `removed` for whoever fires the watches.

Source: xenstore-protocol.md 3, 5 and 6; permissions and the rule that hides missing nodes as in xenstored 4.22.
"""

from libc.string cimport memchr

from xenstore._names cimport listing_of
from xenstore._perms cimport ANY_DOMAIN, NO_DOMAIN, OWNER, READ, STALE, WRITE, Entry, entries, make_perms, parse_perms, rights
from xenstore._tree cimport Place, intern, node_size

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)

cdef bytes OK = b"OK\0"
cdef bytes EMPTY = b""
cdef tuple FAULT_TEXT = (
    b"", b"EINVAL\0", b"EACCES\0", b"EEXIST\0", b"ENOENT\0", b"ENOMEM\0", b"ENOSPC\0", b"EIO\0",
    b"ENOSYS\0", b"EBUSY\0", b"EAGAIN\0", b"E2BIG\0", b"EPERM\0",
)


cdef View view_of(Tree tree, knows):
    cdef View view = View.__new__(View)
    view.tree = tree
    view.knows = knows
    return view


cdef class View:
    """One version of the tree, seen through the protocol."""

    cdef bytes perform(self, Actor *who, Request *request):
        """Execute a request; returns the reply's payload, or None and sets `fault`."""
        cdef Place place
        self.fault = NO_FAULT
        self.too_large = False
        self.change = UNCHANGED
        if request.op == WRITE_NODE or request.op == MKDIR:
            return self.write(who, request)
        if request.op == RM:
            return self.rm(who, request)
        if request.op == SET_PERMS:
            return self.set_perms(who, request)
        place = self.tree.find(request.path, request.path_size)
        return self.read(who, request, place.node, place.nearest)

    cdef bytes fail(self, Fault fault):
        self.fault = fault
        return None

    cdef int rights_on(self, Actor *who, PyObject *node) except -1:
        if who.privileged:
            return READ | WRITE | OWNER
        return rights(self.tree.current_perms(<Node>node), who.domid, who.target)

    cdef bytes refuse(self, Actor *who, PyObject *node, PyObject *nearest, int wanted):
        """ENOENT only for those who could have looked: who has a wanted right on the nearest existing node."""
        if node == NULL and self.rights_on(who, nearest) & wanted:
            return self.fail(F_ENOENT)
        return self.fail(F_EACCES)

    # --- reading -----------------------------------------------------------------------------------

    cdef bytes read(self, Actor *who, Request *request, PyObject *node, PyObject *nearest):
        cdef bytes reply
        if node == NULL or not self.rights_on(who, node) & READ:
            return self.refuse(who, node, nearest, READ)
        if request.op == READ_NODE:
            reply = (<Node>node).value
        elif request.op == GET_PERMS:
            reply = self.tree.current_perms(<Node>node).text
        elif request.op == DIRECTORY_PART:
            return self.directory_part(<Node>node, request)
        elif (<Node>node).children == NULL:
            reply = EMPTY
        elif (<Node>node).children.names_size > PAYLOAD_MAX:
            return self.fail(F_E2BIG)
        else:
            reply = listing_of((<Node>node).children)
        if PyBytes_GET_SIZE(reply) > PAYLOAD_MAX:
            return self.fail(F_E2BIG)
        return reply

    cdef bytes directory_part(self, Node node, Request *request):
        """The node's generation and as many whole names from an offset of the listing as a message holds.

        The last part ends in an empty name.  The reader starts again when the generation has changed.
        """
        cdef bytes head = b"%d\0" % node.generation
        cdef bytes names = EMPTY if node.children == NULL else listing_of(node.children)
        cdef const char *p = PyBytes_AS_STRING(names)
        cdef const char *nul
        cdef Py_ssize_t offset = leading_number(request.rest, request.rest_size)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(names)
        cdef Py_ssize_t room = PAYLOAD_MAX - 1 - PyBytes_GET_SIZE(head)
        cdef Py_ssize_t end
        if offset >= size:
            return head + b"\0"
        if size - offset <= room:
            return head + names[offset:] + b"\0"
        end = offset
        while True:
            nul = <const char *>memchr(p + end, 0, size - end)
            if nul - p + 1 - offset > room:
                break
            end = nul - p + 1
        if end == offset:
            return self.fail(F_E2BIG)       # a name longer than a message
        return head + names[offset:end]

    # --- writing -----------------------------------------------------------------------------------

    cdef bint fits(self, Actor *who, Node node, long more) except -1:
        """Whether a node may grow by so many bytes; sets `fault` where it may not."""
        if who.privileged:
            return True
        if who.node_size_max != NO_LIMIT and node_size(node) + more > who.node_size_max:
            return self.exceed(F_ENOSPC)
        if 0 <= who.bytes_left < more:
            return self.exceed(F_ENOMEM)
        return self.has_room(who, more)

    cdef bint has_room(self, Actor *who, long more) noexcept:
        """Whether the journal has room for so much more; sets `fault` where it has none."""
        if 0 < more and who.growth_left < more:
            self.fault = F_ENOSPC
            return False
        return True

    cdef bint exceed(self, Fault fault) noexcept:
        """A node would become too large, or who asks hold too much: no transaction can go on from there."""
        self.fault = fault
        self.too_large = True
        return False

    cdef bytes write(self, Actor *who, Request *request):
        cdef Place place = self.tree.find(request.path, request.path_size)
        cdef Node node
        cdef bytes value
        if not self.rights_on(who, place.nearest) & WRITE:
            return self.fail(F_EACCES)
        if place.node == NULL:
            return self.create(who, request, place.nearest, place.matched)
        if request.op == MKDIR:
            return OK
        node = <Node>place.node
        if not self.fits(who, node, request.rest_size - PyBytes_GET_SIZE(node.value)):
            return None
        value = node.value
        if request.rest_size != PyBytes_GET_SIZE(value) or not same(value, request.rest):
            value = intern(PyBytes_FromStringAndSize(request.rest, request.rest_size))
        self.tree.set_value(node, request.path, request.path_size, value)
        self.change = CHANGED
        self.old_perms = node.perms
        return OK

    cdef bytes create(self, Actor *who, Request *request, PyObject *nearest, Py_ssize_t matched):
        cdef Py_ssize_t start = matched + 1 if matched > 1 else 1
        cdef const char *end = <const char *>memchr(request.path + start, c'/', request.path_size - start)
        cdef Py_ssize_t first = (request.path_size if end == NULL else end - request.path) - start
        cdef long missing = 1
        cdef Py_ssize_t i
        cdef bytes value = EMPTY
        if not who.privileged:
            for i in range(start, request.path_size):
                missing += request.path[i] == c'/'
            if 0 <= who.nodes_left < missing:
                self.exceed(F_ENOSPC)
                return None
            if not self.fits(who, <Node>nearest, first + 1) or not self.new_nodes_fit(who, request, nearest, start):
                return None
        if request.op == WRITE_NODE and request.rest_size:
            value = intern(PyBytes_FromStringAndSize(request.rest, request.rest_size))
        self.tree.create(request.path, request.path_size, matched, value, NO_DOMAIN if who.privileged else who.domid)
        self.change = CHANGED
        self.old_perms = None
        return OK

    cdef bint new_nodes_fit(self, Actor *who, Request *request, PyObject *nearest, Py_ssize_t start) except -1:
        """Whether the size of each node about to be created stays within its bounds; sets `fault`."""
        cdef long base = 16 + 8 * self.tree.current_perms(<Node>nearest).count
        cdef long total = 0
        cdef long size
        cdef Py_ssize_t stop = start
        cdef Py_ssize_t name
        while start < request.path_size:
            stop = start
            while stop < request.path_size and request.path[stop] != c'/':
                stop += 1
            name = stop + 1
            while name < request.path_size and request.path[name] != c'/':
                name += 1
            size = base + (request.rest_size if stop == request.path_size and request.op == WRITE_NODE else 0)
            if stop < request.path_size:
                size += name - stop
            if who.node_size_max != NO_LIMIT and size > who.node_size_max:
                return self.exceed(F_ENOSPC)
            total += size + stop
            start = stop + 1
        if 0 <= who.bytes_left < total:
            return self.exceed(F_ENOMEM)
        return self.has_room(who, total)

    cdef bytes rm(self, Actor *who, Request *request):
        cdef Place place = self.tree.find(request.path, request.path_size)
        if place.node == NULL:
            if not self.rights_on(who, place.nearest) & WRITE:
                return self.fail(F_EACCES)
            if self.tree.parent_of(request.path, request.path_size) != NULL:
                return OK
            return self.fail(F_ENOENT)
        if not self.rights_on(who, place.node) & WRITE:
            return self.fail(F_EACCES)
        if request.path_size == 1:
            return self.fail(F_EINVAL)
        self.old_perms = self.tree.current_perms(<Node>place.node)
        self.removed = self.tree.remove(request.path, request.path_size)
        self.change = REMOVED
        return OK

    # --- permissions -------------------------------------------------------------------------------

    cdef bytes set_perms(self, Actor *who, Request *request):
        """What is asked for comes before the path is looked at, as in C xenstored."""
        cdef Perms perms = self.asked_perms(who, request)
        return None if perms is None else self.give_perms(who, request, perms)

    cdef Perms asked_perms(self, Actor *who, Request *request):
        """The list that a SET_PERMS asks for; None: it is refused, wherever its path leads, and `fault` set."""
        cdef Py_ssize_t count = strings(request.rest, request.rest_size)
        cdef Perms perms
        if count == 0:
            return self.fail(F_EINVAL)
        if not who.privileged and who.perms_max != NO_LIMIT and count > who.perms_max:
            return self.fail(F_ENOSPC)
        perms = parse_perms(request.rest, request.rest_size)
        if perms is None:
            return self.fail(F_EINVAL)
        perms = self.flag_unknown(who, perms)
        if perms is None:
            return self.fail(F_ENOENT)
        return perms

    cdef bytes give_perms(self, Actor *who, Request *request, Perms perms):
        cdef Place place = self.tree.find(request.path, request.path_size)
        cdef Node node
        if place.node == NULL:
            return self.refuse(who, place.node, place.nearest, WRITE | OWNER)
        if self.rights_on(who, place.node) & (WRITE | OWNER) != (WRITE | OWNER):
            return self.fail(F_EACCES)
        node = <Node>place.node
        if not who.privileged:
            if entries(perms)[0].domid != entries(node.perms)[0].domid:
                return self.fail(F_EPERM)
            if not self.fits(who, node, 8 * (perms.count - node.perms.count)):
                return None
        self.old_perms = self.tree.current_perms(node)
        self.tree.set_perms(request.path, request.path_size, perms)
        self.change = CHANGED
        return OK

    cdef Perms flag_unknown(self, Actor *who, Perms perms):
        """The list with entries of domains that do not exist flagged STALE; None when the owner does not exist."""
        cdef Entry *entry = entries(perms)
        cdef Entry *marked
        cdef bytearray copy = None
        cdef char *data
        cdef Py_ssize_t i
        for i in range(perms.count):
            if entry[i].domid == ANY_DOMAIN:
                if who.any_domain:
                    continue
            elif entry[i].domid == 0 or self.knows(entry[i].domid):
                continue
            if i == 0:
                return None
            if copy is None:
                copy = bytearray(perms.packed)
            data = copy
            marked = <Entry *>data
            marked[i].flags = STALE
        return perms if copy is None else make_perms(bytes(copy))


cdef bint same(bytes value, const char *data) noexcept:
    return memcmp(PyBytes_AS_STRING(value), data, PyBytes_GET_SIZE(value)) == 0


cdef Py_ssize_t strings(const char *text, Py_ssize_t size) noexcept:
    """How many NUL-terminated strings a text consists of."""
    cdef Py_ssize_t count = 0, i
    for i in range(size):
        count += text[i] == 0
    return count


cdef Py_ssize_t leading_number(const char *text, Py_ssize_t size) noexcept:
    """The decimal number a text begins with (0: none), as atoi reads DIRECTORY_PART's offset."""
    cdef Py_ssize_t value = 0, i
    for i in range(size):
        if not c'0' <= text[i] <= c'9' or value > 1 << 40:
            break
        value = value * 10 + (text[i] - c'0')
    return value


cdef extern from "string.h":
    int memcmp(const void *, const void *, size_t) noexcept
