"""The listening socket that a daemon has in the file system while it runs."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from xenstore.daemon.locks import Held, check_length
from xenstore.daemon.start import StartError

_BACKLOG = 1024


@contextmanager
def listening(held: Held, path: str, inherited_fd: int = -1, gid: int = -1) -> Iterator[socket.socket]:
    """A listening socket at `path`, whose service's lock is held.

    A socket nobody listens on any more is replaced.  Removed at the end, unless it is no longer ours.
    inherited_fd: the one that another one left to this process, if not negative.
    gid: the group that may connect (mode 0660), if not negative; else the mode is 0600.

    Raises:
        StartError: the path is too long, the directory not writable, another daemon serves the socket.
    """
    check_length(path)
    if inherited_fd < 0:
        _remove_stale(path)
    with _bound(path, gid) if inherited_fd < 0 else _inherited(path, inherited_fd) as listener:
        yield listener


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
