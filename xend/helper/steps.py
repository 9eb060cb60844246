"""The steps of the helper's jobs, by their keys, as people call them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

#: What it was doing: "while it was ...".
STEPS = {
    "open": "opening Xen's libraries",
    "domain": "looking at the domain",
    "files": "opening kernel and ramdisk",
    "ports": "making event channels",
    "limits": "setting the domain's memory map and limits",
    "paging": "taking memory for the domain's page tables",
    "policy": "setting what the domain sees of the processor",
    "kernel": "unpacking the kernel",
    "parse": "reading the kernel",
    "populate": "taking the domain's memory",
    "load": "loading kernel and ramdisk",
    "boot": "making the first vCPU ready",
    "grants": "granting the store's and the console's page",
    "dump": "writing the domain's memory",
    "save": "saving the domain's memory",
    "restore": "restoring the domain's memory",
    "resume": "letting the domain go on",
}


class Refused(Exception):
    """A job that cannot be done, as a HypervisorError says it.

    Attributes:
        errno: its number.
        text: one line.
    """

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(text)
        self.errno = errno
        self.text = text


class LibraryError(Exception):
    """Xen's libraries refused a step.

    Attributes:
        step: its key.
        errno: what they left there, which may be 0 or mean nothing.
        function: theirs.
        log: what they logged, oldest first, as (level, text).
    """

    def __init__(self, step: str, errno: int, function: str, log: list[tuple[int, str]]) -> None:
        super().__init__(f"{function}: {errno}")
        self.step, self.errno, self.function, self.log = step, errno, function, log


class Steps(NamedTuple):
    """Says at which step a job is.

    Attributes:
        report: takes the key of a step.
        take_log: the libraries' log since it was taken last.
    """

    report: Callable[[str], object]
    take_log: Callable[[], list[tuple[int, bytes]]]

    @contextmanager
    def at(self, key: str) -> Iterator[None]:
        """What is done here is a step of that key.

        Raises:
            LibraryError: for OSError, which Xen's libraries raise; what is ours raises Refused.
        """
        self.report(key)
        try:
            yield
        except OSError as error:
            log = [(level, text.decode(errors="replace")) for level, text in self.take_log()]
            raise LibraryError(key, error.errno or 0, str(error.strerror), log) from error
