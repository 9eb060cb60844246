"""domain.save: a domain's memory as a file of Xen's format; the domain is ended then, or goes on.

Until the file is whole and on the disk the domain is only suspended, and what fails has it go on.  From then
on there is no way back: it is ended, whatever happens meanwhile.  A checkpoint's domain goes on as soon as
its memory is written.
"""

import os
from contextlib import ExitStack
from typing import Literal

import attrs
from attrs.validators import in_

from xend.device.pci import PCI
from xend.domain.destroy import DestroyFacts, Destruction, devices_to_remove
from xend.domain.device_model import has_model
from xend.domain.following import Follower
from xend.domain.hot_cpus import count_processors
from xend.domain.model_state import ModelState, check_can_save, save_state
from xend.domain.model_talk import talk
from xend.domain.reconnecting import connected
from xend.domain.registry import Domain
from xend.domain.save_path import check_room, checked
from xend.domain.saved_file import Draft, header_of
from xend.domain.source import Source, source_of
from xend.domain.suspending import Suspension, check_can_suspend, is_suspended
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Step, Work, nothing
from xend.refusals import explained
from xend.stream.header import Header
from xend.stream.records import AFTER, BEFORE
from xend.validators import count, texts, typed, word, word_or_none
from xenstore.daemon.files import write_all
from xenstore.daemon.text import one_line

#: What becomes of the domain once it is saved.
Then = Literal["destroy", "resume", "pause"]


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
        processors: how many its machine has; None: it has no device model that plays one.
        connected: keys of the devices that its guest has connected, or had before it was restored.
        inode: of the draft, once it was made.
        length: of what follows the file's header, in bytes, once its memory is written.
        checksum: of that; None: it was not written yet.
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
    processors: int | None = attrs.field(default=None, validator=attrs.validators.optional(count))
    connected: list[str] = attrs.field(factory=list, validator=texts)
    inode: int = attrs.field(default=0, validator=typed(int))
    checksum: int | None = attrs.field(default=None, validator=word_or_none)
    length: int = attrs.field(default=0, validator=word)
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
    if managed.config.of_kind(PCI.name):
        raise XendError(
            "wrong_state",
            f"{target.name} has PCI devices of the host, whose state cannot be saved",
            domain=target.name,
            hint=f"xl pci-list {target.name} shows them, xl pci-detach takes one out",
        )
    if managed.config.machine is not None:
        check_can_save(host, target.domid, target.name)
    path = checked(path, target.name)
    check_room(path, target)
    with explained("ask for the host's CPUs", target.name):
        info = await host.hypervisor.host_info()
    devices = await devices_to_remove(host, target.domid, target.name)
    with explained("look at its devices", target.name):
        found = await connected(host.store, devices)
    return SaveFacts(
        **target.identity,
        devices=devices,
        has_model=has_model(host, target.domid),
        source=source,
        path=path,
        draft=Draft.new_name(),
        then=then,
        was_suspended=is_suspended(target.info),
        why=f"saved to {one_line(path)}" if then == "destroy" else None,
        memory_kib=target.info.memory_kib,
        cpus=info.nr_cpus,
        connected=sorted(found | set(managed.reconnecting)),
    )


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

    @property
    def _front(self) -> Header:
        facts = self._facts
        return header_of(facts.source, facts.memory_kib, facts.cpus, facts.processors, facts.connected)

    @property
    def _has_machine(self) -> bool:
        return self._host.domains.has_machine(self._facts.uuid)

    async def begin(self, work: Work) -> None:
        if self._has_machine:
            async with talk(self._host, work, self._domid, self._facts.name) as conversation:
                self._facts.processors = await count_processors(conversation)
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
        with ExitStack() as opened:
            fd = os.open(self._draft.draft, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            opened.callback(os.close, fd)
            begins = os.lseek(fd, 0, os.SEEK_END) - len(BEFORE)
            follower = Follower(fd, begins, self._facts.memory_kib)
            await follower.catch_up(begins + len(BEFORE))
            states: list[ModelState] = []

            async def suspend() -> None:
                if not self._facts.was_suspended:
                    await self._suspension.suspend(work)
                if self._has_machine:
                    states.append(await save_state(self._host, work, self._domid, self._facts.name))
                    opened.callback(states[0].close)

            async def write() -> None:
                with explained(f"write its memory to {one_line(self._facts.path)}", self._facts.name):
                    save = self._host.hypervisor.save
                    follower.checksum = await save(self._domid, fd, suspend, follower.checksum)

            await follower.beside(work, write)
            for state in states:
                state.write(fd)
            write_all(fd, AFTER)
            end = os.lseek(fd, 0, os.SEEK_CUR)
            await follower.catch_up(end)
            self._facts.length = end - begins
            self._facts.checksum = follower.checksum.value

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
            assert self._facts.checksum is not None
            await self._draft.place(self._front, self._facts.checksum, self._facts.length, fd=fd)
        finally:
            os.close(fd)

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
