from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from xenstore._store cimport Client
from xenstore._view cimport Fault
from xenstore._watches cimport Watch


cdef enum:
    HEADER_SIZE = 16

cdef struct Header:                    # of a message (struct xsd_sockmsg)
    uint32_t type
    uint32_t req_id
    uint32_t tx_id
    uint32_t size


cdef inline void put_header(char *at, uint32_t type, uint32_t req_id, uint32_t tx_id, Py_ssize_t size) noexcept:
    """Write a header, to any address: messages follow each other without padding."""
    cdef Header header
    header.type = type
    header.req_id = req_id
    header.tx_id = tx_id
    header.size = <uint32_t>size
    memcpy(at, &header, HEADER_SIZE)


cdef class Output(Client):
    cdef public object owner           # whoever moves this session's bytes: the pump's connection, or a Carrier
    cdef public bint on_ring           # over a shared page, which cannot be closed for reading too slowly
    cdef char *out                     # unsent output is out[out_head:out_tail]; NULL when there is none
    cdef Py_ssize_t out_head, out_tail, out_size
    cdef Py_ssize_t counted            # what of it stands in store.output_held
    cdef uint64_t sent_bytes           # stream position of out_head
    cdef public bint recorded                 # what happens to this session is recorded (Store.recorder)
    cdef uint64_t recorded_bytes       # stream position up to which output is recorded
    cdef bint rewritten                # unsent output was changed after it was recorded
    cdef Py_ssize_t message_left       # bytes of a message begun to be sent that are still unsent
    cdef uint64_t *pending             # hashes and stream positions of the watch events in out
    cdef int pending_used, pending_size
    cdef object event_times            # deque of (stream position, time) of a guest's watch events; None: no guest

    cdef int sent(self, Py_ssize_t size) except -1

    cdef int update_stall(self) except -1
    cdef bint is_full(self) noexcept
    cdef int count_output(self) except -1
    cdef int drop_output(self) except -1
    cdef char *room(self, Py_ssize_t size) except NULL
    cdef int touch(self) except -1
    cdef int message(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int reply(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1
    cdef int refuse(self, uint32_t req_id, uint32_t tx_id, Fault fault) except -1
    cdef int queue_event(self, Watch watch, const char *path, Py_ssize_t size, bint repeat) except -1
    cdef bint is_pending(self, uint64_t hash, const char *text, Py_ssize_t size) noexcept
    cdef int note_pending(self, uint64_t hash, uint64_t position) except -1
    cdef int renew_pending(self) except -1
    cdef void forget_pending(self) noexcept
