"""The trace file: one line for each request, reply and event, as Xen's C xenstored writes it.

    IN 0x7f12a0c3e590 20261122 16:38:10 WATCH (memory/target FFFFFFFF82BB1520 )
    OUT 0x7f12a0c3e590 20261122 16:38:10 WATCH (OK )
    CREATE connection 0x7f12a0c3e590

The number names the connection.  NULs are shown as blanks, other unprintable bytes as octal escapes.
"""

import os
import time
from collections.abc import Callable

from xenstore.daemon import trusted
from xenstore.store import Session, Store
from xenstore.wire import TYPE_NAMES

#: The switches of --trace-control and `xenstore-control log`, with their state at start.  `obj` are CREATE
#: and DESTROY, `io` IN and OUT; the others are Xen's names for what this store has not got.
SWITCHES = {"obj": True, "io": True, "wrl": False, "acc": False, "tdb": False}

_PRINTED = [chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in range(256)]
_PRINTED[0] = " "


class Trace:
    """A trace file and the switches that say what goes into it; off, the store does not know it.

    A file that cannot be written any more is reported to `log` once and closed.
    """

    def __init__(self, store: Store, log: Callable[[str], object], directory: str) -> None:
        self._store = store
        self._log = log
        self._directory = directory  # of names that are not absolute
        self._name: str | None = None
        self._fd: int | None = None
        self._switches = dict(SWITCHES)

    @property
    def is_open(self) -> bool:
        return self._fd is not None

    def switches(self) -> dict[str, bool]:
        return dict(self._switches)

    def switch(self, setting: str) -> None:
        """Sets one switch, `+io` or `-io`.

        Raises:
            ValueError: no such switch, or neither sign.
        """
        if setting[:1] not in ("+", "-") or setting[1:] not in self._switches:
            raise ValueError(f"trace switch {setting!r}; expected + or - and one of {', '.join(SWITCHES)}")
        self._switches[setting[1:]] = setting[0] == "+"
        self._install()

    def on(self) -> None:
        """Opens the file named last, if there is one, anew; OSError if that fails (the old one stays)."""
        if self._name is not None:
            self.redirect(self._name)

    def off(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._install()

    def redirect(self, name: str) -> None:
        """Traces into `name` from now on; OSError if it cannot be opened, and nothing changes."""
        fd = self._open(name)
        self.off()
        self._name, self._fd = name, fd
        self.write("\n***\n")
        self._install()

    def write(self, text: str) -> None:
        """Appends text as it is, if the file is open."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, os.fsencode(text))
        except OSError as error:
            self.off()
            self._log(f"trace file {self._name}: {error.strerror}; tracing is off")

    def append(self, name: str, text: str) -> None:
        """Appends text to the file `name`, which need not exist; OSError if that fails."""
        fd = self._open(name)
        try:
            os.write(fd, os.fsencode(text))
        finally:
            os.close(fd)

    def _open(self, name: str) -> int:
        path = os.path.join(self._directory, name)
        if path != name:
            trusted.make_directory(self._directory)
        return trusted.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def _install(self) -> None:
        wanted = self._fd is not None and (self._switches["io"] or self._switches["obj"])
        self._store.trace = self._message if wanted else None

    def _message(self, direction: str, session: Session, type: int, payload: bytes) -> None:
        if direction not in ("IN", "OUT"):
            if self._switches["obj"]:
                self.write(f"{direction} connection {id(session):#x}\n")
        elif self._switches["io"]:
            name = TYPE_NAMES.get(type, str(type))
            arguments = "".join([_PRINTED[byte] for byte in payload])
            stamp = time.strftime("%Y%m%d %H:%M:%S")
            self.write(f"{direction} {id(session):#x} {stamp} {name} ({arguments})\n")
