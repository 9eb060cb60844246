"""Builds, dumps, saves and restores domains, each in a process of its own: see `xend.helper`."""

import errno
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs

from xend._sum import Sum
from xend.helper import wire
from xend.helper.steps import STEPS
from xend.hypervisor import HypervisorError, Image, Rings
from xend.hypervisor.xen.process import Helper, Lost, TooLong
from xenstore.daemon import child
from xenstore.daemon.text import one_line

#: How the module of Xen's libraries is had.
REMEDY = (
    "install Xen's libraries with their headers (Debian: libxen-dev and pkg-config; pkgsrc: "
    "sysutils/xentools of this Xen's version) and build xend anew with XEND_REQUIRE_XEN=1 in the environment"
)
#: Ports and frame numbers, which the helper says, are smaller than these.
_PORTS, _FRAMES = 1 << 17, 1 << 52
#: And addresses and sizes of tables, which lie below 4 GiB.
_ADDRESSES = 1 << 32


class Helpers:
    """All helpers of a xend.

    Args:
        log: takes a line.
        command: what is run; None: the helper.
    """

    def __init__(self, log: Callable[[str], object], command: Sequence[str] | None = None) -> None:
        self._log = log
        self._command = command or child.module("xend.helper")
        self._idle: Helper | None = None
        #: The domain whose job that one is meant for, though it may get another's.
        self._meant_for = 0
        #: The last that saved a domain, and that domain: it gets no other's job, for it has seen its memory.
        self._saved: tuple[int, Helper] | None = None

    def prepare(self, domid: int) -> None:
        """Start one ahead, for a domain's next job; nothing happens if there is one, or if that fails."""
        if self._idle is None or not self._idle.runs:
            try:
                self._idle, self._meant_for = Helper(self._command), domid
            except OSError as error:
                self._log(f"helper not started ahead: {error}")

    async def forget(self, domid: int) -> None:
        """End those without a job that were started for a domain that is gone, or have saved it."""
        if self._meant_for == domid:
            await self._end_idle()
        await self._end(self._take_saver(domid))

    async def check(self, release: str) -> None:
        """Whether helpers can work with a release of Xen ("4.17").

        Raises:
            HypervisorError: ENOSYS: they cannot; the text says why, and what to do.
        """
        helper = await self._take("check")
        try:
            ready = await helper.ready()
        except Lost as lost:
            raise HypervisorError(errno.ENOSYS, f"xend's helper {lost}") from None
        finally:
            await helper.end()
        if ready.release is None:
            reason = one_line(ready.reason)
            raise HypervisorError(
                errno.ENOSYS, f"xend has no module for Xen's libraries ({reason}): {REMEDY}"
            )
        if ready.release != release:
            built_for = one_line(ready.release)
            raise HypervisorError(
                errno.ENOSYS, f"xend was built for Xen {built_for}, this is {release}: {REMEDY}"
            )

    async def build(self, domid: int, image: Image) -> Rings:
        """As `Hypervisor.build`, of a domain that was created, its vCPUs and bounds set.

        Where it fails or is cancelled, the domain is half built, and no helper works on it any more: it is
        for the caller to destroy.
        """
        result = await self._do("build", domid, {"domid": domid, "image": attrs.asdict(image)})
        return self._rings(domid, "build", result)

    async def dump_core(self, domid: int, path: str) -> None:
        """As `Hypervisor.dump_core`, of a domain that the caller has paused, and lets run again."""
        path = os.path.abspath(path)
        temporary = os.path.join(os.path.dirname(path), f".xend-core-{secrets.token_hex(8)}")
        try:
            await self._do("dump", domid, {"domid": domid, "path": path, "temporary": temporary})
        finally:
            with suppress(OSError):  # of a helper that was killed
                os.unlink(temporary)

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        """As `Hypervisor.save`."""
        helper = await self._take("save")
        begins = os.lseek(fd, 0, os.SEEK_CUR)
        arguments = {"domid": domid, "sum": checksum.state}
        try:
            result = await self._answer(helper, "save", domid, arguments, fd, suspend)
            passed = self._passed(domid, "save", result, checksum, os.lseek(fd, 0, os.SEEK_CUR) - begins)
        except BaseException:
            await helper.end()
            raise
        before, self._saved = self._saved, (domid, helper)  # it is there at once to resume it
        if before is not None:
            await before[1].end()
        return passed

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        """As `Hypervisor.restore`, of a domain that was created, its vCPUs and bounds set; as with `build` it
        is for the caller to destroy where that fails or is cancelled."""
        # What it booted is of no interest, and may be longer than a job.
        image = attrs.evolve(image, kernel="", ramdisk=None, command_line="", cpuid=())
        arguments = {"domid": domid, "image": attrs.asdict(image), "sum": checksum.state}
        begins = os.lseek(fd, 0, os.SEEK_CUR)
        result = dict(await self._have_done(await self._take("restore"), "restore", domid, arguments, fd))
        passed = self._passed(domid, "restore", result, checksum, os.lseek(fd, 0, os.SEEK_CUR) - begins)
        result.pop("sum")
        return self._rings(domid, "restore", result), passed

    async def resume(self, domid: int, is_cooperative: bool) -> None:
        """As `Hypervisor.resume`."""
        saver = self._take_saver(domid)
        if saver is not None and not saver.runs:
            await self._end(saver)
            saver = None
        helper = saver or await self._take("resume")
        await self._have_done(helper, "resume", domid, {"domid": domid, "is_cooperative": is_cooperative})

    async def close(self) -> None:
        """End those that have no job."""
        await self._end_idle()
        if self._saved is not None:
            await self._end(self._take_saver(self._saved[0]))

    async def _end_idle(self) -> None:
        helper, self._idle = self._idle, None
        await self._end(helper)

    def _take_saver(self, domid: int) -> Helper | None:
        """The one that has saved a domain, for whom it gets."""
        if self._saved is None or self._saved[0] != domid:
            return None
        (_, helper), self._saved = self._saved, None
        return helper

    async def _end(self, helper: Helper | None) -> None:
        if helper is not None:
            await helper.end()

    async def _do(self, job: str, domid: int, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._have_done(await self._take(job), job, domid, arguments)

    async def _have_done(
        self,
        helper: Helper,
        job: str,
        domid: int,
        arguments: Mapping[str, Any],
        fd: int | None = None,
    ) -> Mapping[str, Any]:
        try:
            return await self._answer(helper, job, domid, arguments, fd)
        finally:
            await helper.end()

    async def _answer(
        self,
        helper: Helper,
        job: str,
        domid: int,
        arguments: Mapping[str, Any],
        fd: int | None = None,
        suspend: Callable[[], Awaitable[None]] | None = None,
    ) -> Mapping[str, Any]:
        try:
            match await helper.do(job, arguments, fd, suspend):
                case wire.Done(result):
                    return result
                case wire.Failed(number, text):
                    raise HypervisorError(number, one_line(text))
        except Lost as lost:
            raise self._fault(domid, job, helper.step, str(lost)) from None
        except TooLong as error:
            raise HypervisorError(
                errno.EINVAL, f"domain {domid}: {error}: its command line is too long"
            ) from None

    async def _take(self, job: str) -> Helper:
        helper, self._idle = self._idle, None
        if helper is not None:
            if helper.runs:
                return helper
            await helper.end()
        try:
            return Helper(self._command)
        except OSError as error:
            text = f"{job}: xend's helper cannot be started: {error.strerror or error}"
            raise HypervisorError(error.errno or errno.EIO, text) from error

    def _passed(self, domid: int, job: str, result: Mapping[str, Any], before: Sum, count: int) -> Sum:
        """The checksum with the bytes that passed, so many; as before where the library had its own ways."""
        try:
            found = Sum(result["sum"])
        except (KeyError, TypeError, ValueError):
            raise self._fault(domid, job, "", "gave a checksum that is none") from None
        return found if found.length == before.length + count else before

    def _rings(self, domid: int, job: str, result: Mapping[str, Any]) -> Rings:
        try:
            return _rings(result)
        except ValueError:
            raise self._fault(domid, job, "", "gave rings that are none") from None

    def _fault(self, domid: int, job: str, step: str, what: str) -> HypervisorError:
        """A helper that did not answer."""
        where = f" while {STEPS[step]} ({step})" if step else ""
        error = HypervisorError(errno.EIO, f"the helper of the {job} of domain {domid} {what}{where}")
        self._log(error.text)
        return error


def _rings(result: Mapping[str, Any]) -> Rings:
    """What a helper says, which may be anything.

    Raises:
        ValueError: it is none.
    """
    bounds = {"store_gfn": _FRAMES, "store_port": _PORTS, "console_gfn": _FRAMES, "console_port": _PORTS}
    if set(result) - {"tables"} != set(bounds):
        raise ValueError("not these fields")
    for name, bound in bounds.items():
        if type(result[name]) is not int or not 0 < result[name] < bound:
            raise ValueError(name)
    return Rings(**{**result, "tables": _tables(result.get("tables", {}))})


def _tables(found: object) -> Mapping[str, Sequence[int]]:
    """Raises: ValueError: it is nothing that `Rings.tables` may be."""
    if not isinstance(found, dict) or not set(found) <= {"acpi", "smbios"}:
        raise ValueError("tables")
    for place in found.values():
        if not isinstance(place, (list, tuple)) or len(place) != 2:
            raise ValueError("tables")
        if not all(type(each) is int and 0 < each < _ADDRESSES for each in place):
            raise ValueError("tables")
    return {name: tuple(place) for name, place in found.items()}
