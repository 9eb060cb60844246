"""The files that guests' kernels and disks are."""

import os

from xend.errors import XendError


def check_readable(what: str, path: str, device: str | None = None) -> None:
    """See that a file can be opened; a FIFO or a tape does not hold up.

    Raises:
        XendError: bad_image.
    """
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        raise XendError(
            "bad_image",
            f"{device + ': ' if device else ''}{what} {path} cannot be read",
            cause=error.strerror,
            device=device,
        ) from error
