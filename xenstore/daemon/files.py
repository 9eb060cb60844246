"""Files that a daemon writes: for their owner alone, never through a link, not inherited by children."""

import os
from contextlib import suppress
from pathlib import Path

from xenstore.daemon import trusted


def create(path: str | os.PathLike[str]) -> int:
    """A descriptor to read and write a file by, which is empty, of mode 0600 where it is new.

    Raises:
        OSError: it cannot be made; one that is there is somebody else's.
    """
    return trusted.open_file(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of it, in as many steps as the system wants.

    Raises:
        OSError: there is no room for it.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place of the one before, at once: it is wholly there or not at all.

    Raises:
        OSError: it could not be written; the old one is still there.
    """
    final = os.fspath(path)
    directory, name = os.path.split(final)
    draft = os.path.join(directory, f".{name}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        os.rename(draft, final)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = final
        raise
