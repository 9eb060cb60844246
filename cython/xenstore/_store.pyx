# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The store that all sessions share: the live tree, the watches, the accounts and who may start a transaction.

It knows of its sessions only what `Client` says.
"""

from cpython.mem cimport PyMem_Free
from cpython.object cimport PyObject
from libc.math cimport INFINITY
from libc.string cimport memset

from xenstore._accounts cimport Q_NODES
from xenstore._ledger cimport Ledger
from xenstore._names cimport dismantle, in_order
from xenstore._perms cimport NO_DOMAIN, Perms, entries, with_owner
from xenstore._recorder cimport Frame, GONE, REMOVE_NODE, SET_PERMS as SET_NODE_PERMS, WRITE_NODE
from xenstore._transactions cimport Record, record_size
from xenstore._tree cimport Place, fresh_tree
from xenstore._view cimport REMOVED, RM, SET_PERMS, UNCHANGED, view_of

from collections import deque

from xenstore import errors, limits

cdef extern from "Python.h":
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept

cdef unsigned long long PINNED_MAX = limits.PINNED_MAX_BYTES
cdef double PINNED_SECONDS = limits.PINNED_MAX_SECONDS

#: How often guests' credits and events are looked at, in seconds; and how often their snapshots, if nothing changes.
cdef double GUEST_SECONDS = 0.05
cdef double SNAPSHOT_SECONDS = 1.0

cdef enum:
    REQUEST_BYTES = 4096            # what a session that waited for the journal may record, roughly
    NODE_MORE = 24                  # bytes of a node's record in an image beyond what is booked for it, at most

cdef extern from "limits.h":
    long long LLONG_MAX


cdef class Client(Subscriber):
    """A session, as far as the store knows it."""

    cdef int admitted(self) except -1:
        """The transaction it has parked may go on."""
        return 0

    cdef int pass_time(self) except -1:
        """Time has passed, for a guest; returns 1 where it must pass on, else 0."""
        return 0

    cdef int lose(self, Transaction transaction) except -1:
        """Let go of all that a transaction holds; it will fail."""
        return 0

    cdef int record(self) except -1:
        """Put what changed of it into the frame being made."""
        return 0

    cdef Py_ssize_t hold(self) noexcept:
        """Bytes that wait for a client of the socket to read them."""
        return 0

    cdef int cut_off(self) except -1:
        """Serve this client no more, nor send what waits for it."""
        return 0

    cpdef close(self):
        """Serve this client no more."""

    cdef int go_on(self) except -1:
        """What was `behind` may be executed."""
        return 0

    cdef int charge(self, uint64_t size) except -1:
        """So many bytes more were recorded for it."""
        cdef Recorder recorder = self.store.recorder
        if recorder is None or size == 0:
            return 0
        if self.round != recorder.round:
            self.round = recorder.round
            self.recorded_here = 0
            recorder.writers += 1
        self.recorded_here += size
        return 0

    cdef bint comes_first(self) noexcept:
        """Whether it is served before all others: dom0's kernel, on whom all domains depend."""
        return False

    def unpause(self):
        """Go on with the start of a transaction that waits since `Store.pause_transactions`."""

    def held(self) -> dict:
        """What it holds, counted: watches, transactions, outstanding, bytes."""
        return {}


