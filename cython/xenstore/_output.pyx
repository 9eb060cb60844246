# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a session has to say and has not sent yet: replies and watch events, in order.

The bytes lie in one buffer, which a driver sends from and which is gone while there is nothing to send.  A
watch event is queued once, however often the same thing happens before it is sent; a guest is charged for
what it does not read, and events it does not read for long are dropped (XSA-326).
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp, memcpy, memmove, memset

from xenstore._accounts cimport Q_MEMORY
from xenstore._names cimport hash_name
from xenstore._view cimport ERROR, FAULT_TEXT, PAYLOAD_MAX, WATCH_EVENT

from collections import deque

from xenstore import limits

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept

cdef enum:
    OUT_FIRST = 1024                # first size of an output buffer; larger ones are freed once empty

cdef Py_ssize_t OUTPUT_STALL = limits.OUTPUT_STALL_BYTES
cdef Py_ssize_t OUTPUT_MAX = limits.OUTPUT_MAX_BYTES
cdef Py_ssize_t OUTPUT_CROWD = limits.OUTPUT_CROWD_BYTES
cdef Py_ssize_t OUTPUT_CROWDED = limits.OUTPUT_CROWDED_BYTES
cdef Py_ssize_t OUTPUT_TOTAL = limits.OUTPUT_TOTAL_BYTES


