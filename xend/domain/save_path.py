"""Where a domain is saved to: what is looked at before its guest is asked for anything."""

import os

from xend.domain.target import Target
from xend.errors import XendError
from xenstore.daemon.text import one_line

__all__ = ["check_room", "checked", "free_kib"]


def checked(path: str, name: str) -> str:
    """The path of a regular file, or of none.

    Raises:
        XendError: bad_request: it is neither.
    """
    shown = one_line(path)
    if not path.startswith("/") or "\0" in path:
        raise XendError("bad_request", f"file {shown!r}: an absolute path was expected", domain=name)
    path = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(path)):
        directory = one_line(os.path.dirname(path))
        raise XendError("bad_request", f"{shown}: there is no directory {directory}", domain=name)
    if os.path.lexists(path) and not os.path.isfile(path):
        raise XendError("bad_request", f"{shown} is no regular file", domain=name)
    return path


def check_room(path: str, target: Target) -> None:
    """See that it has room, before its guest is asked for anything.

    Raises:
        XendError: bad_request.
    """
    directory = os.path.dirname(path)
    free = free_kib(directory)
    if free < target.info.memory_kib:
        raise XendError(
            "bad_request",
            f"{one_line(directory)} has {free // 1024} MiB of free space: the memory of {target.name} "
            f"needs {-(-target.info.memory_kib // 1024)} MiB",
            domain=target.name,
            hint="it runs on; give a file elsewhere",
        )


def free_kib(directory: str) -> int:
    """How much room files have in a directory.

    Raises:
        XendError: bad_request.
    """
    try:
        found = os.statvfs(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise XendError("bad_request", f"{one_line(directory)} cannot be looked at: {reason}") from error
    return found.f_bavail * found.f_frsize // 1024
