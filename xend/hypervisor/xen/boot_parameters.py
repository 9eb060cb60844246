"""Parameters of the hypervisor's command line that can be changed while it runs: hypfs, since Xen 4.14.

Source: xen/include/public/hypfs.h
"""

import errno
import re
from collections.abc import Mapping
from contextlib import suppress

import attrs

from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.calls import EXTRA_SIZE, HYPFS_OP, Calls
from xend.hypervisor.xen.layouts import HYPFS_ENTRY
from xend.hypervisor.xen.refusal import refusing

READ, WRITE = 1, 2
STRING, UNSIGNED, SIGNED, BOOLEAN = 2, 3, 4, 5
#: Where in the extra bytes of a call the contents are, behind the path.
CONTENTS_AT = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
_YES = ("1", "yes", "on", "true", "enable")
_NO = ("0", "no", "off", "false", "disable")


@attrs.frozen
class _Change:
    """One parameter's; before: none where that is not known."""

    what: str
    reasons: dict[int, str]
    path: bytes
    before: bytes
    after: bytes


class BootParameters:
    """Every method raises HypervisorError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def set(self, values: Mapping[str, str]) -> None:
        """See `Control.set_boot_parameters`."""
        changes = [self._change(name, value) for name, value in values.items()]
        done: list[_Change] = []
        try:
            for change in changes:
                with refusing(change.what, change.reasons):
                    self._write(change.path, change.after)
                done.append(change)
        except HypervisorError:
            for change in reversed(done):
                with suppress(OSError):  # it stays as it is: the refusal is what is told
                    self._write(change.path, change.before)
            raise

    def _change(self, name: str, value: str) -> "_Change":
        """What is to be done for one; HypervisorError: it cannot be."""
        what = f"the hypervisor's parameter {name} cannot be changed to {value!r}"
        if not _NAME.fullmatch(name):
            raise HypervisorError(errno.EINVAL, f"{what}: that is no name of a parameter")
        none = f"it has no parameter {name} that can be changed while it runs"
        reasons = {
            errno.ENOENT: none,
            errno.EISDIR: none,
            errno.EINVAL: "it takes no such value",
            errno.EACCES: "it can be set only when the host is started",
            errno.ENOSYS: "this hypervisor was built without hypfs",
            errno.EOPNOTSUPP: "this hypervisor was built without hypfs",
        }
        path = f"/params/{name}".encode() + b"\0"
        with refusing(what, reasons):
            entry, before = self._entry(path)
            data = _encoded(value, entry["type"], entry["size"])
            if not entry["room"]:
                raise OSError(errno.EACCES, "read-only")
            if data is None or len(data) > min(entry["room"], EXTRA_SIZE - CONTENTS_AT):
                raise OSError(errno.EINVAL, "no such value")
            return _Change(what, reasons, path, before, data)

    def _entry(self, path: bytes) -> tuple[dict[str, int], bytes]:
        """What kind of an entry this is, and its contents; none of these where there is no room for them."""
        has_room = True
        try:
            self._ask(READ, path, b"", EXTRA_SIZE - CONTENTS_AT)
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # then the entry is there, without its contents
                raise
            has_room = False
        entry = HYPFS_ENTRY.unpack(self._calls.get(HYPFS_ENTRY.size, CONTENTS_AT))
        size = entry["size"] if has_room else 0
        return entry, self._calls.get(size, CONTENTS_AT + HYPFS_ENTRY.size)

    def _write(self, path: bytes, data: bytes) -> None:
        if data:
            self._ask(WRITE, path, data, len(data))

    def _ask(self, command: int, path: bytes, data: bytes, size: int) -> None:
        self._calls.put(path.ljust(CONTENTS_AT, b"\0") + data)
        self._calls.call(
            HYPFS_OP, command, self._calls.extra, len(path), self._calls.extra + CONTENTS_AT, size
        )


def _encoded(value: str, kind: int, size: int) -> bytes | None:
    """A value as an entry of this type has it; None: it is none."""
    if kind == STRING:
        return value.encode() + b"\0"
    if kind == BOOLEAN and value in _YES + _NO:
        return bytes([value in _YES]).ljust(size, b"\0")
    if kind in (UNSIGNED, SIGNED):
        try:
            return int(value, 0).to_bytes(size, "little", signed=kind == SIGNED)
        except (ValueError, OverflowError):
            return None
    return None
