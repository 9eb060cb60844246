"""domain.save: a domain's memory as a file of Xen's format; the domain is ended then, or goes on.

Until the file is whole and on the disk the domain is only suspended, and what fails has it go on.  From then
on there is no way back: it is ended, whatever happens meanwhile.  A checkpoint's domain goes on as soon as
its memory is written.
"""

import os
from typing import Literal

import attrs
from attrs.validators import in_

from xend.device.pci import PCI
from xend.domain.destroy import DestroyFacts, Destruction, devices_to_remove
from xend.domain.device_model import has_model
from xend.domain.following import Follower
from xend.domain.registry import Domain
from xend.domain.saved_file import Draft, header_of
from xend.domain.source import Source, source_of
from xend.domain.suspending import Suspension, check_can_suspend, is_suspended
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Step, Work, nothing
from xend.refusals import explained
from xend.stream.records import AFTER, BEFORE
from xend.validators import count, typed
from xenstore.daemon.files import write_all
from xenstore.daemon.text import one_line

#: What becomes of the domain once it is saved.
Then = Literal["destroy", "resume", "pause"]
#: What a file has besides memory, at most, in bytes.
_FRONT_BYTES = 1 << 20


@attrs.define(kw_only=True)
class SaveFacts(DestroyFacts):
    """Those of domain.save.

    Attributes:
        source: what stands in the file.
        path: of the file, absolute; draft: its name until it is whole.
        then: what becomes of the domain.
        was_suspended: it was before.
        memory_kib: what it has.
        cpus: the host's.
        inode: of the draft, once it was made.
        length: of what follows the file's header, in bytes, once its memory is written.
        checksum: of that; None: it was not looked at yet.
        is_saved: the file is whole: there is no way back.
    """

    KIND = "domain.save"

    source: Source = attrs.field(converter=source_of)
    path: str = attrs.field(validator=typed(str))
    draft: str = attrs.field(validator=typed(str))
    then: Then = attrs.field(validator=in_(("destroy", "resume", "pause")))
    was_suspended: bool = attrs.field(validator=typed(bool))
    memory_kib: int = attrs.field(validator=count)
    cpus: int = attrs.field(validator=count)
    inode: int = attrs.field(default=0, validator=typed(int))
    checksum: int | None = attrs.field(default=None, validator=attrs.validators.optional(count))
    length: int = attrs.field(default=0, validator=count)
    is_saved: bool = attrs.field(default=False, validator=typed(bool))


async def save_facts(
    host: Host, target: Target, managed: Domain, path: str, then: Then, source: Source
) -> SaveFacts:
    """What is known of a save before it begins.

    Raises:
        XendError: bad_request: nothing can be written there; wrong_state: it cannot be saved as it is.
    """
    if not is_suspended(target.info):
        check_can_suspend(target)
    if managed.config.machine is not None:
        raise XendError(
            "unsupported",
            f"{target.name} is an hvm domain, and this xend saves no state of its device model",
            domain=target.name,
            hint=f"xl shutdown {target.name}, or xl pause {target.name}, keeps what is on its disks",
        )
    if managed.config.of_kind(PCI.name):
        raise XendError(
            "wrong_state",
            f"{target.name} has PCI devices of the host, whose state cannot be saved",
            domain=target.name,
            hint=f"xl pci-list {target.name} shows them, xl pci-detach takes one out",
        )
    path = _checked(path, target.name)
    _check_room(path, target)
    with explained("ask for the host's CPUs", target.name):
        info = await host.hypervisor.host_info()
    return SaveFacts(
        **target.identity,
        devices=await devices_to_remove(host, target.domid, target.name),
        has_model=has_model(host, target.domid),
        source=source,
        path=path,
        draft=Draft.new_name(),
        then=then,
        was_suspended=is_suspended(target.info),
        why=f"saved to {one_line(path)}" if then == "destroy" else None,
        memory_kib=target.info.memory_kib,
        cpus=info.nr_cpus,
    )


def _checked(path: str, name: str) -> str:
    """The path of a regular file, or of none."""
    shown = one_line(path)
    if not path.startswith("/") or "\0" in path:
        raise XendError("bad_request", f"file {shown!r}: an absolute path was expected", domain=name)
    path = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(path)):
        directory = one_line(os.path.dirname(path))
        raise XendError("bad_request", f"{shown}: there is no directory {directory}", domain=name)
    if os.path.lexists(path) and not os.path.isfile(path):
        raise XendError("bad_request", f"{shown} is no regular file", domain=name)
    return path


def _check_room(path: str, target: Target) -> None:
    """See that it has room, before its guest is asked for anything."""
    directory = os.path.dirname(path)
    free = free_kib(directory)
    if free < target.info.memory_kib:
        raise XendError(
            "bad_request",
            f"{one_line(directory)} has {free // 1024} MiB of free space: the memory of {target.name} "
            f"needs {-(-target.info.memory_kib // 1024)} MiB",
            domain=target.name,
            hint="it runs on; give a file elsewhere",
        )


