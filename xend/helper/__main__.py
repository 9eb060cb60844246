"""`python -P -m xend.helper`: jobs, told over the socket that is standard input; see the package."""

import _socket
import errno
import importlib
import os
import sys
import threading
from _queue import SimpleQueue
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from xend.helper import limits, wire
from xend.helper.jobs import JOBS
from xend.helper.session import Session
from xend.helper.steps import Refused

SOCKET = 0
CHUNK = 65536
#: A descriptor, as the kernel passes one on.
FD_BYTES = 4
#: Ends where nobody waits any more.
ABANDONED = 3
#: What xend says after the first job: answers, and further jobs.
Told = SimpleQueue[tuple[str, Mapping[str, Any]]]


def main() -> None:
    """Says what it has, waits for its job, does it, answers; and so with each further one."""
    sys.dont_write_bytecode = True
    limits.at_the_start()
    guest, reason = _libraries()
    release = guest.RELEASE if guest else None
    _say(wire.Ready(release, reason))
    name, arguments, fd = _job()
    if guest is None:
        _say(wire.Failed(errno.ENOSYS, reason))
        return
    # Not of the module queue, which takes as long to import as the rest.
    told: Told = SimpleQueue()

    def ask() -> None:
        _say(wire.Suspend())
        told.get()

    session = Session(guest, lambda step: _say(wire.Step(step)), ask, fd)
    threading.Thread(target=_watch, args=(session, told), daemon=True).start()
    job = JOBS[name]
    limits.for_time(job.cpu_seconds, job.may_write)
    while True:
        answer = _outcome(session, name, arguments)
        session.close_descriptor()
        _say(answer)
        name, arguments = told.get()


def _libraries() -> tuple[ModuleType | None, str]:
    """The module of Xen's libraries, or why there is none."""
    try:
        return importlib.import_module("xend._guest"), ""
    except ImportError as error:
        return None, str(error)


def _job() -> tuple[str, Mapping[str, Any], int | None]:
    """What it is to do, and the descriptor that came with it; ends where nobody wants anything."""
    messages = wire.Messages(wire.JOB_MAX)
    came: int | None = None
    # The module socket, which has a call for this, takes as long to import as the rest of the helper.
    connection = _socket.socket(fileno=os.dup(SOCKET))
    try:
        while True:
            for name, arguments in messages:
                return name, arguments, came
            data, rights, _, _ = connection.recvmsg(CHUNK, _socket.CMSG_SPACE(FD_BYTES))
            for _, _, fds in rights:
                came = int.from_bytes(fds[:FD_BYTES], sys.byteorder)
            if not data:
                sys.exit(0)
            messages.feed(data)
    finally:
        connection.close()


def _outcome(session: Session, name: str, arguments: Mapping[str, Any]) -> wire.Answer:
    try:
        return wire.Done(JOBS[name].run(session, arguments))
    except Refused as refused:
        return wire.Failed(refused.errno, refused.text)
    except MemoryError:
        return wire.Failed(errno.ENOMEM, "dom0 has not enough memory, or the helper may not have so much")
    except Exception as fault:  # noqa: BLE001 - ours: xend logs it
        import traceback  # slow to import and rarely wanted

        traceback.print_exc()
        return wire.Failed(errno.EIO, f"a fault of the helper's: {fault!r}")


def _watch(session: Session, told: Told) -> None:
    """End once xend has: whatever the libraries are at, as only this thread can.  Takes what it says, too."""
    messages = wire.Messages(wire.JOB_MAX)
    try:
        while data := os.read(SOCKET, CHUNK):
            messages.feed(data)
            for message in messages:
                told.put(message)
    finally:
        session.remove_leftover()
        os._exit(ABANDONED)


def _say(answer: wire.Answer) -> None:
    data = wire.pack_answer(answer)
    while data:
        data = data[os.write(SOCKET, data) :]


if __name__ == "__main__":
    main()
