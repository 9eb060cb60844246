# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The index of watches by path component.

Finding the watches that a change concerns costs the depth of its path plus the watches found, however
many others there are.  Watches are told in the order in which they were registered.

Who may hear of a change (XSA-115): who may read the node, or its parent, or could read the node before.
Source: xenstore-protocol.md 7.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdlib cimport qsort
from libc.string cimport memchr

from xenstore._names cimport (
    fetch_ahead, hash_name, in_any_order, insert, lookup, name_of, name_size, new_directory, release, remove as remove_name,
)
from xenstore._perms cimport NO_DOMAIN, READ, rights
from xenstore._tree cimport Place, intern

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)


cdef enum:
    AHEAD = 8                       # items of a directory that are fetched from memory before they are looked at


cdef class Subscriber:
    """Who is told of changes: a session."""

    cdef int event(self, Watch watch, const char *path, Py_ssize_t size) except -1:
        """Queue the event of one of its watches for the changed path."""
        return 0

    cdef bint may_read(self, Perms perms) noexcept:
        return self.privileged or rights(perms, self.domid, NO_DOMAIN) & READ


@cython.final
@cython.no_gc
cdef class Watch:
    """One registered watch, owned by its subscriber.

    Outside the garbage collector, since there may be a hundred thousand.
    """

    def __init__(self, Subscriber subscriber, bytes path, bytes token, int depth, bint relative, int prefix):
        self.subscriber = <PyObject *>subscriber
        self.path = path
        self.token = token
        self.depth = depth
        self.relative = relative
        self.prefix = prefix


@cython.final
@cython.no_gc
cdef class Spot(Named):
    """A place in the index that is watched, or lies above one."""

    def __dealloc__(self):
        if self.children != NULL:
            release(self.children)


cdef inline Py_ssize_t component_end(const char *path, Py_ssize_t start, Py_ssize_t size) noexcept:
    cdef const char *end = <const char *>memchr(path + start, c'/', size - start)
    return size if end == NULL else end - path


cdef inline PyObject *child_spot(PyObject *spot, const char *name, Py_ssize_t size) noexcept:
    if (<Spot>spot).children == NULL:
        return NULL
    return lookup((<Spot>spot).children, name, size, hash_name(name, size))


cdef int levels(const char *path, Py_ssize_t start, Py_ssize_t size) noexcept:
    """Components of path[start:], which begins with a slash or is empty."""
    cdef int count = 0
    cdef Py_ssize_t i
    for i in range(start, size):
        count += path[i] == c'/'
    return count


@cython.final
@cython.no_gc
cdef class Inside:
    """A node inside a removed one, with watches set exactly on it."""


