"""The jobs `save`, `restore` and `resume`: a domain's memory and vCPUs, to and from a descriptor.

The stream that is restored is anybody's: libxenguest parses it here, and nowhere else.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from xend.helper import library_text, limits
from xend.helper.build import DOM0, image_of, pages_of
from xend.helper.session import Session
from xend.helper.settings import set_limits
from xend.helper.steps import LibraryError, Refused

if TYPE_CHECKING:
    from xend._guest import Handle

#: How often it says that it goes on, if it does.
SIGN_SECONDS = 10.0


def save(session: Session, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes the stream of domain `domid` to the descriptor that came with the job.

    Returns {"sum": the state of the checksum that goes on from the argument of that name}.  Asks by the
    message ["suspend"] to have it suspended.

    Raises:
        Refused: as `Hypervisor.save` says.
    """
    domid, fd = arguments["domid"], session.descriptor()
    try:
        handle, (_, pages) = _opened(session, domid)
        if not pages:
            raise Refused(errno.EINVAL, f"domain {domid} was not built")
        limits.for_memory(pages * 4096, 0)
        with session.steps.at("save"), _signs(session, "save", fd):
            passed = handle.save(domid, fd, session.ask, arguments["sum"])
    except LibraryError as error:
        raise library_text.refused(error, {"domid": domid}) from error
    return {"sum": passed}


def restore(session: Session, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Restores domain `domid`, of the `image`, from the descriptor that came with the job; returns the fields
    of `Rings`, and "sum" as `save`.

    Raises:
        Refused: as `Hypervisor.restore` says.
    """
    domid, fd = arguments["domid"], session.descriptor()
    image = image_of(arguments["image"])
    facts = {"domid": domid, "type": image.blueprint.type, "max_kib": image.blueprint.max_memory_kib}
    try:
        handle, (is_hvm, pages) = _opened(session, domid)
        if is_hvm != (image.blueprint.type != "pv"):
            raise Refused(errno.EINVAL, f"domain {domid} was created as another type than {facts['type']}")
        if pages > 64:  # a few the hypervisor makes
            raise Refused(errno.EEXIST, f"domain {domid} was built already")
        limits.for_memory(pages_of(image.blueprint.max_memory_kib) * 4096, 0)
        with session.steps.at("ports"):
            store_port, console_port = (handle.event_channel(domid, DOM0) for _ in range(2))
        set_limits(session.steps, handle, domid, image)
        try:
            with session.steps.at("restore"), _signs(session, "restore", fd):
                store_gfn, console_gfn, passed = handle.restore(
                    domid, fd, store_port, console_port, arguments["sum"]
                )
        finally:
            with suppress(OSError):
                handle.claim(domid, 0)
    except LibraryError as error:
        raise library_text.refused(error, facts) from error
    return {
        "store_gfn": store_gfn,
        "store_port": store_port,
        "console_gfn": console_gfn,
        "console_port": console_port,
        "sum": passed,
    }


def resume(session: Session, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lets domain `domid` go on; returns {}.

    Raises:
        Refused: as `Hypervisor.resume` says.
    """
    domid = arguments["domid"]
    try:
        handle, _ = _opened(session, domid)
        with session.steps.at("resume"):
            handle.resume(domid, arguments["is_cooperative"])
    except LibraryError as error:
        raise library_text.refused(error, {"domid": domid}) from error
    return {}


def _opened(session: Session, domid: int) -> tuple["Handle", tuple[bool, int]]:
    handle = session.open()
    with session.steps.at("domain"):
        found = handle.domain(domid)
    if found is None:
        raise Refused(errno.ESRCH, f"there is no domain {domid}, or it is dying")
    return handle, found


@contextmanager
def _signs(session: Session, step: str, fd: int) -> Iterator[None]:
    """Says now and then that a step goes on, as long as the descriptor's place moves."""
    over = Event()

    def watch() -> None:
        before = -1
        while not over.wait(SIGN_SECONDS):
            with suppress(OSError):  # it is no file, but a pipe
                place = os.lseek(fd, 0, os.SEEK_CUR)
                if place != before:
                    before = place
                    session.steps.report(step)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
