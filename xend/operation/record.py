"""What is on disk of an operation: RUNDIR/operations/ID, replaced before each step begins.

The page cache outlives the process, and an operation means nothing once the host went down: no fsync.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from xend.errors import XendError
from xend.operation.running import ENDED, Operation
from xend.packing import pack, unpack
from xenstore.daemon import trusted
from xenstore.daemon.files import replace

#: Larger ones are not read: nothing of ours is.
RECORD_MAX_BYTES = 4 << 20


class Records:
    """The directory of records.

    Raises:
        Untrusted: somebody else could have made or changed it, or one of them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        trusted.make_directory(directory, 0o700)
        trusted.check_files(directory, but_directories=True)

    def write(self, operation: Operation) -> None:
        """Put an operation's record in place of the one before, at once.

        Raises:
            XendError: internal: the disk is full, for instance; the old record is still there.
        """
        try:
            replace(self._directory / operation.id, pack(_fields(operation)))
        except OSError as error:
            raise XendError(
                "internal",
                f"cannot record the operation: {error.strerror}",
                domain=operation.domain,
                cause=str(error.filename),
            ) from error
        except (TypeError, ValueError, OverflowError) as error:  # MessagePack cannot hold it
            message = f"cannot record the operation: {error}"
            raise XendError("internal", message, domain=operation.domain) from error

    def remove(self, operation_id: str) -> None:
        """Forget one.

        Raises:
            OSError: it is still there.
        """
        (self._directory / operation_id).unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """All, in the order in which they began; None: that one cannot be read."""
        for name in sorted(os.listdir(self._directory)):
            if name.startswith("."):
                with suppress(OSError):
                    (self._directory / name).unlink()  # half written
            else:
                yield name, self._load(self._directory / name)

    def _load(self, path: Path) -> dict[str, Any] | None:
        try:
            with path.open("rb") as file:
                fields = unpack(file.read(RECORD_MAX_BYTES))
        except (OSError, ValueError):
            return None
        return fields if isinstance(fields, dict) else None


#: Of the records that are written; those that were written before records had versions are not read.
VERSION = 1
#: What the fields of a record are: some of them, which are used without another look at them.
TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "domain": (str,),
    "domid": (int, type(None)),
    "facts": (dict,),
    "facts_version": (int,),
    "key": (str, type(None)),
    "started": (int, float),
    "ended": (int, float),
    "locks": (list,),
    "steps": (list,),
    "step": (str, type(None)),
    "state": (str,),
    "result": (dict,),
    "error": (dict, type(None)),
}
#: Seconds since 1970 that no clock shows.
TIME_MAX = 2**40


def checked(fields: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A record, of which these fields are what they should be.

    Raises:
        ValueError: one is not; KeyError: one is missing.
    """
    for key in keys:
        value = fields[key]
        is_right = isinstance(value, TYPES[key]) and not isinstance(value, bool)
        if key == "steps":
            is_right = is_right and all(map(_is_step, value))
        elif isinstance(value, list):
            is_right &= all(isinstance(each, str) for each in value)
        elif isinstance(value, int | float):
            is_right &= -1 <= value < TIME_MAX
        if not is_right:
            raise ValueError(f"its {key} cannot be {value!r}")
    return fields


def check_version(fields: dict[str, Any]) -> None:
    """See that a record is of the version that this xend reads.

    Raises:
        ValueError: it is not.
    """
    version = fields.get("version")
    if version is None:
        raise ValueError("it was written by an older xend, whose records do not name their steps")
    if version != VERSION:
        raise ValueError(f"it is of version {version!r}; this xend reads version {VERSION}")


def _is_step(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, str) for each in value)


def _fields(operation: Operation) -> dict[str, Any]:
    """What another xend needs to end it, or to remember it."""
    error, facts = operation.error, operation.work.facts
    return {
        "version": VERSION,
        "kind": operation.kind.name,
        "domain": operation.domain,
        "domid": facts.domid,
        "facts": {} if operation.state in ENDED else facts.as_fields(),
        "facts_version": facts.VERSION,
        "locks": [str(lock) for lock in operation.locks],
        "key": operation.key,
        "started": operation.started,
        "ended": operation.ended_at,
        "steps": [[step.key, step.name] for step in operation.steps],
        "step": operation.steps[operation.step].key if operation.step >= 0 else None,
        "state": operation.state,
        "error": None if error is None else error.as_map(),
        "warnings": operation.warnings(),
        "result": operation.work.result,
    }
