"""Files that are wholly there or not at all."""

import os
from contextlib import suppress
from pathlib import Path


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place of the one before, at once.

    Raises:
        OSError: it could not be written; the old one is still there.
    """
    final = os.fspath(path)
    directory, name = os.path.split(final)
    draft = os.path.join(directory, f".{name}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            _write(fd, data)
        finally:
            os.close(fd)
        os.rename(draft, final)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = final
        raise


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