cdef class Output(Client):
    """The output of one session."""

    def __dealloc__(self):
        PyMem_Free(self.out)
        PyMem_Free(self.pending)

    cdef int update_stall(self) except -1:
        """Decide anew whether requests may be executed."""
        return 0

    cdef bint is_full(self) noexcept:
        """Whether so much is unsent that no further request may be executed."""
        cdef Py_ssize_t unsent = self.out_tail - self.out_head
        return unsent >= OUTPUT_STALL or (
            unsent >= OUTPUT_CROWDED and self.store.output_held > OUTPUT_CROWD and self.privileged and not self.on_ring)

    cdef Py_ssize_t hold(self) noexcept:
        return self.counted

    cdef int cut_off(self) except -1:
        self.close()
        return self.drop_output()

    cdef int count_output(self) except -1:
        """The buffer has another size, or another meaning: keep count of what all clients of the socket hold.

        Guests pay for theirs (quota "memory"), and there is one ring of dom0's, bounded by itself.
        """
        cdef Py_ssize_t size = self.out_size if self.privileged and not self.on_ring and not self.closed else 0
        self.store.output_held += size - self.counted
        self.counted = size
        return 0

    cdef int drop_output(self) except -1:
        """Forget what is unsent: nobody will read it."""
        PyMem_Free(self.out)
        self.out = NULL
        self.out_head = self.out_tail = self.out_size = 0
        self.forget_pending()
        return self.count_output()

    # --- messages ----------------------------------------------------------------------------------

    cdef char *room(self, Py_ssize_t size) except NULL:
        """Where the next message goes: at least so many free bytes."""
        cdef Py_ssize_t used = self.out_tail - self.out_head
        cdef Py_ssize_t wanted
        cdef char *fresh
        if self.out_tail + size > self.out_size:
            wanted = OUT_FIRST if used + size <= OUT_FIRST else (used + size) * 2
            if wanted <= self.out_size and self.out_head >= used:
                memcpy(self.out, self.out + self.out_head, used)
            else:
                fresh = <char *>PyMem_Malloc(wanted)
                if fresh == NULL:
                    raise MemoryError()
                if used:
                    memcpy(fresh, self.out + self.out_head, used)
                PyMem_Free(self.out)
                self.out = fresh
                self.out_size = wanted
                self.count_output()
            self.out_head = 0
            self.out_tail = used
        return self.out + self.out_tail

    cdef int touch(self) except -1:
        if self.recorded and not self.unrecorded and self.store.recorder is not None:
            self.unrecorded = True
            self.store.unrecorded.append(self)
        if not self.touched:
            self.touched = True
            self.store.touched.append(self)
        return 0

    cdef int message(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1:
        cdef char *p = self.room(HEADER_SIZE + size)
        put_header(p, type, req_id, tx_id, size)
        memcpy(p + HEADER_SIZE, payload, size)
        self.out_tail += HEADER_SIZE + size
        if self.store.trace is not None:
            self.store.trace("OUT", self, type, payload[:size])
        if not self.privileged:
            self.account.outstanding += 1
            self.account.memory += HEADER_SIZE + size
        elif self.out_tail - self.out_head >= OUTPUT_CROWDED and self.is_full():
            self.stalled = True
        return self.touch()

    cdef int reply(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1:
        return self.message(type, req_id, tx_id, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))

    cdef int refuse(self, uint32_t req_id, uint32_t tx_id, Fault fault) except -1:
        return self.reply(ERROR, req_id, tx_id, <bytes>FAULT_TEXT[<int>fault])

    # --- watch events ------------------------------------------------------------------------------

    cdef int queue_event(self, Watch watch, const char *path, Py_ssize_t size, bint repeat) except -1:
        """Queue a watch event, also where the same one is still unsent if `repeat`, unless it is too long (XSA-324)."""
        cdef Py_ssize_t token_size = PyBytes_GET_SIZE(watch.token)
        cdef Py_ssize_t total
        cdef char *p
        cdef uint64_t hash
        if self.closed:
            return 0
        if self.on_ring and self.privileged and self.out_tail - self.out_head > OUTPUT_MAX:
            return 0
        if watch.relative:
            path += watch.prefix
            size -= watch.prefix
        total = size + token_size + 2
        if total > PAYLOAD_MAX:
            return 0
        if not self.privileged and not self.account.allows(Q_MEMORY, self.account.memory + HEADER_SIZE + total):
            return 0
        p = self.room(HEADER_SIZE + total)
        put_header(p, WATCH_EVENT, 0, 0, total)
        p += HEADER_SIZE
        memcpy(p, path, size)
        p[size] = 0
        memcpy(p + size + 1, PyBytes_AS_STRING(watch.token), token_size)
        p[total - 1] = 0
        if path[0] != c'@':
            hash = hash_name(p, total)
            if not repeat and self.is_pending(hash, p, total):
                return 0
            self.note_pending(hash, self.sent_bytes + (self.out_tail - self.out_head))
        if self.store.trace is not None:
            self.store.trace("OUT", self, WATCH_EVENT, p[:total])
        self.out_tail += HEADER_SIZE + total
        if not self.privileged:
            self.event_times.append((self.sent_bytes + (self.out_tail - self.out_head) - HEADER_SIZE - total,
                                     self.store.now))
            self.account.outstanding += 1
            self.account.memory += HEADER_SIZE + total
            self.store.guests_wait = True
            self.update_stall()
        elif self.out_tail - self.out_head > OUTPUT_MAX and not self.on_ring:
            self.store.say(
                f"a client of the socket left {self.out_tail - self.out_head} bytes of watch events unread: disconnected")
            self.close()
        elif self.store.output_held > OUTPUT_TOTAL:
            self.store.disconnect_slowest()
        return self.touch()

    cdef bint is_pending(self, uint64_t hash, const char *text, Py_ssize_t size) noexcept:
        """Whether a watch event with this text is among the messages not begun to be sent."""
        cdef int i
        cdef Header header
        cdef const char *at
        if self.pending_used == 0:
            return False
        i = hash & (self.pending_size - 1)
        while self.pending[2 * i + 1]:
            if self.pending[2 * i] == hash and self.pending[2 * i + 1] - 1 >= self.sent_bytes:
                at = self.out + self.out_head + (self.pending[2 * i + 1] - 1 - self.sent_bytes)
                memcpy(&header, at, HEADER_SIZE)
                if header.size == <uint32_t>size and memcmp(at + HEADER_SIZE, text, size) == 0:
                    return True
            i = (i + 1) & (self.pending_size - 1)
        return False

    cdef int note_pending(self, uint64_t hash, uint64_t position) except -1:
        """Remember an event by hash and stream position (kept plus one; zero marks a free place)."""
        cdef int i
        if self.pending_used * 2 >= self.pending_size:
            self.renew_pending()
        i = hash & (self.pending_size - 1)
        while self.pending[2 * i + 1]:
            i = (i + 1) & (self.pending_size - 1)
        self.pending[2 * i] = hash
        self.pending[2 * i + 1] = position + 1
        self.pending_used += 1
        return 0

    cdef int renew_pending(self) except -1:
        """Drop the events that were sent, and make room for as many again as there still are."""
        cdef uint64_t *old = self.pending
        cdef int i, unsent = 0, old_size = self.pending_size, size = 8
        for i in range(old_size):
            unsent += old[2 * i + 1] > self.sent_bytes
        while size < unsent * 4:
            size *= 2
        self.pending = <uint64_t *>PyMem_Malloc(size * 2 * sizeof(uint64_t))
        if self.pending == NULL:
            self.pending = old
            raise MemoryError()
        memset(self.pending, 0, size * 2 * sizeof(uint64_t))
        self.pending_size = size
        self.pending_used = 0
        for i in range(old_size):
            if old[2 * i + 1] > self.sent_bytes:
                self.note_pending(old[2 * i], old[2 * i + 1] - 1)
        PyMem_Free(old)
        return 0

    cdef void forget_pending(self) noexcept:
        PyMem_Free(self.pending)
        self.pending = NULL
        self.pending_used = self.pending_size = 0

    def find_pending(self):
        """Remember the watch events in out, as if they had just been queued."""
        cdef Py_ssize_t at = self.out_head + self.message_left
        cdef Header header
        while at + HEADER_SIZE <= self.out_tail:
            memcpy(&header, self.out + at, HEADER_SIZE)
            if header.type == WATCH_EVENT and self.event_times is not None:
                self.event_times.append((self.sent_bytes + (at - self.out_head), self.store.now))
            if header.type == WATCH_EVENT and self.out[at + HEADER_SIZE] != c'@':
                self.note_pending(hash_name(self.out + at + HEADER_SIZE, header.size),
                                  self.sent_bytes + (at - self.out_head))
            at += HEADER_SIZE + header.size

    def drop_old_events(self, double before):
        """Drop the watch events queued before a time that the guest has not begun to take (XSA-326)."""
        cdef set old = set()
        while self.event_times and (
            self.event_times[0][0] < self.sent_bytes
            or (self.event_times[0][1] <= before and self.store.watch_event_seconds > 0)
        ):
            old.add(self.event_times.popleft()[0] - self.sent_bytes)
        old = {position for position in old if position >= self.message_left}
        if old:
            self.cut_out(old)

    def cut_out(self, set positions):
        """Remove the messages that begin at these offsets of the unsent output."""
        cdef Py_ssize_t at = self.out_head + self.message_left
        cdef Py_ssize_t to = at
        cdef Py_ssize_t size
        cdef Header header
        cdef dict moved = {}
        while at + HEADER_SIZE <= self.out_tail:
            memcpy(&header, self.out + at, HEADER_SIZE)
            size = HEADER_SIZE + header.size
            if at - self.out_head in positions:
                self.account.outstanding -= 1
                self.account.memory -= size
            else:
                moved[self.sent_bytes + (at - self.out_head)] = self.sent_bytes + (to - self.out_head)
                memmove(self.out + to, self.out + at, size)
                to += size
            at += size
        self.out_tail = to
        self.rewritten = True
        self.touch()
        kept = deque([(moved[position], since) for position, since in self.event_times])
        self.forget_pending()
        self.find_pending()
        self.event_times = kept
        self.update_stall()

    # --- what was sent -----------------------------------------------------------------------------

    cdef int sent(self, Py_ssize_t size) except -1:
        """So many bytes of out were handed on."""
        if not self.privileged or size < self.out_tail - self.out_head:
            self.settle_sent(size)
        else:
            self.message_left = 0
        self.out_head += size
        self.sent_bytes += size
        if self.out_head == self.out_tail:
            self.out_head = self.out_tail = 0
            if self.out_size > OUT_FIRST:
                PyMem_Free(self.out)
                self.out = NULL
                self.out_size = 0
                self.count_output()
            self.forget_pending()
            if self.event_times is not None:
                self.event_times.clear()
        if self.stalled:
            self.update_stall()
        return 0

    def settle_sent(self, Py_ssize_t size):
        """Note where the next bytes of out end within a message, and take them off a guest's account."""
        cdef bint charged = not self.privileged and not self.closed
        cdef Py_ssize_t at = self.out_head
        cdef Py_ssize_t step
        cdef Header header
        if charged:
            self.account.memory -= size
        while size > 0:
            if self.message_left == 0:
                memcpy(&header, self.out + at, HEADER_SIZE)
                self.message_left = HEADER_SIZE + header.size
            step = min(size, self.message_left)
            at += step
            size -= step
            self.message_left -= step
            if charged and self.message_left == 0:
                self.account.outstanding -= 1

    def count_messages(self) -> int:
        """How many messages lie in out, one begun to be sent included."""
        cdef Py_ssize_t at = self.out_head + self.message_left
        cdef int count = self.message_left > 0
        cdef Header header
        while at + HEADER_SIZE <= self.out_tail:
            memcpy(&header, self.out + at, HEADER_SIZE)
            at += HEADER_SIZE + header.size
            count += 1
        return count
