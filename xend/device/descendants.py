"""Ends a program with all that it has started, in whatever session that is.

A process group is left by setsid, which is one word in a shell script, and a chain of parents by a
parent that ends.  How much can be found therefore differs.

Linux: a program that is started here is the reaper of what it starts (xend._spawn): who loses the parent has
the program for one, so that as long as it runs all that it started is below it.  Nothing escapes.

NetBSD: there is no such thing; who loses the parent gets init for one.  What still has its chain of parents
is found, in other sessions too; a daemon that detached itself (forked twice) is not, and goes on.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

#: How often is looked for what was started meanwhile; stopped processes start nothing, so that few rounds do.
ROUNDS_MAX = 50

#: All processes: (pid, parent's pid).
Table = Callable[[], Iterator[tuple[int, int]]]


def from_proc() -> Iterator[tuple[int, int]]:
    """As Linux's /proc tells; what has no /proc has no processes."""
    with suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # it may have ended
                    # The second field is the program's name in parentheses, which may hold any byte.
                    yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def from_ps() -> Iterator[tuple[int, int]]:
    """As ps tells (POSIX, and so NetBSD)."""
    with suppress(OSError, subprocess.CalledProcessError):
        for line in subprocess.check_output(["ps", "-A", "-o", "pid=", "-o", "ppid="]).splitlines():
            pid, parent = line.split()
            yield int(pid), int(parent)


PROCESSES: Table = from_proc if sys.platform == "linux" else from_ps


def end_all(root: int, processes: Table = PROCESSES) -> None:
    """Kill a child of this process and all that descends from it.

    All are stopped first, so that none starts another as it is looked at, and `root` is killed last: until
    then it has what loses its parent.  Blocks, while it reads all processes' parents a few times.
    """
    stopped: list[int] = []
    for _ in range(ROUNDS_MAX):
        found = _below(root, dict(processes())).difference(stopped)
        if not found:
            break
        for pid in found:
            _send(pid, signal.SIGSTOP)
        stopped += found
    for pid in [*(pid for pid in stopped if pid != root), root]:
        _send(pid, signal.SIGKILL)


def _below(root: int, parents: dict[int, int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, ahead = {root}, [root]
    while ahead:
        news = [pid for pid in children.get(ahead.pop(), ()) if pid not in found]
        found.update(news)
        ahead += news
    return found


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
