"""Locks: what daemons share is touched only by the one that holds its lock.

`Held` is the proof.  Whatever two daemons could take from each other (sockets, the host's channels, the
journal, logs) is opened with one, so that nobody can look, bind, truncate or remove before the lock is his.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from xenstore.daemon import trusted
from xenstore.daemon.start import StartError

#: What a Unix socket's address holds, without the final NUL (sockaddr_un.sun_path).
SOCKET_PATH_MAX = 107 if sys.platform == "linux" else 103
#: A daemon that was killed has its locks until the system has taken all of its memory back: how long a lock
#: is waited for, and how often it is tried.
PATIENCE_SECONDS, LOOK_SECONDS = 0.5, 0.02
#: Names the descriptors of locks that this process was left by the one that executed it.
INHERITED = "XENSTORED_LOCKS"


class Held:
    """Locks that are held as long as the block of `holding` runs.

    They belong to open files, not to this process: a process that is left them (`pass_on`) holds them too
    and there is no moment between the two in which nobody does.
    """

    def __init__(self) -> None:
        self._fds: list[int] = []

    def also(self, path: str, refusal: str) -> None:
        """Hold one more lock, on the file `path`, which says whose it is and is left in place.

        Raises:
            StartError: somebody else has it, which `refusal` says; the file cannot be made.
        """
        with _system_errors_of(path):
            self._fds.append(_lock(path, refusal, fcntl.flock, _inherited(path)))

    def pass_on(self, wanted: bool) -> None:
        """Whether programs that this process executes from now on hold them as well."""
        for fd in self._fds:
            os.set_inheritable(fd, wanted)

    def environment(self) -> Mapping[str, str]:
        """Where such a program finds them."""
        return {INHERITED: ":".join(map(str, self._fds))}

    def close(self) -> None:
        """Hold them no longer."""
        while self._fds:
            os.close(self._fds.pop())


@contextmanager
def holding(path: str, program: str) -> Iterator[Held]:
    """Holds the lock of a service, by the path of its socket: the file `path`.lock.

    The directory is made where it is missing.

    Raises:
        StartError: another such program serves it, the directory cannot be used, or the path is too long.
    """
    check_length(path)
    directory = os.path.dirname(path)
    try:
        trusted.make_directory(directory)
    except trusted.Untrusted as error:
        raise StartError(f"run directory {error}") from error
    except OSError as error:
        raise StartError(f"run directory {directory}: {error.strerror}") from error
    held = Held()
    try:
        held.also(f"{path}.lock", f"{path} is served by another {program}")
        yield held
    finally:
        held.close()


def check_length(path: str) -> None:
    """Raises StartError where a path is longer than that of a socket may be."""
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_MAX:
        raise StartError(
            f"{path}: {size} bytes; the path of a socket holds {SOCKET_PATH_MAX}: use a shorter --rundir"
        )


@contextmanager
def pid_file(path: str) -> Iterator[Held]:
    """Holds `path` locked, with this process's id in it, and removes it at the end.

    Raises:
        StartError: it cannot be written, or a running daemon holds it.
    """
    with _system_errors_of(path):
        # lockf(3), as Xen's daemons lock theirs
        fd = _lock(path, f"pid file {path} is held by a running daemon", fcntl.lockf, None)
    try:
        yield Held()
    finally:
        with suppress(OSError):
            os.unlink(path)
        os.close(fd)


def _lock(path: str, refusal: str, lock: Callable[[int, int], object], fd: int | None) -> int:
    """A descriptor of the file that holds the lock on it: the inherited one, or a new one.

    Nobody else may read the file either: who can open it can keep the lock from its owner.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if fd is None:
            fd = trusted.open_file(path, os.O_RDWR | os.O_CREAT)
        try:
            lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(fd, path):
                os.fchmod(fd, 0o600)  # one of an older version is for all to read
                os.ftruncate(fd, 0)
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
                return fd
        except (BlockingIOError, PermissionError) as error:  # EAGAIN or EACCES, as POSIX allows both
            if time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
                os.close(fd)
                fd = None
                continue
            owner = os.fsdecode(os.pread(fd, 32, 0)).strip()
            os.close(fd)
            raise StartError(f"{refusal}{f' (pid {owner})' if owner else ''}") from error
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its owner removed it just now
        fd = None


def _inherited(path: str) -> int | None:
    """The descriptor of the lock on a file that this process was left, if it was."""
    for word in os.environ.get(INHERITED, "").split(":"):
        if word.isdigit() and _same_file(int(word), path):
            os.set_inheritable(int(word), False)
            return int(word)
    return None


def _same_file(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except OSError:
        return False


@contextmanager
def _system_errors_of(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(f"{error.filename or path}: {error.strerror}") from error