@cython.final
cdef class WatchIndex:
    """All watches of a store."""

    def __cinit__(self):
        self.root = Spot.__new__(Spot)
        self.specials = Spot.__new__(Spot)

    cdef Spot spot_at(self, const char *path, Py_ssize_t size):
        """The spot of a path, made with all above it where missing."""
        cdef Spot spot = self.specials if path[0] == c'@' else self.root
        cdef Spot child
        cdef PyObject *found
        cdef Py_ssize_t start = 0 if path[0] == c'@' else 1
        cdef Py_ssize_t stop
        while start < size:
            stop = component_end(path, start, size)
            found = child_spot(<PyObject *>spot, path + start, stop - start)
            if found != NULL:
                child = <Spot>found
            else:
                child = Spot.__new__(Spot)
                child.name = intern(PyBytes_FromStringAndSize(path + start, stop - start))
                if spot.children == NULL:
                    spot.children = new_directory()
                insert(&spot.children, child, hash_name(path + start, stop - start))
            spot = child
            start = stop + 1
        return spot

    cdef int add(self, Watch watch) except -1:
        """Register a watch; the caller keeps it alive until `discard`."""
        cdef Spot spot = self.spot_at(PyBytes_AS_STRING(watch.path), PyBytes_GET_SIZE(watch.path))
        self.numbers += 1
        watch.number = self.numbers
        watch.before = spot.last
        watch.after = NULL
        if spot.last == NULL:
            spot.first = <PyObject *>watch
        else:
            (<Watch>spot.last).after = <PyObject *>watch
        spot.last = <PyObject *>watch
        watch.placed = True
        self.count += 1
        return 0

    cdef int discard(self, Watch watch) except -1:
        """Forget a watch, and the spots that only led to it.  Cost: the depth of its path."""
        cdef const char *path = PyBytes_AS_STRING(watch.path)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(watch.path)
        cdef Py_ssize_t start = 0 if path[0] == c'@' else 1
        cdef Py_ssize_t stop, cut_start = 0, cut_stop = 0
        cdef PyObject *spot = <PyObject *>(self.specials if path[0] == c'@' else self.root)
        cdef PyObject *keeper = NULL    # the lowest spot that stays; what lies below it on the path goes
        cdef PyObject *child
        if not watch.placed:
            return 0
        watch.placed = False
        self.count -= 1
        while start < size:
            stop = component_end(path, start, size)
            child = child_spot(spot, path + start, stop - start)
            if keeper == NULL or (<Spot>spot).first != NULL or (<Spot>spot).children.count > 1:
                keeper = spot
                cut_start = start
                cut_stop = stop
            spot = child
            start = stop + 1
        if watch.before == NULL:
            (<Spot>spot).first = watch.after
        else:
            (<Watch>watch.before).after = watch.after
        if watch.after == NULL:
            (<Spot>spot).last = watch.before
        else:
            (<Watch>watch.after).before = watch.before
        if keeper != NULL and (<Spot>spot).first == NULL and (<Spot>spot).children == NULL:
            remove_name(&(<Spot>keeper).children, path + cut_start, cut_stop - cut_start,
                        hash_name(path + cut_start, cut_stop - cut_start))
            if (<Spot>keeper).children.count == 0:
                release((<Spot>keeper).children)
                (<Spot>keeper).children = NULL
        return 0

    cdef list matching(self, const char *path, Py_ssize_t size, bint any_depth):
        """The watches set on a path or above it that reach down to it (or all), in order of registration."""
        cdef list found = []
        cdef PyObject *spot = <PyObject *>(self.specials if path[0] == c'@' else self.root)
        cdef PyObject *watch
        cdef Py_ssize_t start = 0 if path[0] == c'@' else 1
        cdef Py_ssize_t stop = start
        cdef int spots = 0
        cdef bint more
        while spot != NULL:
            watch = (<Spot>spot).first
            more = watch != NULL
            while watch != NULL:
                if any_depth or (<Watch>watch).depth < 0 or levels(path, stop if stop > 1 else 0, size) <= (<Watch>watch).depth \
                        or (stop <= 1 and size == 1):
                    found.append(<Watch>watch)
                watch = (<Watch>watch).after
            spots += more
            if start >= size:
                break
            stop = component_end(path, start, size)
            spot = child_spot(spot, path + start, stop - start)
            start = stop + 1
        if spots > 1:
            found.sort(key=number_of)
        return found

    cdef int fire(self, Tree tree, const char *path, Py_ssize_t size, Perms old_perms) except -1:
        """Tell the watches on a changed path and above it.

        tree: the version after the change.  old_perms: the node's before it, where those count as well.
        """
        cdef list found
        cdef Watch watch
        cdef Subscriber subscriber
        cdef Place place
        cdef PyObject *parent = NULL
        cdef bint looked = False
        if self.count == 0:
            return 0
        found = self.matching(path, size, False)
        for watch in found:
            if not watch.placed:
                continue
            subscriber = <Subscriber>watch.subscriber
            if not subscriber.privileged:
                if not looked:
                    place = tree.find(path, size)
                    parent = tree.parent_of(path, size)
                    looked = True
                if not (
                    (place.node != NULL and subscriber.may_read(tree.current_perms(<Node>place.node)))
                    or (parent != NULL and subscriber.may_read(tree.current_perms(<Node>parent)))
                    or (old_perms is not None and subscriber.may_read(old_perms))
                ):
                    continue
            subscriber.event(watch, path, size)
        return 0

    cdef int fire_removed(self, Tree tree, const char *path, Py_ssize_t size, Node removed, Perms old_perms) except -1:
        """Tell of a removed subtree: watches set exactly on nodes inside it, bottom up, then as `fire`."""
        if self.count == 0:
            return 0
        for inside in self.below(path, size, removed, False):
            self.fire_exact(tree, <Inside>inside)
        return self.fire(tree, path, size, old_perms)

    cdef list below(self, const char *path, Py_ssize_t size, Node removed, bint parents_first):
        """The nodes Inside a removed one that have watches set exactly on them.

        Children before their parent, or the other way round, and in the order of their listing.
        """
        cdef PyObject *spot = <PyObject *>self.root
        cdef Py_ssize_t start = 1, stop
        cdef list found = []
        cdef Walk walk
        if path[0] == c'@' or removed.children == NULL:
            return found
        while start < size:
            stop = component_end(path, start, size)
            spot = child_spot(spot, path + start, stop - start)
            if spot == NULL:
                return found
            start = stop + 1
        walk = Walk(NULL, 0, 0)
        try:
            push(&walk, spot, <PyObject *>removed, NULL)
            while walk.used:
                self.step(&walk, found, parents_first)
        finally:
            PyMem_Free(walk.steps)
        return found

    cdef int step(self, Walk *walk, list found, bint parents_first) except -1:
        """Take one step of the walk: a node's children are put on it, or the node itself is found."""
        cdef Step now = walk.steps[walk.used - 1]
        if now.parent != NULL and now.expanded != parents_first and (<Spot>now.spot).first != NULL:
            found.append(make_inside(<Spot>now.spot, now.node, now.parent))
        if now.expanded or parents_first:
            walk.used -= 1
        else:
            walk.steps[walk.used - 1].expanded = True
        if not now.expanded:
            push_common_children(walk, now.spot, now.node)
        return 0

    cdef int fire_exact(self, Tree tree, Inside inside) except -1:
        """Tell the watches set exactly on one node of a removed subtree."""
        cdef PyObject *at = inside.spot.first
        cdef list found
        if at == NULL:
            return 0
        if (<Watch>at).after == NULL:       # mostly there is one
            return tell_exact(tree, inside, <Watch>at)
        found = []
        while at != NULL:
            found.append(<Watch>at)
            at = (<Watch>at).after
        for watch in found:
            tell_exact(tree, inside, <Watch>watch)
        return 0


