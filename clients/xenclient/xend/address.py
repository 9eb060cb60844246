"""Where xend is: its socket, or the one for readers beside it where the first may not be opened."""

from __future__ import annotations

import errno
import os

# The C module itself: `socket` would add enum and selectors, half of bare Python's start-up time.
from _socket import AF_UNIX, SOCK_STREAM, socket

from xenclient.xend.errors import ConnectError

DEFAULT_PATH = "/var/run/xend/socket"
#: What the readers' socket is called more than the other.
READERS_SUFFIX = "_ro"

_MISSING = (errno.ENOENT, errno.ENOTDIR)
FORBIDDEN = (errno.EACCES, errno.EPERM)


def socket_path() -> str:
    """$XEND_SOCKET, else /var/run/xend/socket."""
    return os.environ.get("XEND_SOCKET") or DEFAULT_PATH


def open_socket(path: str) -> socket:
    """A connected, non-blocking stream socket; does not wait (a Unix connect succeeds or fails at once).

    Raises:
        BlockingIOError: xend's backlog is full; try again.
        ConnectError: nothing to connect to, or no permission.
    """
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(path)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, BlockingIOError):
            raise ConnectError(_explain(path, error), error.errno or 0, path) from error
        raise
    return sock


def _explain(path: str, error: OSError) -> str:
    choose = "$XEND_SOCKET names another"
    if error.errno in _MISSING:
        return f"no socket at {path}: is xend running? ({choose})"
    if error.errno == errno.ECONNREFUSED:
        return f"nobody listens on {path}: is xend running? start it again ({choose})"
    if error.errno in FORBIDDEN:
        return f"no permission to connect to {path}: run as root, or as a member of xend's --operate-group"
    return f"cannot connect to {path}: {error.strerror or error}: is xend running? ({choose})"
