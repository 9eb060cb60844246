from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef enum Kind:                     # of an entry; what its fields hold
    WRITE_NODE = 1                  # number: creator or -1, first: path, second: value
    REMOVE_NODE = 2                 # first: path
    SET_PERMS = 3                   # first: path, second: packed entries
    RING = 4                        # first: RingState, second: output
    WATCH = 5                       # number: depth, first: path as registered, second: token
    UNWATCH = 6                     # first: path, second: token
    RESET = 7                       # all watches and transactions of the domain's session
    START = 8                       # number: transaction id
    END = 9                         # number: transaction id
    CONNECT = 10                    # first: where the ring is
    IGNORE = 11                     # number: the ring's error
    TARGET = 12                     # number: domid or -1
    FEATURES = 13                   # number: mask of the domain's session
    FEATURES_AHEAD = 14             # number: mask for when it is introduced
    STOPPED = 15                    # number: 1: its shutdown was told, 0: the next one will be
    GONE = 16                       # the domain is forgotten, with its account
    QUOTA = 17                      # number: domid or -1 for the default, first: name, second: value as text
    INPUT = 18                      # first: input that waits, after the domain's RING; without it there is none
    HEARD = 19                      # the domain gets an account; first: its identity as text


cdef struct Entry:                  # followed by the bytes of first and second
    uint8_t kind
    uint8_t unused
    uint16_t domid
    int32_t number
    uint32_t first_size
    uint32_t second_size


cdef struct Frame:                  # followed by entries, padded to 8 bytes
    uint32_t size                   # of the entries; 0: the log ends here
    uint32_t checksum               # of size and of what follows this field, entries included
    uint64_t sequence
    uint64_t generation             # the tree's, when the frame was made


cdef struct RingState:
    uint64_t executed               # position in the input stream of the first byte not executed
    uint64_t sent                   # position in the output stream up to which the page showed bytes
    uint64_t output_at              # position of the output in this entry
    uint32_t message_left           # bytes at output_at that belong to a message begun before
    uint32_t whole                  # the output in this entry replaces what was recorded before


cdef class Recorder:
    cdef readonly uint64_t sequence     # of the last frame
    cdef readonly uint64_t written      # bytes of frames so far
    cdef readonly uint64_t placed       # bytes of frames in segments so far; in the midst of one more than `written`
    cdef readonly str failure           # why nothing is recorded any more, or None
    cdef object more                    # callable(goes_on) -> the next segment's buffer
    cdef char *frame
    cdef Py_ssize_t used, size
    cdef Py_buffer segment
    cdef Py_buffer first                # the segment in which the frame begins that is being written
    cdef readonly Py_ssize_t at         # where the next byte goes in the segment
    # who may go on recording, by position (see `admits`):
    cdef uint64_t open_until, shares_until, first_until, shares
    cdef uint64_t round                 # of sharing; begins anew with each image
    cdef long writers                   # sessions that recorded something in this round

    cdef int entry(self, int kind, int domid, int number, const char *first, Py_ssize_t first_size,
                   const char *second, Py_ssize_t second_size) except -1
    cdef int close_frame(self, uint64_t generation) except -1
    cdef int write_frame(self) except -1
    cdef int copy_frame(self) except -1
    cdef int next_segment(self, bint goes_on) except -1
    cdef int release_segment(self) except -1
    cdef int grow(self, Py_ssize_t more) except -1
    cdef uint64_t here(self) noexcept
    cdef bint is_open(self) noexcept
    cdef bint admits(self, uint64_t own, bint comes_first) noexcept
    cdef bint admits_beside(self, uint64_t own, uint64_t given, bint comes_first) noexcept


cdef uint32_t frame_checksum(const Frame *frame, Py_ssize_t size) noexcept
