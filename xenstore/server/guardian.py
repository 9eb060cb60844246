"""Who goes on if the new program of a live update dies before it has taken over.

A process that has the same descriptors open and does nothing but wait.  The state file tells when all is
well: whoever takes over removes it.  If the new program dies while that is still there, or does not remove
it in time, the guardian executes the old program again, which goes on from a state of its own.  The process
id is another one then; nothing else is lost.
"""

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from xenstore.daemon import child

#: How often the guardian looks whether the new program has taken over, in milliseconds.
LOOK_MS = 50
#: How long that one may take, in seconds.
PATIENCE_SECONDS = 60.0
#: Where the new program finds the descriptor that says that it lives; it may close it once it has taken over.
DESCRIPTOR = "XENSTORED_GUARDIAN_FD"


def start(state: str, own_state: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Have this process, which is about to execute a new program, guarded.

    state: the file that the new program removes; own_state: what `command`, the old program, finds there
    instead if it has to go on.  Returns a descriptor that the new program inherits; its end means its death.

    Raises:
        OSError: there can be no further process.
    """
    pid = os.getpid()
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        forked = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if forked == 0:
        with suppress(BaseException):
            if os.fork() == 0:  # nobody's child, so that nobody has to wait for it
                os.close(writer)
                _guard(reader, pid, state, own_state, command, environment)
        os._exit(0)
    os.close(reader)
    os.waitpid(forked, 0)
    return writer


def _guard(
    reader: int, pid: int, state: str, own_state: str, command: Sequence[str], environment: Mapping[str, str]
) -> NoReturn:
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    end = time.monotonic() + PATIENCE_SECONDS
    while os.path.exists(state):
        if poll.poll(LOOK_MS):
            if os.path.exists(state):
                os.rename(own_state, state)
                os.chdir(child.DIRECTORY)
                os.execve(command[0], list(command), environment)
            break
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)  # it lives, or its descriptor would have ended
    with suppress(OSError):
        os.unlink(own_state)
    os._exit(0)


def dismiss() -> None:
    """The new program has taken over: it may close the descriptor."""
    descriptor = os.environ.pop(DESCRIPTOR, "")
    if descriptor.isdigit():
        with suppress(OSError):
            os.close(int(descriptor))
