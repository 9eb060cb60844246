"""Files that are wholly there or not at all."""

import os
from pathlib import Path


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place of the one before, at once.

    Raises:
        OSError: it could not be written; the old one is still there.
    """
    draft = path.with_name(f".{path.name}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
