"""A daemon under test as the operating system sees it: its cost, and its end when the tests end."""

import subprocess
import sys
import time


def cpu_seconds(pid: int) -> float:
    """User and system time that all threads of `pid` have used, in seconds."""
    if sys.platform == "linux":
        # The clock of another process, as clock_getcpuclockid(3) computes its number; nanoseconds fine.
        return time.clock_gettime((~pid << 3) | 2)
    minutes, seconds = _ps(pid, "time").rsplit(":", 1)
    return sum(60.0**power * float(part) for power, part in enumerate([seconds, *minutes.split(":")[::-1]]))


def rss_bytes(pid: int) -> int:
    """Resident memory of `pid`, in bytes."""
    return int(_ps(pid, "rss")) * 1024


def _ps(pid: int, column: str) -> str:
    return subprocess.check_output(["ps", "-o", f"{column}=", "-p", str(pid)], text=True).strip()


class Watchdog:
    """Kills `pid` as soon as this process is gone, however it went: the pipe it reads from then ends."""

    def __init__(self, pid: int) -> None:
        self._shell = subprocess.Popen(
            ["sh", "-c", 'read nothing; kill -9 "$1" 2>/dev/null', "watchdog", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt typed at the tests must not end the watchdog first
        )

    def dismiss(self) -> None:
        """Leave the process alone from now on."""
        self._shell.kill()
        self._shell.wait()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
