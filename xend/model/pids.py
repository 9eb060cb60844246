"""A process that may be another xend's child: which one it is, and its end.

A number of a process is given anew once it has ended.  With the time of its start it means one for good.

Linux: /proc and pidfd_open(2) (5.3); NetBSD: ps(1) and kqueue(2) with EVFILT_PROC.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

import trio

__all__ = ["await_end", "send", "started"]

_ENVIRONMENT = {"PATH": "/usr/pkg/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
#: Of a field of /proc/PID/stat behind the program's name: state, and the start in ticks after the boot.
_STATE, _START = 0, 19
_DEAD = (b"Z", b"X")


def started(pid: int) -> str | None:
    """When it began, as the system tells; None: there is no such process, or it has ended."""
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> str | None:
    with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        # The second field is the program's name in parentheses, which may hold any byte.
        fields = file.read().rpartition(b")")[2].split()
        if len(fields) > _START and fields[_STATE] not in _DEAD:
            return fields[_START].decode("ascii")
    return None


def _from_ps(pid: int) -> str | None:
    words = ("ps", "-p", str(pid), "-o", "state=", "-o", "lstart=")
    found = subprocess.run(words, env=_ENVIRONMENT, capture_output=True, check=False).stdout.split()
    return b" ".join(found[1:]).decode("ascii", "replace") if found and found[0][:1] not in _DEAD else None


async def await_end(pid: int, start: str) -> None:
    """Returns once the process that began then has ended."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if started(pid) == start:
                await trio.lowlevel.wait_readable(descriptor)
        finally:
            os.close(descriptor)
    else:
        await _by_kqueue(pid, start)


def send(pid: int, start: str, number: signal.Signals) -> None:
    """A signal for that process, and for none that has its number by now."""
    with suppress(ProcessLookupError):
        if sys.platform != "linux":
            if started(pid) == start:
                os.kill(pid, number)
            return
        descriptor = os.pidfd_open(pid)
        try:
            if started(pid) == start:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


if sys.platform != "linux":

    async def _by_kqueue(pid: int, start: str) -> None:
        """kqueue(2): the event comes once."""
        queue = trio.lowlevel.current_kqueue()

        def event(flags: int) -> select.kevent:
            return select.kevent(pid, select.KQ_FILTER_PROC, flags, select.KQ_NOTE_EXIT)

        try:
            queue.control([event(select.KQ_EV_ADD | select.KQ_EV_ONESHOT)], 0)
        except ProcessLookupError:
            return

        def abort(raise_cancel: object) -> trio.lowlevel.Abort:
            queue.control([event(select.KQ_EV_DELETE)], 0)
            return trio.lowlevel.Abort.SUCCEEDED

        if started(pid) != start:
            abort(None)
            return
        await trio.lowlevel.wait_kevent(pid, select.KQ_FILTER_PROC, abort)
