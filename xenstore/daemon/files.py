"""What the daemon leaves in the file system while it runs: its socket, its pid file and their locks."""

import fcntl
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from xenstore.daemon.start import StartError

#: What a Unix socket's address holds, without the final NUL (sockaddr_un.sun_path).
SOCKET_PATH_MAX = 107 if sys.platform == "linux" else 103
_BACKLOG = 1024


@contextmanager
def listening(path: str, program: str, inherited_fd: int = -1, gid: int = -1) -> Iterator[socket.socket]:
    """A listening socket at `path`; its lock is `path`.lock, held by one such program at a time.

    A socket nobody listens on any more is replaced.  Removed at the end, unless it is no longer ours.
    inherited_fd: the one that another one left to this process, if not negative.
    gid: the group that may connect (mode 0660), if not negative; else the mode is 0600.

    Raises:
        StartError: the path is too long, the directory not writable, another daemon serves the socket.
    """
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_MAX:
        raise StartError(
            f"{path}: {size} bytes; the path of a socket holds {SOCKET_PATH_MAX}: use a shorter --rundir"
        )
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        raise StartError(f"run directory {directory}: {error.strerror}") from error
    with _locked(f"{path}.lock", f"{path} is served by another {program}"):
        if inherited_fd < 0:
            _remove_stale(path)
        with _bound(path, gid) if inherited_fd < 0 else _inherited(path, inherited_fd) as listener:
            yield listener


@contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Holds `path` locked, with this process's id in it, and removes it at the end.

    Raises:
        StartError: it cannot be written, or a running daemon holds it.
    """
    with _locked(path, f"pid file {path} is held by a running daemon"):
        try:
            yield
        finally:
            with suppress(OSError):
                os.unlink(path)


@contextmanager
def _locked(path: str, held: str) -> Iterator[None]:
    """Holds a lock on the file `path`, which says whose it is; the file is left in place."""
    try:
        fd = _lock(path, held)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(fd)


def _lock(path: str, held: str) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, 0o644)
        try:
            # lockf(3), as Xen's daemons lock their pid files
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(fd, path):
                os.ftruncate(fd, 0)
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
                return fd
        except (BlockingIOError, PermissionError) as error:  # EAGAIN or EACCES, as POSIX allows both
            owner = os.fsdecode(os.pread(fd, 32, 0)).strip()
            os.close(fd)
            raise StartError(f"{held}{f' (pid {owner})' if owner else ''}") from error
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its owner removed it just now


def _same_file(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _remove_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise StartError(f"{path} exists and is not a socket: remove it, or choose another --rundir")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # somebody listens, with a full backlog
        except OSError as error:
            raise StartError(f"{path}: {error.strerror}") from error
    raise StartError(f"{path} is served by another daemon: stop that one first")


@contextmanager
def _bound(path: str, gid: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        # Never visible with another mode, so there is no moment for a stranger to connect in.
        mask = os.umask(0o177)
        try:
            listener.bind(path)
            if gid >= 0:
                os.chown(path, -1, gid)
                os.chmod(path, 0o660)
        except OSError as error:
            raise StartError(f"{path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        with _removed_at_the_end(path):
            listener.listen(_BACKLOG)
            yield listener


@contextmanager
def _inherited(path: str, fd: int) -> Iterator[socket.socket]:
    try:
        os.set_inheritable(fd, False)
        listener = socket.socket(fileno=fd)
    except OSError as error:
        raise StartError(f"descriptor {fd}, the listening socket's: {error.strerror}") from error
    with listener, _removed_at_the_end(path):
        yield listener


@contextmanager
def _removed_at_the_end(path: str) -> Iterator[None]:
    try:
        ours = os.lstat(path)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            if os.path.samestat(os.lstat(path), ours):
                os.unlink(path)
