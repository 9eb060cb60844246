"""The job `dump`: a domain's memory, as an ELF core (docs/misc/dump-core-format.txt), in a new file.

It is written under another name and then given its own, which never replaces a file.

A paravirtual domain's frames are found by its own tables, which libxenguest reads.  Of every other domain
libxenguest tries to map each frame up to the last, one by one, and the last is near 4 GiB however small the
domain is: these are written here, a thousand frames with each call.
"""

import errno
import os
from array import array
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xend.helper import library_text, limits
from xend.helper.core_file import Layout
from xend.helper.session import Session
from xend.helper.steps import LibraryError, Refused

if TYPE_CHECKING:
    from xend._guest import Handle

#: After so many bytes, or frames that were looked at, it says that it goes on.
SIGN_BYTES = 64 << 20
SIGN_FRAMES = 1 << 24
#: How many frames it looks at, at most, for a domain can put its pages anywhere: a tebibyte's, and sixteen
#: times as many as it has pages.
LOOKS = 1 << 28
LOOKS_FOR_EACH = 16
#: In the place of a frame's number: there was no page any more.
NO_FRAME = 0xFFFF_FFFF_FFFF_FFFF


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
            is_hvm, pages = found
            if is_hvm:
                _write(session, handle, domid, pages, core)
            else:
                handle.dump_core(domid, core.write)
    except LibraryError as error:
        raise library_text.refused(error, {"domid": domid}) from error
    return {}


def _write(session: Session, handle: "Handle", domid: int, pages: int, core: "Core") -> None:
    """The core of a domain that is not paravirtual."""
    frames = _frames(session, handle, domid, pages)
    contexts = handle.contexts(domid)
    if not contexts:
        raise Refused(errno.EINVAL, f"domain {domid} has no vCPU that ever ran: it has no kernel yet")
    layout = Layout(handle.version(), contexts, handle.shared_info(domid), len(frames))
    core.write(memoryview(layout.head()))
    at_once = session.guest.FRAMES
    for first in range(0, len(frames), at_once):
        data, missing = handle.read(domid, frames[first : first + at_once])
        for place in missing:
            frames[first + place] = NO_FRAME
        core.write(memoryview(data))
    core.write(memoryview(layout.tail(frames.tobytes())))


def _frames(session: Session, handle: "Handle", domid: int, pages: int) -> "array[int]":
    """Where its pages are, by rising numbers; those that Xen itself made for it are not among them."""
    found = array("Q")
    end = min(handle.frames_end(domid), LOOKS + LOOKS_FOR_EACH * pages)
    at_once = session.guest.FRAMES
    for first in range(0, end, at_once):
        found.extend(handle.present(domid, first, min(at_once, end - first)))
        if len(found) >= pages:
            break
        if (first + at_once) % SIGN_FRAMES == 0:
            session.steps.report("dump")
    return found[:pages]


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
