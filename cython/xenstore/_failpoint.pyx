# cython: language_level=3
"""Named places in the code where a test makes the daemon die, as by kill -9.

`arm("seal.torn", 3)` kills the process when that place is reached for the third time.  Nothing is armed
unless a test says so.
"""

import os
import signal

cdef str chosen = None
cdef long left = 0


def arm(str name, long count=1) -> None:
    """Die when the failpoint `name` is reached for the count-th time from now on."""
    global armed, chosen, left
    armed = True
    chosen = name
    left = count


def disarm() -> None:
    """Let everything live again."""
    global armed
    armed = False


cpdef int reach(str name) except -1:
    """The failpoint `name` is reached; does not return if that is the end."""
    global left
    if armed and name == chosen:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
    return 0
