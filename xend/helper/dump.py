"""The job `dump`: a domain's memory, as an ELF core (docs/misc/dump-core-format.txt), in a new file.

It is written under another name and then given its own, which never replaces a file.
"""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from xend.helper import library_text, limits
from xend.helper.session import Session
from xend.helper.steps import LibraryError, Refused

#: After so many bytes it says that it goes on.
SIGN_BYTES = 64 << 20


def run(session: Session, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes the core of domain `domid`, which does not run meanwhile, to the new file `path`, under the name
    `temporary` until it is whole; returns {}.

    Raises:
        Refused: as `Hypervisor.dump_core` says.
    """
    domid, path, temporary = arguments["domid"], arguments["path"], arguments["temporary"]
    try:
        handle = session.open()
        with session.steps.at("domain"):
            found = handle.domain(domid)
        if found is None:
            raise Refused(errno.ESRCH, f"there is no domain {domid}, or it is dying")
        limits.for_memory(found[1] * 4096, 0)
        if os.path.lexists(path):
            raise Refused(errno.EEXIST, f"{path} exists, and nothing is overwritten")
        with Core(temporary, path, session) as core, session.steps.at("dump"):
            handle.dump_core(domid, core.write)
    except LibraryError as error:
        raise library_text.refused(error, {"domid": domid}) from error
    return {}


class Core:
    """A file that is there once it is whole.

    Raises:
        Refused: it cannot be made, by each of its methods.
    """

    def __init__(self, temporary: str, path: str, session: Session) -> None:
        self._temporary, self._path, self._session = temporary, path, session
        self._unsaid = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(temporary, flags, 0o600)
        except OSError as error:
            raise self._refusal(error) from error
        session.leftover = temporary

    def write(self, data: memoryview) -> None:
        """Append."""
        self._unsaid += len(data)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            raise self._refusal(error) from error
        if self._unsaid >= SIGN_BYTES:
            self._unsaid = 0
            self._session.steps.report("dump")

    def __enter__(self) -> "Core":
        return self

    def __exit__(self, kind: object, fault: object, traceback: object) -> None:
        try:
            os.close(self._fd)
            if kind is None:
                os.link(self._temporary, self._path, follow_symlinks=False)
        except OSError as error:
            raise self._refusal(error) from error
        finally:
            with suppress(OSError):
                os.unlink(self._temporary)

    def _refusal(self, error: OSError) -> Refused:
        if error.errno == errno.EEXIST:
            return Refused(errno.EEXIST, f"{self._path} exists, and nothing is overwritten")
        return Refused(error.errno or errno.EIO, f"{self._path} cannot be written: {error.strerror}")
