"""Where the store is, and opening it: xenstored's socket, or the kernel's device where there is none."""

from __future__ import annotations

import errno
import os
import stat
import sys

# The C module itself: `socket` would add enum and selectors, half of bare Python's start-up time.
from _socket import AF_UNIX, SOCK_STREAM, socket

from xenclient.store.errors import ConnectError

DEFAULT_RUNDIR = "/var/run/xenstored"
#: The kernel's way to the store, by the beginning of sys.platform; what libxenstore tries.
DEVICES = {"linux": ("/dev/xen/xenbus", "/proc/xen/xenbus"), "netbsd": ("/kern/xen/xenbus",)}

_MISSING = (errno.ENOENT, errno.ENOTDIR)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def socket_path() -> str:
    """$XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else /var/run/xenstored/socket, as libxenstore."""
    path = os.environ.get("XENSTORED_PATH")
    return path or (os.environ.get("XENSTORED_RUNDIR") or DEFAULT_RUNDIR) + "/socket"


def device_paths() -> tuple[str, ...]:
    """Where this system's kernel has its device, whether it is there or not."""
    return next((paths for system, paths in DEVICES.items() if sys.platform.startswith(system)), ())


class Address:
    """One place to connect to, the same each time: who lost a socket must not come back over the device.

    Attributes:
        where: the path.
        tried: all paths that were looked for, `where` being the first that is there (or the first).
    """

    def __init__(self, path: str | None = None) -> None:
        """`path` names a socket or a device, as $XENSTORED_PATH does; without either the socket is looked
        for, then the device.
        """
        self.tried: tuple[str, ...] = (path or socket_path(),)
        if path is None and not os.environ.get("XENSTORED_PATH"):
            self.tried += device_paths()
        self.where = next((each for each in self.tried if _kind(each) is not None), self.tried[0])

    def open(self) -> socket:
        """A connected, non-blocking stream socket; does not wait (a Unix connect succeeds or fails at once).

        Raises:
            BlockingIOError: the server's backlog is full; try again.
            ConnectError: nothing to connect to, or no permission.
        """
        kind = _kind(self.where)
        if kind in (stat.S_IFCHR, stat.S_IFREG):
            return self._open_device()
        sock = socket(AF_UNIX, SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self.where)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError) and not isinstance(error, BlockingIOError):
                raise self._error(self._explain_socket(error), error) from error
            raise
        return sock

    def _open_device(self) -> socket:
        from xenclient.store.device import open_device  # starts a thread; few programs need it

        try:
            return open_device(self.where)
        except OSError as error:
            raise self._error(self._explain_device(error), error) from error

    def _error(self, text: str, error: OSError) -> ConnectError:
        return ConnectError(text, error.errno or 0, self.tried)

    def _explain_socket(self, error: OSError) -> str:
        path = self.where
        choose = "$XENSTORED_PATH or $XENSTORED_RUNDIR names another"
        if error.errno in _MISSING:
            device = f", no device at {' or '.join(self.tried[1:])}" if self.tried[1:] else ""
            return f"no socket at {path}{device}: start xenstored, or look where it runs ({choose})"
        if error.errno == errno.ECONNREFUSED:
            return f"nobody listens on {path}: xenstored is gone; start it again ({choose})"
        if error.errno in _FORBIDDEN:
            return f"no permission to connect to {path}: run as root or as the user xenstored runs as"
        return f"cannot connect to {path}: {error.strerror or error} ({choose})"

    def _explain_device(self, error: OSError) -> str:
        if error.errno in _FORBIDDEN:
            return f"no permission to open {self.where}: run as root"
        return (
            f"cannot open {self.where}: {error.strerror or error}; it needs a kernel that runs on Xen and "
            "has a store ($XENSTORED_PATH names another device or a socket)"
        )


def _kind(path: str) -> int | None:
    """The file's type; None when there is none, 0 when that cannot be seen."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except OSError as error:
        return None if error.errno in _MISSING else 0
