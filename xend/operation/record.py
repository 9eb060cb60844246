"""What is on disk of an operation: RUNDIR/operations/ID, replaced before each step begins.

The page cache outlives the process, and an operation means nothing once the host went down: no fsync.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

from xend.files import replace

#: Larger ones are not read: nothing of ours is.
RECORD_MAX_BYTES = 4 << 20


class Records:
    """The directory of records."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, operation: str, fields: dict[str, Any]) -> None:
        """Put a record in place of the one before, at once.

        Raises:
            OSError: the disk is full, for instance; the old record is still there.
        """
        replace(self._directory / operation, msgpack.packb(fields))

    def remove(self, operation: str) -> None:
        """Forget one."""
        (self._directory / operation).unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """All, in the order in which they began; None: that one cannot be read."""
        for name in sorted(os.listdir(self._directory)):
            if name.startswith("."):
                (self._directory / name).unlink()  # half written
            else:
                yield name, self._load(self._directory / name)

    def _load(self, path: Path) -> dict[str, Any] | None:
        with path.open("rb") as file:
            data = file.read(RECORD_MAX_BYTES)
        try:
            fields = msgpack.unpackb(data)
        except (ValueError, msgpack.UnpackException):
            return None
        return fields if isinstance(fields, dict) else None
