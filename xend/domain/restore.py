"""domain.restore: a saved domain goes on, as a new one with the same memory, on new rings and devices.

The file stays.  Until the domain runs, what fails leaves nothing of it; from then on there is no way back:
what has run has changed its disks, and the file is older than these.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import attrs

from xend.config import DomainConfig
from xend.config.place import listed
from xend.device.kinds import IN_ORDER
from xend.domain.blueprint import image_of
from xend.domain.create import CreateFacts, Creation
from xend.domain.device_model import start_model
from xend.domain.following import Follower
from xend.domain.host_stop import is_waiting, put_away_path
from xend.domain.model_rights import require_shut_in
from xend.domain.model_state import Incoming
from xend.domain.registry import Domain
from xend.domain.saved_file import SavedDomain, open_file, sync_directory
from xend.errors import XendError
from xend.host import Host
from xend.identity import uuid_of
from xend.model.scratch import Scratch
from xend.operation.steps import Step, Work, nothing
from xend.stream import records
from xend.stream.emulator import Emulator
from xend.validators import count, texts, typed, word, word_or_none
from xenstore.daemon.text import one_line


@attrs.define(kw_only=True)
class RestoreFacts(CreateFacts):
    """Those of domain.restore.

    Attributes:
        path: of the file, absolute.
        begins: where in it the memory begins; after, end: of what the checksum is of.
        memory_kib: how much the domain had.
        checksum: None: none was written.
        state_begins, state_bytes: where the state of its device model lies, if it plays a machine.
        nodes: what that had below its own place in the store.
        processors: how many its machine had; None: as many as its configuration says.
        connected: keys of the devices that its guest had connected.
        left_out: options of the file's configuration that have no effect.
        uses_up: the file is removed once the domain runs: it would ruin its disks if it were restored again.
    """

    KIND = "domain.restore"

    path: str = attrs.field(validator=typed(str))
    begins: int = attrs.field(validator=word)
    after: int = attrs.field(validator=word)
    end: int = attrs.field(validator=word)
    memory_kib: int = attrs.field(validator=count)
    checksum: int | None = attrs.field(default=None, validator=word_or_none)
    state_begins: int = attrs.field(default=0, validator=word)
    state_bytes: int = attrs.field(default=0, validator=count)
    nodes: dict[str, str] = attrs.field(factory=dict, validator=typed(dict))
    processors: int | None = attrs.field(default=None, validator=attrs.validators.optional(count))
    connected: list[str] = attrs.field(factory=list, validator=texts)
    left_out: list[str] = attrs.field(factory=list, validator=texts)
    uses_up: bool = attrs.field(default=False, validator=typed(bool))


def restore_facts(host: Host, saved: SavedDomain, path: str, paused: bool) -> RestoreFacts:
    """What is known before it begins.

    Raises:
        XendError: bad_config: the configuration is wrong, or of another type than what was saved.
    """
    config, emulator = saved.source.config(), saved.emulator or Emulator()
    found = _type_of(saved)
    if config.type != found:
        raise XendError(
            "bad_config",
            f"{one_line(path)} holds the memory of a {found} domain, its configuration is of a "
            f"{config.type} one",
            domain=config.name,
        )
    return RestoreFacts(
        name=config.name,
        uuid=saved.source.uuid,
        source=saved.source,
        paused=paused,
        path=path,
        begins=saved.memory.begins,
        after=saved.after,
        end=saved.end,
        memory_kib=saved.memory_kib,
        checksum=saved.checksum,
        state_begins=emulator.begins,
        state_bytes=emulator.length,
        nodes=dict(emulator.nodes),
        processors=saved.processors,
        connected=list(saved.connected),
        left_out=list(saved.left_out),
        uses_up=is_waiting(host, path),
    )


def _type_of(saved: SavedDomain) -> str:
    if saved.memory.type == records.PV:
        return "pv"
    return "pvh" if saved.emulator is None else "hvm"


def restore_steps(host: Host, facts: RestoreFacts) -> list[Step]:
    """The steps of domain.restore."""
    return Restoration(host, facts).steps(paused=facts.paused)


class Restoration(Creation):
    """The steps that make a domain of a file."""

    facts: RestoreFacts

    def __init__(self, host: Host, facts: RestoreFacts) -> None:
        super().__init__(host, facts)

    def steps(self, *, paused: bool) -> list[Step]:
        """From the domain's start on none has an undo: there is no way back then."""
        check, *others = super().steps(paused=paused)
        steps = [attrs.evolve(check, undo=nothing), *others]
        if not self.facts.uses_up:
            return steps
        first_without = len(steps) if paused else len(steps) - 1
        steps.insert(first_without, Step("put-away", "put its file away", self.put_away, self.put_back))
        return [*steps, Step("remove-file", "remove its file", self.remove_file, on_failure="go on")]

    async def check(self, work: Work) -> None:
        if self.is_machine:
            require_shut_in(self.host.settings.platform, self.config, self.parts())
        await super().check(work)
        if self.facts.left_out:
            work.warn(
                XendError(
                    "unsupported",
                    f"{listed(self.facts.left_out, 'and')} of another toolstack's file has no effect: which "
                    "device model (qemu) runs in dom0, and how, is no matter of a file",
                    domain=self.config.name,
                    hint="a configuration says it: xl restore CONFIGURATION FILE",
                )
            )
        for other in self.host.domains.all():
            if other.uuid == self.source.uuid or uuid_of(other.uuid) != uuid_of(self.source.uuid):
                continue
            if shared := sorted(addresses(self.config) & addresses(other.config)):
                work.warn(
                    XendError(
                        "bad_config",
                        f"{self.config.name} and {other.name}, a copy of which it is, both have "
                        f"{listed(shared, 'and')}",
                        domain=self.config.name,
                        hint="another mac = ... in a configuration of its own tells them apart on a network",
                    )
                )

    def building(self) -> list[Step]:
        return [Step("restore", "restore its memory", self.restore, nothing)]

    def record(self, domid: int) -> Domain:
        return attrs.evolve(super().record(domid), reconnecting=list(self.facts.connected))

    def check_image(self) -> str | None:
        """Of what it booted nothing is needed until its next life."""
        return None

    def claimed_kib(self) -> int:
        return min(self.facts.memory_kib, self.config.max_memory_kib)

    async def restore(self, work: Work) -> None:
        image = await image_of(self.host, self.source.uuid, self.config)
        with self._reading(), ExitStack() as opened:
            fd = open_file(self.facts.path)
            opened.callback(os.close, fd)
            os.lseek(fd, self.facts.begins, os.SEEK_SET)
            follower = Follower(fd, self.facts.after, self.facts.memory_kib)
            await follower.catch_up(self.facts.begins)

            async def read() -> None:
                with self._explained(f"restore its memory from {one_line(self.facts.path)}"):
                    restore = self.host.hypervisor.restore
                    rings, follower.checksum = await restore(self.domid, fd, image, follower.checksum)
                    self.facts.rings = rings

            await follower.beside(work, read)
            await follower.catch_up(self.facts.end)
            await self.limit_memory(self.claimed_kib())
        if self.facts.checksum not in (None, follower.checksum.value):
            raise XendError(
                "bad_request",
                f"{one_line(self.facts.path)} is damaged: its checksum is {follower.checksum.value:016x}, "
                f"{self.facts.checksum:016x} was written",
                domain=self.config.name,
                hint="a copy of it, or of the domain's disks, is needed",
            )
        path = one_line(self.facts.path)
        self.host.publish(
            "domain", "restored", domid=self.domid, name=self.config.name, uuid=self.source.uuid, path=path
        )

    async def start_model(self, work: Work) -> None:
        if not self.is_machine:
            await super().start_model(work)
            return
        facts = self.facts
        with self._reading(), ExitStack() as opened:
            fd = open_file(facts.path)
            opened.callback(os.close, fd)
            scratch = Scratch(self.host.models.place(self.domid).directory, facts.state_bytes)
            opened.callback(scratch.close)
            scratch.take(fd, facts.state_begins, facts.state_bytes)
            scratch.seal()
            incoming = Incoming(scratch.fd, facts.nodes, facts.processors)
            await start_model(self.host, self.config, self.parts(), self.source.uuid, self.domid, incoming)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What is wrong with the file as a file is a refusal."""
        try:
            yield
        except OSError as error:
            message = f"{one_line(self.facts.path)} cannot be read: {error.strerror or error}"
            raise XendError("bad_request", message, domain=self.config.name) from error

    async def put_away(self, work: Work) -> None:
        """Whatever happens from here on, no other xend takes the file for one that waits."""
        try:
            with suppress(FileNotFoundError):  # as xend died here
                os.rename(self.facts.path, put_away_path(self.facts.path))
            sync_directory(os.path.dirname(self.facts.path))
        except OSError as error:
            raise self._stays(error) from error

    async def put_back(self, work: Work) -> None:
        try:
            with suppress(FileNotFoundError):
                os.rename(put_away_path(self.facts.path), self.facts.path)
        except OSError as error:
            raise self._stays(error) from error

    async def remove_file(self, work: Work) -> None:
        try:
            with suppress(FileNotFoundError):
                os.unlink(put_away_path(self.facts.path))
        except OSError as error:
            raise self._stays(error) from error

    def _stays(self, error: OSError) -> XendError:
        message = f"{one_line(self.facts.path)} cannot be removed: {error.strerror or error}"
        return XendError("bad_request", message, domain=self.config.name)


def addresses(config: DomainConfig) -> set[str]:
    """Those by which its devices are known elsewhere: MAC addresses, mostly."""
    return {
        getattr(device, kind.address.key)
        for kind in IN_ORDER
        if kind.address is not None
        for device in config.of_kind(kind.name)
    }
