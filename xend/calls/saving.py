"""domain.save and domain.restore: what is in a file, and what a configuration that comes with it replaces."""

import os
from typing import Any

import attrs
import trio

from xend.bus.kinds import BYTES, DOMAIN, FLAG
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.domains import CONFIGURATION, ENDING, DomainCalls
from xend.calls.starter import OperationStarter
from xend.device.kinds import KINDS
from xend.domain.cpu_features import check_features
from xend.domain.host_stop import check_not_saved, waiting_path
from xend.domain.restore import RestoreFacts, restore_facts
from xend.domain.save import Then, save_facts
from xend.domain.saved_file import SMALL_BYTES, SavedDomain, read
from xend.domain.source import Source
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.identity import free_identity, uuid_of
from xend.operation.facts import Facts
from xend.operation.locks import uuid_lock
from xenstore.daemon.text import one_line

Result = dict[str, Any]


class SavingCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, starter: OperationStarter, targets: Targets, domains: DomainCalls) -> None:
        self._host = host
        self._starter = starter
        self._targets = targets
        self._domains = domains

    def methods(self) -> list[Method]:
        """All of them."""
        file = {"file": required(BYTES), **CONFIGURATION, "text": optional(BYTES)}
        how = {**file, "dry_run": optional(FLAG), **OPERATION}
        save = {"domain": required(DOMAIN), "checkpoint": optional(FLAG), "paused": optional(FLAG), **how}
        return [
            Method("domain.save", "operate", save, self.save),
            Method("domain.restore", "operate", {"paused": optional(FLAG), **how}, self.restore),
        ]

    async def save(
        self,
        call: Call,
        domain: str | int,
        file: str,
        checkpoint: bool = False,
        paused: bool = False,
        text: str | None = None,
        name: str | None = None,
        path: str | None = None,
        directory: str | None = None,
        extra: list[str] | None = None,
        **how: Any,
    ) -> Result:
        async def prepare() -> Facts:
            target = (await self._targets.find(domain)).require_guest("save")
            managed = target.require_managed("save")
            source = managed.source
            if text is not None:
                source = self._replaced(source, text, name, path, directory, extra)
            then: Then = "pause" if paused else "resume" if checkpoint else "destroy"
            return await save_facts(self._host, target, managed, file, then, source)

        return await self._starter.run(prepare, **how)

    async def restore(
        self,
        call: Call,
        file: str,
        paused: bool = False,
        text: str | None = None,
        name: str | None = None,
        path: str | None = None,
        directory: str | None = None,
        extra: list[str] | None = None,
        **how: Any,
    ) -> Result:
        async def found(wait: bool) -> RestoreFacts:
            saved = await self._read(file)
            if wait and await self._original_ends(saved.source):
                saved = await self._read(file)
            if text is not None:
                source = self._replaced(saved.source, text, name, path, directory, extra)
                saved = attrs.evolve(saved, source=source, left_out=())
            identity = self._identity(saved.source)
            saved = attrs.evolve(saved, source=attrs.evolve(saved.source, uuid=identity))
            await check_features(self._host, saved.source.config().name, saved.memory)
            return restore_facts(self._host, saved, file, paused)

        async def prepare() -> Facts:
            facts = await found(wait=True)
            if os.path.realpath(waiting_path(self._host, facts.name)) != os.path.realpath(file):
                check_not_saved(self._host, facts.name)
            await self._domains.await_room(facts, facts.uuid, may_be_second=True)
            return facts

        if how.get("dry_run"):
            return await self._domains.planned(await found(wait=False))
        return await self._starter.run(prepare, **how)

    async def _original_ends(self, source: Source) -> bool:
        """Wait for what saves or ends the domain itself, which has its disks until then; whether it did."""
        locks = [uuid_lock(uuid_of(source.uuid))]
        holder = self._starter.operations.holder(locks)
        await self._starter.wait_for_end(locks, ENDING)
        return holder is not None and holder.kind.effect in ENDING

    def _identity(self, source: Source) -> str:
        """That of the restored domain: its UUID, unless a domain of another name has it by now."""
        name = source.config().name

        def is_free(identity: str) -> bool:
            known = self._host.domains.by_uuid(identity)
            holder = self._starter.operations.holder([uuid_lock(identity)])
            names = {known and known.name, holder and holder.domain}
            return names <= {None, name}

        return free_identity(uuid_of(source.uuid), is_free)

    async def _read(self, file: str) -> SavedDomain:
        if not file.startswith("/") or "\0" in file:
            raise XendError("bad_request", f"file {one_line(file)!r}: an absolute path was expected")
        try:
            size = os.stat(file).st_size
        except OSError as error:
            reason = error.strerror or str(error)
            raise XendError("bad_request", f"{one_line(file)} cannot be read: {reason}") from error
        if size < SMALL_BYTES:
            return read(file, self._host.random)
        return await trio.to_thread.run_sync(read, file, self._host.random)

    def _replaced(
        self,
        before: Source,
        text: str,
        name: str | None,
        path: str | None,
        directory: str | None,
        extra: list[str] | None,
    ) -> Source:
        """What a configuration says in the place of another one, whose UUID and addresses it keeps where it
        is silent: it is the same domain."""
        source, config = self._domains.source(text, name, path, directory, extra or [], ignore_masks=False)
        old = before.config()
        if config.uuid is None:
            source.uuid = before.uuid
        for kind, devices in config.devices.items():
            if (address := KINDS[kind].address) is None:
                continue
            known = {device.devid: getattr(device, address.key) for device in old.of_kind(kind)}
            source.addresses[kind] = [
                getattr(device, address.key) or known.get(device.devid) or chosen
                for device, chosen in zip(devices, source.addresses[kind], strict=True)
            ]
        return source
