"""What device models say: a log for each start, the older ones kept beside it, none of them without bound.

/var/log/xen/qemu-dm-NAME.log, where libxl has it; the ones before are NAME.log.1 to .10.
"""

import os
from contextlib import suppress

from xenstore.daemon import trusted
from xenstore.daemon.text import clean_lines

__all__ = ["SIZE_LIMIT_BYTES", "bounded", "log_path", "opened", "tail_of"]

KEPT = 10
#: A guest may make its device model say as much as it likes (XSA-180).
SIZE_LIMIT_BYTES = 1 << 20
#: What is read of its end, and what of that is told.
TAIL_BYTES = 8192
TAIL_LINES = 12
_LINE_CHARS = 500
#: QEMU 8.2 and newer say so of each domain whose console xend has, and go on: no cause of anything.
_MEANS_NOTHING = "declining to handle console type 'xenconsoled'"


def log_path(directory: str, name: str) -> str:
    """Where the device model of a domain of this name logs."""
    return os.path.join(directory, f"qemu-dm-{name}.log")


def opened(path: str) -> int:
    """A descriptor to append to a new log by; the one before is moved aside.

    Raises:
        OSError: it cannot be made.
    """
    _rotate(path)
    return trusted.open_log(path)


def _rotate(path: str) -> None:
    for number in range(KEPT, 1, -1):
        with suppress(FileNotFoundError):
            os.replace(f"{path}.{number - 1}", f"{path}.{number}")
    with suppress(FileNotFoundError):
        os.replace(path, f"{path}.1")


def bounded(path: str) -> None:
    """Where it has grown too long, its end is kept as PATH.1, and it goes on empty: qemu appends to it.

    Raises:
        OSError: it cannot be done now.
    """
    try:
        with open(trusted.open_file(path, os.O_RDWR), "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= SIZE_LIMIT_BYTES:
                return
            file.seek(size - SIZE_LIMIT_BYTES)
            end = file.read(SIZE_LIMIT_BYTES)
            with open(trusted.open_file(f"{path}.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as before:
                before.write(end)
            file.truncate(0)
    except FileNotFoundError:
        return


def tail_of(path: str) -> list[str]:
    """Its last lines, each printable, that may mean something; none where there is no log."""
    with suppress(OSError), open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        said = clean_lines(file.read(TAIL_BYTES).decode("utf-8", "replace"))
        lines = [line for line in said if _MEANS_NOTHING not in line]
        return [line[:_LINE_CHARS] for line in lines[-TAIL_LINES:]]
    return []
