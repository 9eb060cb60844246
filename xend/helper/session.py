"""What a job of the helper works with."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING

from xend.helper.steps import Refused, Steps

if TYPE_CHECKING:
    from xend._guest import Handle


class Session:
    """One helper's.

    Attributes:
        guest: the module of Xen's libraries, `xend._guest`.
        steps: says where it is.
        ask: asks xend to have the domain suspended, and returns when it is.
        leftover: a file to remove where it is ended before its end; "": none.
    """

    def __init__(
        self,
        guest: ModuleType,
        report: Callable[[str], object],
        ask: Callable[[], object] = lambda: None,
        fd: int | None = None,
    ) -> None:
        self.guest = guest
        self.steps = Steps(report, self._take_log)
        self.ask = ask
        self._fd = fd
        self.leftover = ""
        self._handle: Handle | None = None

    def open(self) -> "Handle":
        """Xen, opened.

        Raises:
            LibraryError: it cannot be.
        """
        with self.steps.at("open"):
            handle: Handle = self.guest.Handle()
        self._handle = handle
        return handle

    def descriptor(self) -> int:
        """The one that came with the job.

        Raises:
            Refused: none did.
        """
        if self._fd is None:
            raise Refused(errno.EBADF, "no descriptor came with the job")
        return self._fd

    def close_descriptor(self) -> None:
        """The job that it came with is over."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def remove_leftover(self) -> None:
        """Of a job that does not come to its end."""
        if self.leftover:
            with suppress(OSError):
                os.unlink(self.leftover)

    def _take_log(self) -> list[tuple[int, bytes]]:
        return self._handle.take_log() if self._handle is not None else []
