"""Paths of dom0 that a device model opens for its guest: nobody but root may choose what is there."""

import os
import stat

from xend.errors import XendError
from xenstore.daemon.trusted import check_place


def check_shared_directory(path: str, device: str) -> None:
    """See that a directory is there, and that none but root can put another one in its place.

    Raises:
        XendError: bad_config.
    """
    try:
        check_place(path)
        mode = os.stat(path).st_mode
    except OSError as error:
        raise _wrong(device, f"directory {path} cannot be shared", error) from error
    if not stat.S_ISDIR(mode):
        raise XendError("bad_config", f"{device}: {path} is no directory", device=device)


def check_socket_path(path: str, device: str) -> None:
    """See that a socket can be made at a path: nothing is there but perhaps an old one.

    Raises:
        XendError: bad_config.
    """
    try:
        check_place(path)
        mode = os.lstat(path).st_mode if os.path.lexists(path) else None
    except OSError as error:
        raise _wrong(device, f"no socket can be made at {path}", error) from error
    if mode is not None and not stat.S_ISSOCK(mode):
        raise XendError(
            "bad_config",
            f"{device}: no socket can be made at {path}: something else is there",
            device=device,
            hint="name a path at which nothing is",
        )


def _wrong(device: str, what: str, error: OSError) -> XendError:
    is_about_another = error.filename is not None and str(error)[:1] == "/"
    return XendError(
        "bad_config",
        f"{device}: {what}",
        device=device,
        cause=str(error) if is_about_another else error.strerror,
    )