def free_kib(directory: str) -> int:
    """How much room files have in a directory.

    Raises:
        XendError: bad_request.
    """
    try:
        found = os.statvfs(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise XendError("bad_request", f"{one_line(directory)} cannot be looked at: {reason}") from error
    return found.f_bavail * found.f_frsize // 1024


def save_steps(host: Host, facts: SaveFacts) -> list[Step]:
    """The steps of domain.save."""
    return _Save(host, facts).steps()


class _Save:
    def __init__(self, host: Host, facts: SaveFacts) -> None:
        assert facts.domid is not None
        self._host = host
        self._facts = facts
        self._domid = facts.domid
        self._suspension = Suspension(host, facts)
        self._destruction = Destruction(host, facts)
        self._front = header_of(facts.source, facts.memory_kib, facts.cpus)
        self._draft = Draft(facts.path, facts.draft)

    def steps(self) -> list[Step]:
        begin = Step("begin", "begin its file", self.begin, self.remove)
        save = Step("save", "suspend it and write its memory", self.save, self.go_on)
        if self._facts.then == "destroy":
            return [
                begin,
                save,
                Step("place", "put the file in its place", self.place),
                *self._destruction.steps(),
                self._destruction.last_step(),
            ]
        return [
            begin,
            save,
            Step("resume", "let it go on", self.resume, self.go_on),
            Step("place", "put the file in its place", self.place, nothing),
        ]

    async def begin(self, work: Work) -> None:
        try:
            fd = self._draft.begin(self._front)
            self._facts.inode = os.fstat(fd).st_ino
            os.close(fd)
        except OSError as error:
            raise self._refusal(error) from error

    async def remove(self, work: Work) -> None:
        """A file that is whole stays, unless the domain goes on as if it had never been saved."""
        try:
            self._draft.remove()
            if not self._facts.is_saved and self._facts.then == "destroy" and self._is_placed():
                os.unlink(self._facts.path)
        except OSError as error:
            raise self._refusal(error) from error

    async def save(self, work: Work) -> None:
        try:
            await self._write(work)
        except OSError as error:
            raise self._refusal(error) from error

    async def _write(self, work: Work) -> None:
        fd = os.open(self._draft.draft, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            begins = os.lseek(fd, 0, os.SEEK_END) - len(BEFORE)
            is_ended = self._facts.then == "destroy"
            # One that goes on is not to stand for longer than its memory takes.
            follower = Follower(fd, begins, self._facts.memory_kib, is_beside=is_ended)

            async def suspend() -> None:
                if not self._facts.was_suspended:
                    await self._suspension.suspend(work)

            async def write() -> None:
                with explained(f"write its memory to {one_line(self._facts.path)}", self._facts.name):
                    await self._host.hypervisor.save(self._domid, fd, suspend)

            await follower.beside(work, write)
            write_all(fd, AFTER)
            end = os.lseek(fd, 0, os.SEEK_CUR)
            self._facts.length = end - begins
            if is_ended:
                await follower.catch_up(end)
                self._facts.checksum = follower.checksum
        finally:
            os.close(fd)

    async def go_on(self, work: Work) -> None:
        if not self._facts.is_saved and not self._facts.was_suspended:
            await self._suspension.take_back(work)

    async def resume(self, work: Work) -> None:
        if self._facts.was_suspended:
            return  # and stays so
        is_paused = self._facts.then == "pause"
        await self._suspension.resume(work, is_paused=is_paused)
        if is_paused:
            self._host.publish("domain", "paused", domid=self._domid, name=self._facts.name)

    async def place(self, work: Work) -> None:
        """Once: after a crash of xend's it may be there."""
        try:
            if not self._is_placed():
                await self._place()
        except OSError as error:
            raise self._refusal(error) from error
        if self._facts.then == "destroy" and not await self._suspension.is_suspended():
            raise XendError("wrong_state", f"{self._facts.name} was resumed by others while it was saved")
        self._facts.is_saved = True
        work.result |= {"file": one_line(self._facts.path)}
        self._host.publish(
            "domain",
            "saved",
            domid=self._domid,
            name=self._facts.name,
            uuid=self._facts.uuid,
            path=one_line(self._facts.path),
        )

    async def _place(self) -> None:
        fd = os.open(self._draft.draft, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_ino != self._facts.inode:
                raise OSError(0, "somebody has put another file in its place")
            if self._facts.checksum is None:
                self._facts.checksum = await self._summed(fd)
            await self._draft.place(self._front, self._facts.checksum, self._facts.length, fd=fd)
        finally:
            os.close(fd)

    async def _summed(self, fd: int) -> int:
        """The checksum of what was written."""
        end = os.lseek(fd, 0, os.SEEK_END)
        follower = Follower(fd, end - self._facts.length, self._facts.memory_kib)
        await follower.catch_up(end)
        return follower.checksum

    def _is_placed(self) -> bool:
        """Whether the file under its name is this one."""
        try:
            return os.lstat(self._facts.path).st_ino == self._facts.inode
        except FileNotFoundError:
            return False

    def _refusal(self, error: OSError) -> XendError:
        name, reason = self._facts.name, error.strerror or str(error)
        return XendError(
            "bad_request",
            f"{name} cannot be saved to {one_line(self._facts.path)}: {reason}",
            domain=name,
            hint="it runs on, and nothing is left of the file",
        )