cdef class Store:
    """The state that all sessions share: the live tree, watches, accounts and admission."""

    def __init__(self, quotas, knows):
        """Again for a store that nobody is connected to: it begins anew."""
        self.touched = []
        self.unrecorded = []
        self.waiting_for_log = deque()
        self.content = 0
        self.content_max = LLONG_MAX
        self.watch_event_seconds = limits.WATCH_EVENT_TIMEOUT_SECONDS
        self.sessions = set()
        self.guests = set()
        self.guest_transactions = {}
        self.look_at = INFINITY
        self.watches = WatchIndex()
        self.accounts = Accounts(quotas)
        self.admission = Admission()
        self.open_transactions = 0
        self.transactions_paused = False
        self.replaced_before = self.bound_again = 0
        self.live = view_of(fresh_tree(), knows)
        self.settle()

    def say(self, str line):
        """Say one line to whoever runs this store."""
        if self.log is not None:
            self.log(line)

    def administer(self, session, type, payload):
        """Answer a request about domains or the daemon; overridden where those exist."""
        raise errors.ENOSYS()

    def ignore(self, domid, error):
        """Serve a domain no more that broke the protocol of its ring; overridden where domains exist."""

    def recall(self, kind, domid, number, first, second):
        """Do again what an entry of the journal says about domains; overridden where those exist."""

    def after_reply(self):
        """Called when the answer to an administrative request is queued; overridden."""

    @property
    def session_count(self) -> int:
        """How many sessions are open."""
        return len(self.sessions)

    def all_sessions(self) -> list:
        """The open sessions, in no order."""
        return list(self.sessions)

    def pause_transactions(self, bint paused):
        """Let clients that have no transaction open wait with their next, or let them go on."""
        self.transactions_paused = paused
        if not paused:
            for session in self.all_sessions():
                (<Client>session).unpause()

    cdef int disconnect_slowest(self) except -1:
        """Clients of the socket leave too much unread altogether: cut off the one that leaves the most.

        Cost: all sessions, each time megabytes are given back.
        """
        cdef Client session, slowest = None
        for session in self.sessions:
            if slowest is None or session.hold() > slowest.hold():
                slowest = session
        self.say(
            f"clients of the socket left {self.output_held} bytes unread altogether: the one with most of it, "
            f"{slowest.hold()}, is disconnected")
        return slowest.cut_off()

    # --- time --------------------------------------------------------------------------------------

    cdef double deadline(self) except? -2:
        """Seconds until `tick` has something to do; negative: nothing waits for time to pass."""
        cdef double due = self.admission.deadline(self.now)
        cdef double look
        if self.guests_wait or (self.guest_transactions and self.may_pin()):
            # The time is kept: a busy store asks again and again, and would never come to it.
            self.look_at = min(self.look_at, self.now + (GUEST_SECONDS if self.guests_wait else SNAPSHOT_SECONDS))
            look = max(0.0, self.look_at - self.now)
            due = look if due < 0 else min(due, look)
        if dismantle(0):
            due = 0.0
        return due

    cdef int tick(self) except -1:
        """What passing time makes due: admissions, bounds of snapshots, and a slice of freeing what was removed."""
        self.admit()
        if self.guest_transactions:
            self.bound_snapshots()
        self.look_at = INFINITY
        self.guests_wait = False
        for session in self.guests:
            if (<Client>session).pass_time():
                self.guests_wait = True
        dismantle(256)
        return 0

    cdef int do_work(self) except -1:
        """A slice of what can wait, if there is any; when, is the driver's choice."""
        if self.has_work:
            self.has_work = self.work()
        return 0

    def run_due(self):
        """For drivers written in Python: do what `now` has made due, and a slice of what can wait."""
        self.tick()
        self.do_work()

    def seconds_to_next(self) -> float:
        """For drivers written in Python: seconds until `run_due` has something to do; negative: nothing."""
        return 0.0 if self.has_work else self.deadline()

    def take_touched(self) -> list:
        """For drivers written in Python: the sessions with output or news since the last call."""
        touched = self.touched
        self.touched = []
        for session in touched:
            (<Client>session).touched = False
        return touched

    cdef int admit(self) except -1:
        """Let waiting transactions start as far as the window allows."""
        cdef Client session
        while True:
            session = self.admission.next(self.now)
            if session is None:
                return 0
            self.admission.begin(session.parked, self.now)
            session.admitted()

    cdef int watch_over(self, Transaction transaction, Client session) except -1:
        """Bound what a guest's new transaction pins."""
        if not self.guest_transactions:
            self.replaced_before = self.live.tree.history.replaced_bytes
        self.guest_transactions[transaction] = session
        return 0

    cdef bint may_pin(self) noexcept:
        """Whether anything was replaced since the oldest of guests' transactions: else no timer is set for them."""
        return self.live.tree.history.replaced_bytes != self.replaced_before

    cdef int bound_snapshots(self) except -1:
        """Take the snapshot from guests' transactions that pin too much of old versions, or for too long.

        Cost: all open transactions of guests, so changes come here only after a part of what one may pin.
        """
        cdef Transaction transaction
        cdef Client session
        cdef unsigned long long pinned
        self.bound_again = self.live.tree.history.replaced_bytes + PINNED_MAX // 16
        for transaction, session in self.guest_transactions.items():
            if transaction.view is None:
                continue
            pinned = self.live.tree.history.replaced_bytes - transaction.replaced_at_start
            if pinned == 0:
                continue
            if transaction.pinned_since < 0:
                transaction.pinned_since = self.now
            if pinned > PINNED_MAX or self.now - transaction.pinned_since > PINNED_SECONDS:
                session.lose(transaction)
        return 0

    # --- the journal's pace and room ---------------------------------------------------------------

    cdef bint must_wait_for_log(self, Client session) except -1:
        """Whether a request that would be recorded has to wait in the input until the journal's image has caught up."""
        if self.recorder.admits(session.recorded_here if session.round == self.recorder.round else 0,
                                session.comes_first()):
            return False
        session.behind = True
        self.is_urgent = self.has_work = True
        if session.comes_first():
            self.waiting_for_log.appendleft(session)
        else:
            self.waiting_for_log.append(session)
        return True

    @property
    def is_behind(self) -> bool:
        """Whether a request waits for the journal."""
        return len(self.waiting_for_log) > 0

    def go_on_recording(self) -> None:
        """Let sessions go on that waited for the journal, as far as its pace allows now, in the order in which they
        came; each is counted with what a request may take, before it has recorded that."""
        cdef Client session
        cdef Recorder recorder = self.recorder
        cdef uint64_t given = 0
        cdef list still = []
        for session in self.waiting_for_log:
            if session.closed:
                continue
            if recorder is not None and not recorder.admits_beside(
                    session.recorded_here if session.round == recorder.round else 0, given, session.comes_first()):
                still.append(session)
                continue
            given += REQUEST_BYTES
            session.behind = False
            session.go_on()
        self.waiting_for_log.clear()
        self.waiting_for_log.extend(still)

    cdef long long growth_left(self, long long wanted) except? -2:
        """How many bytes guests may add to the content, of which `wanted` are about to be asked for."""
        if self.content_max - self.content < wanted and self.make_room is not None:
            self.make_room(wanted)
        return max(0, self.content_max - self.content)

    # --- changes -----------------------------------------------------------------------------------

    cdef int settle(self) except -1:
        """Book what was done to the live tree: on the owners' accounts, and as replaced."""
        cdef Tree tree = self.live.tree
        cdef Ledger ledger = tree.ledger
        cdef Account account
        cdef int i
        for i in range(ledger.used):
            if ledger.rows[i].nodes == 0 and ledger.rows[i].size == 0:
                continue            # given and taken away within one transaction
            account = self.accounts.of(ledger.rows[i].domid)
            account.nodes += ledger.rows[i].nodes
            account.memory += ledger.rows[i].size
            self.content += ledger.rows[i].size + NODE_MORE * ledger.rows[i].nodes
            self.accounts.note(account)
        ledger.clear()
        tree.history.replaced_bytes += tree.replaced_bytes
        tree.replaced_bytes = 0
        return 0

    cdef bint within_node_quotas(self, Ledger ledger) except -1:
        """Whether no guest owns more nodes than it may once these changes are made."""
        cdef Account account
        cdef int i
        for i in range(ledger.used):
            if ledger.rows[i].nodes > 0 and ledger.rows[i].domid != 0:
                account = self.accounts.of(ledger.rows[i].domid)
                if not account.allows(Q_NODES, account.nodes + ledger.rows[i].nodes):
                    return False
        return True

    cdef bint has_room_for(self, Ledger ledger) except -1:
        """Whether the journal has room for what these changes add."""
        cdef long long growth = 0
        cdef int i
        for i in range(ledger.used):
            growth += ledger.rows[i].size + NODE_MORE * ledger.rows[i].nodes
        return growth <= 0 or growth <= self.growth_left(growth)

    cdef int changed(self, Request *request, int creator) except -1:
        """The live view has just executed a request that changed it: book it, record it, and tell the watches."""
        cdef View live = self.live
        self.settle()
        if self.recorder is not None:
            self.record_change(request, creator)
        if live.change == REMOVED:
            self.watches.fire_removed(live.tree, request.path, request.path_size, live.removed, live.old_perms)
            live.removed = None
        else:
            self.watches.fire(live.tree, request.path, request.path_size,
                              live.old_perms if request.op == SET_PERMS else None)
        if self.guest_transactions and live.tree.history.replaced_bytes >= self.bound_again:
            self.bound_snapshots()
        return 0

    cdef int fire_commit(self, Tree before, Transaction transaction) except -1:
        """Tell the watches what a commit changed: each path once, in the order of its first access.

        Nodes that exist neither before nor after are not told of.  Inside a removed subtree, only watches set exactly
        on a node are, parents first; that a node is made anew later, on the way to another, does not undo that.
        """
        cdef Tree after = self.live.tree
        cdef dict order = {}            # path: Change, or Inside a removed subtree
        cdef Log log = transaction.log
        cdef Record *record
        cdef Py_ssize_t at = 0, removals = 0
        cdef bytes path
        cdef Place old
        cdef Node removed
        if self.watches.count == 0:
            return 0
        while at < log.used:
            record = <Record *>(log.data + at)
            path = (<char *>(record + 1))[:record.path_size]
            if record.change != UNCHANGED or path not in order:
                order[path] = record.change
            if record.change == REMOVED:
                old = before.find(path, len(path))
                removed = transaction.removed[removals]
                removals += 1
                if old.node != NULL:
                    self.note_inside(order, path, <Node>old.node, None)
                if old.node != <PyObject *>removed:
                    self.note_inside(order, path, removed, after)
            at += record_size(record)
        for path, change in order.items():
            if type(change) is Inside:
                self.watches.fire_exact(after, <Inside>change)
            elif change != UNCHANGED:
                self.fire_committed(before, after, path)
        return 0

    def note_inside(self, dict order, bytes path, Node removed, Tree made):
        """Enter the watched nodes inside a removed one into a commit's order, unless they are told of anyway.

        made: the version in which they must exist, with the rights that they have there; None: any, as they were.
        """
        cdef Inside inside
        cdef Place place
        for inside in self.watches.below(path, len(path), removed, True):
            if order.get(inside.path, UNCHANGED) != UNCHANGED:
                continue
            if made is not None:
                place = made.find(inside.path, len(inside.path))
                if place.node == NULL:
                    continue
                inside.node = place.node
                inside.parent = made.parent_of(inside.path, len(inside.path))
            order[inside.path] = inside

    def fire_committed(self, Tree before, Tree after, bytes path):
        """Tell of one path that a commit wrote, created or removed."""
        cdef Place old = before.find(path, len(path))
        cdef Place new = after.find(path, len(path))
        if old.node != NULL:
            self.watches.fire(after, path, len(path), before.current_perms(<Node>old.node))
        elif new.node != NULL:
            self.watches.fire(after, path, len(path), None)

    # --- the record of changes -------------------------------------------------------------------------

    cdef int seal(self) except -1:
        """Record whatever happened: to be called before any client can learn of it."""
        cdef Client client
        if self.recorder is None or (self.recorder.used == sizeof(Frame) and not self.unrecorded):
            return 0
        if self.unrecorded:
            for client in self.unrecorded:
                client.unrecorded = False
                client.record()
            self.unrecorded.clear()
        if self.recorder.used == sizeof(Frame):
            return 0                    # only of sessions that were closed meanwhile
        return self.recorder.close_frame(self.live.tree.history.generation)

    def seal_now(self) -> None:
        """For drivers written in Python: record whatever happened."""
        self.seal()

    def record_entry(self, int kind, int domid, int number=0, bytes first=b"", bytes second=b"") -> None:
        """Record one fact (see `_recorder.Kind`), where anything is recorded."""
        if self.recorder is not None:
            self.recorder.entry(kind, domid, number, first, len(first), second, len(second))

    cdef int record_change(self, Request *request, int creator) except -1:
        """Record what a request has just done to the live tree."""
        cdef int kind = kind_of(request.op)
        cdef bytes packed
        if kind == SET_NODE_PERMS:
            packed = (<Node>self.live.tree.find(request.path, request.path_size).node).perms.packed
            return self.recorder.entry(kind, 0, creator, request.path, request.path_size, packed, len(packed))
        return self.recorder.entry(kind, 0, creator, request.path, request.path_size, request.rest, request.rest_size)

    cdef int record_commit(self, Log log, int creator) except -1:
        """Record what a transaction has just done."""
        cdef Record *record
        cdef const char *path
        cdef const char *rest
        cdef Py_ssize_t at = 0, rest_size
        cdef int kind
        while at < log.used:
            record = <Record *>(log.data + at)
            at += record_size(record)
            if record.change == UNCHANGED:
                continue
            path = <const char *>(record + 1)
            rest = path + record.path_size
            rest_size = record.rest_size
            kind = kind_of(record.op)
            if kind == SET_NODE_PERMS:
                rest += record.rest_size + record.reply_size
                rest_size = record.perms_size
            self.recorder.entry(kind, 0, creator, path, record.path_size, rest, rest_size)
        return 0

    # --- domains: what xenstore.store needs ----------------------------------------------------------

    def event_special(self, bytes name, int domid, bint generic):
        """Tell the watches on @introduceDomain or @releaseDomain of one domain.

        Watches with a depth, and those on "name/domid", hear which domain; the others hear only that something
        happened, and only where `generic` is set.
        """
        cdef bytes specific = b"%s/%d" % (name, domid)
        cdef Place place = self.live.tree.find(name, len(name))
        cdef Perms perms = self.live.tree.current_perms(<Node>place.node)
        cdef Watch watch
        cdef Subscriber subscriber
        cdef bint exact
        for watch in self.watches.matching(specific, len(specific), True):
            if not watch.placed:
                continue
            subscriber = <Subscriber>watch.subscriber
            if not subscriber.may_read(perms):
                continue
            exact = PyBytes_GET_SIZE(watch.path) > len(name)
            if exact or watch.depth > 0:
                subscriber.event(watch, specific, len(specific))
            elif generic:
                subscriber.event(watch, name, len(name))

    def remove_node(self, bytes path):
        """Remove a node with its subtree, telling the watches, whoever owns it."""
        cdef Request request
        cdef Actor dom0
        memset(&dom0, 0, sizeof(dom0))
        dom0.privileged = True
        dom0.target = NO_DOMAIN
        dom0.any_domain = True
        request.op = RM
        request.path = path
        request.path_size = len(path)
        request.rest = NULL
        request.rest_size = 0
        self.live.perform(&dom0, &request)
        if self.live.change != UNCHANGED:
            self.changed(&request, NO_DOMAIN)

    def owned_paths(self, int domid) -> list:
        """Paths of the topmost nodes a domain owns.  Cost: all nodes of the store."""
        return owned_paths(self.live.tree, domid)

    def owner_of(self, bytes path):
        """The owner's domid of the node at a path, or None when there is no such node."""
        cdef Place place = self.live.tree.find(path, len(path))
        return None if place.node == NULL else entries((<Node>place.node).perms)[0].domid

    def give_to(self, bytes path, int domid):
        """Make a domain the owner of the existing node at a path; no watch hears of it."""
        cdef Place place = self.live.tree.find(path, len(path))
        cdef Perms perms = self.live.tree.current_perms(<Node>place.node)
        perms = with_owner(perms, domid)
        self.live.tree.set_perms(path, len(path), perms)
        self.settle()
        self.record_entry(SET_NODE_PERMS, 0, NO_DOMAIN, path, perms.packed)

    def forget_domain(self, int domid):
        """A domain is gone: permission entries that name it count no more (XSA-322), its account is closed."""
        self.live.tree.note_death(domid)
        self.accounts.forget(domid)
        self.record_entry(GONE, domid)

    def recount(self) -> dict:
        """{domid: (nodes, bytes of nodes)} counted from the live tree.  Cost: all nodes."""
        cdef Tree tree = self.live.tree
        cdef int i
        tree.charge_subtree(tree.root, 1, 1)
        charge_specials(tree)
        counted = {tree.ledger.rows[i].domid: (tree.ledger.rows[i].nodes, tree.ledger.rows[i].size)
                   for i in range(tree.ledger.used)}
        tree.ledger.clear()
        return counted

    def held(self) -> dict:
        """{domid: what its sessions hold, counted}: watches, transactions, outstanding, bytes beside nodes."""
        cdef Client session
        found = {}
        for session in self.sessions:
            held = found.setdefault(session.domid, {"watches": 0, "transactions": 0, "outstanding": 0, "bytes": 0})
            for what, count in session.held().items():
                held[what] += count
        return found


cdef int kind_of(int op) noexcept:
    """The kind of entry that records a request which has changed the tree."""
    if op == SET_PERMS:
        return SET_NODE_PERMS
    return REMOVE_NODE if op == RM else WRITE_NODE


cdef charge_specials(Tree tree):
    for name in (b"@introduceDomain", b"@releaseDomain"):
        tree.charge_subtree(<Node>tree.find(name, len(name)).node, len(name), 1)


cdef list owned_paths(Tree tree, int domid):
    cdef list found = []
    cdef list pending = [(b"", tree.root)]
    cdef PyObject **items
    cdef Py_ssize_t i
    cdef Node node
    while pending:
        path, node = pending.pop()
        if entries(node.perms)[0].domid == domid and path:
            found.append(path)
        elif node.children != NULL:
            items = in_order(node.children)
            for i in range(node.children.count - 1, -1, -1):
                pending.append((path + b"/" + (<Node>items[i]).name, <Node>items[i]))
            PyMem_Free(items)
    return found
