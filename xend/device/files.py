"""The files that guests' kernels and disks are."""

import os
import stat
from contextlib import suppress

from xend.errors import XendError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def check_file(what: str, path: str) -> None:
    """See that a kernel or ramdisk can be read, and is a regular file: others have no end, or block.

    Raises:
        XendError: bad_image.
    """
    check_readable(what, path)
    with suppress(OSError):  # who took it away since is told by the build
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
            raise XendError("bad_image", f"{what} {path} is {kind}, a regular file was expected")


def check_readable(what: str, path: str, device: str | None = None) -> None:
    """See that a file can be opened.

    Raises:
        XendError: bad_image.
    """
    os.close(opened(what, path, device))


def opened(what: str, path: str, device: str | None = None, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file, which the caller closes; a FIFO or a tape does not hold up.

    Raises:
        XendError: bad_image.
    """
    try:
        return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise XendError(
            "bad_image",
            f"{device + ': ' if device else ''}{what} {path} cannot be "
            f"{'read' if flags == os.O_RDONLY else 'opened'}",
            cause=error.strerror,
            device=device,
        ) from error