cdef int tell_exact(Tree tree, Inside inside, Watch watch) except -1:
    cdef Subscriber subscriber
    if not watch.placed:
        return 0
    subscriber = <Subscriber>watch.subscriber
    if (
        subscriber.privileged
        or subscriber.may_read(tree.current_perms(<Node>inside.node))
        or subscriber.may_read(tree.current_perms(<Node>inside.parent))
    ):
        subscriber.event(watch, PyBytes_AS_STRING(inside.path), PyBytes_GET_SIZE(inside.path))
    return 0


cdef Inside make_inside(Spot spot, PyObject *node, PyObject *parent):
    cdef Inside inside = Inside.__new__(Inside)
    inside.path = (<Watch>spot.first).path
    inside.spot = spot
    inside.node = node
    inside.parent = parent
    return inside


def number_of(Watch watch):
    return watch.number


# --- the walk through what was removed -------------------------------------------------------------

cdef int push(Walk *walk, PyObject *spot, PyObject *node, PyObject *parent) except -1:
    cdef Step *grown
    if walk.used == walk.room:
        grown = <Step *>PyMem_Realloc(walk.steps, (walk.room * 2 + 64) * sizeof(Step))
        if grown == NULL:
            raise MemoryError()
        walk.steps = grown
        walk.room = walk.room * 2 + 64
    walk.steps[walk.used] = Step(spot, node, parent, False)
    walk.used += 1
    return 0


cdef int push_common_children(Walk *walk, PyObject *spot, PyObject *node) except -1:
    """Put on the walk the children that are nodes and watched (or lead to watches); the first listed is next.

    Goes through the smaller of the two directories.
    """
    cdef Piece *spots = (<Spot>spot).children
    cdef Piece *nodes = (<Node>node).children
    cdef Piece *walked
    cdef Piece *other
    cdef PyObject **items
    cdef PyObject *found
    cdef uint32_t hashes[AHEAD]
    cdef Py_ssize_t before = walk.used
    cdef uint32_t i, ahead
    if spots == NULL or nodes == NULL:
        return 0
    walked, other = (spots, nodes) if spots.count < nodes.count else (nodes, spots)
    items = in_any_order(walked)
    try:
        for ahead in range(walked.count + AHEAD):
            i = ahead - AHEAD
            found = NULL
            if ahead >= AHEAD:
                found = lookup(other, name_of(items[i]), name_size(items[i]), hashes[i % AHEAD])
            if ahead < walked.count:
                hashes[ahead % AHEAD] = hash_name(name_of(items[ahead]), name_size(items[ahead]))
                fetch_ahead(other, hashes[ahead % AHEAD])
            if found != NULL and walked == spots:
                push(walk, items[i], found, node)
            elif found != NULL:
                push(walk, found, items[i], node)
    finally:
        PyMem_Free(items)
    qsort(walk.steps + before, walk.used - before, sizeof(Step), last_listed_first)
    return 0


cdef int last_listed_first(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<Named>(<Step *>a).node).number
    cdef uint64_t y = (<Named>(<Step *>b).node).number
    return (x < y) - (x > y)
