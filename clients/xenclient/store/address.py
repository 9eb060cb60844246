"""Where the store is: its socket's path, and opening it."""

from __future__ import annotations

import errno
import os

# The C module itself: `socket` would add enum and selectors, half of bare Python's start-up time.
from _socket import AF_UNIX, SOCK_STREAM, socket

from xenclient.store.errors import ConnectError

DEFAULT_RUNDIR = "/var/run/xenstored"


def socket_path() -> str:
    """$XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else /var/run/xenstored/socket, as libxenstore."""
    path = os.environ.get("XENSTORED_PATH")
    return path or (os.environ.get("XENSTORED_RUNDIR") or DEFAULT_RUNDIR) + "/socket"


def open_socket(path: str) -> socket:
    """A connected, non-blocking stream socket; does not wait (a Unix connect succeeds or fails at once).

    Raises:
        BlockingIOError: the server's backlog is full; try again.
        ConnectError: nothing to connect to, or no permission.
    """
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(path)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, BlockingIOError):
            raise ConnectError(_explain(path, error), error.errno or 0) from error
        raise
    return sock


def _explain(path: str, error: OSError) -> str:
    choose = "$XENSTORED_PATH or $XENSTORED_RUNDIR names another"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"no socket at {path}: start xenstored, or look where it runs ({choose})"
    if error.errno == errno.ECONNREFUSED:
        return f"nobody listens on {path}: xenstored is gone; start it again ({choose})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to connect to {path}: run as root or as the user xenstored runs as"
    return f"cannot connect to {path}: {error.strerror or error} ({choose})"
