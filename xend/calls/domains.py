"""domain.*"""

import uuid as uuids
from collections.abc import Awaitable, Callable
from typing import Any

from xend.bus.kinds import BYTES, DOMAIN, FLAG, LIST_OF_BYTES, SECONDS, TEXT
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.domain_map import DomainMaps
from xend.calls.lives import Lives
from xend.calls.starter import OperationStarter
from xend.config import DomainConfig
from xend.config.domain import parse
from xend.config.listing import as_json, without_secrets
from xend.config.problem import ConfigError
from xend.domain.change import prepare_rename
from xend.domain.create import CreateFacts
from xend.domain.host_stop import check_not_saved
from xend.domain.labels import with_labels
from xend.domain.placed import with_placing
from xend.domain.reconfigure import reconfigure_facts
from xend.domain.shutdown import ANSWER_SECONDS, RebootFacts, ShutdownFacts
from xend.domain.source import Source, addresses_of
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.kind import Effect
from xend.operation.running import Operation
from xend.refusals import explained

Result = dict[str, Any]
#: What says a configuration, and what says how a domain is made of it.
CONFIGURATION = {
    "text": required(BYTES),
    "name": optional(BYTES),
    "path": optional(BYTES),
    "directory": optional(BYTES),
    "extra": optional(LIST_OF_BYTES),
}
NEW_DOMAIN = {**CONFIGURATION, "ignore_masks": optional(FLAG)}
#: What ends a domain; whoever makes one of the same name waits for that.
ENDING = (Effect.DESTROYS, Effect.ENDS)


class DomainCalls:
    """The methods, over a host.

    acted_on: waits until what follows the end of a domain, by its domid, has been done; returns its warnings.
    """

    def __init__(
        self,
        host: Host,
        starter: OperationStarter,
        targets: Targets,
        maps: DomainMaps,
        acted_on: Callable[[int], Awaitable[list[Result]]],
    ) -> None:
        self._host = host
        self._maps = maps
        self._acted_on = acted_on
        self._starter = starter
        self._targets = targets
        self._lives = Lives(host, starter, targets, acted_on)

    def methods(self) -> list[Method]:
        """All of them."""
        domain, dry = {"domain": required(DOMAIN)}, {"dry_run": optional(FLAG)}
        one = {**domain, **dry, **OPERATION}
        stop = {**one, "wait": optional(FLAG), "force": optional(FLAG), "timeout_s": optional(SECONDS)}
        update = {**domain, **CONFIGURATION, **dry, **OPERATION}
        create = {**NEW_DOMAIN, "paused": optional(FLAG), **dry, **OPERATION}
        return [
            Method(
                "domain.list",
                "read",
                {"domain": optional(DOMAIN), "placing": optional(FLAG), "labels": optional(FLAG)},
                self.list_,
            ),
            Method("domain.config", "read", domain, self.config),
            Method("domain.create", "operate", create, self.create),
            Method("domain.update_config", "operate", update, self.update_config),
            Method("domain.destroy", "operate", one, self.destroy),
            Method("domain.shutdown", "operate", stop, self.shutdown),
            Method("domain.reboot", "operate", stop, self.reboot),
            Method("domain.rename", "operate", {**one, "name": required(TEXT)}, self.rename),
        ]

    async def list_(
        self, call: Call, domain: str | int | None = None, placing: bool = False, labels: bool = False
    ) -> list[Result]:
        found = await self._targets.all() if domain is None else [await self._targets.find_any(domain)]
        maps = [self._maps.of(target) for target in found]
        if placing:
            maps = await with_placing(self._host, maps)
        return await with_labels(self._host, maps) if labels else maps

    async def config(self, call: Call, domain: str | int) -> Result:
        target = await self._targets.find_any(domain)
        managed = target.require_managed("show the configuration of")
        config = managed.config if call.access == "operate" else without_secrets(managed.config)
        return as_json(config, target.domid, await self._cpus())

    async def create(
        self,
        call: Call,
        text: str,
        name: str | None = None,
        path: str | None = None,
        directory: str | None = None,
        extra: list[str] | None = None,
        paused: bool = False,
        ignore_masks: bool = False,
        **how: Any,
    ) -> Result:
        def made() -> tuple[Source, DomainConfig]:
            return self.source(text, name, path, directory, extra or [], ignore_masks)

        async def prepare() -> Facts:
            source, config = made()
            check_not_saved(self._host, config.name)
            if (replaced := await self._lives.replaced(config, source)) is not None:
                source = await self._lives.make_room(replaced, config, source)
            facts = creation(source, config.name)
            await self.await_room(facts, config.uuid)
            return facts

        def creation(source: Source, name: str) -> CreateFacts:
            return CreateFacts(name=name, uuid=source.uuid, source=source, paused=paused)

        if how.get("dry_run"):
            # Only what the configuration says, whatever runs: start scripts ask so for domains that are up.
            source, config = made()
            return await self.planned(creation(source, config.name))
        return await self._starter.run(prepare, **how)

    async def update_config(
        self,
        call: Call,
        domain: str | int,
        text: str,
        name: str | None = None,
        path: str | None = None,
        directory: str | None = None,
        extra: list[str] | None = None,
        **how: Any,
    ) -> Result:
        async def prepare() -> Facts:
            target = (await self._targets.find(domain)).require_guest("change the configuration of")
            managed = target.require_managed("change the configuration of")
            source, _ = self.source(
                text, name or managed.name, path, directory, extra or [], ignore_masks=False
            )
            source.uuid, source.defaults = managed.uuid, managed.source.defaults
            return reconfigure_facts(managed, source, target.identity)

        return await self._starter.run(prepare, **how)

    async def await_room(self, facts: CreateFacts, uuid: str | None, *, may_be_second: bool = False) -> None:
        """Wait for what ends a domain that is in the way of a new one, and see that none is then.

        uuid: that nobody else may have; None: it was chosen at random.
        may_be_second: another of ours may have the UUID, if not the whole identity.

        Raises:
            XendError: busy, name_in_use, uuid_in_use.
        """
        locks = self._starter.operations.locks_of(facts)
        await self._starter.wait_for_end(locks, ENDING)
        self._starter.operations.check_free(locks)
        await self._targets.check_unused(facts.name, uuid, may_be_second=may_be_second)

    async def planned(self, facts: CreateFacts) -> Result:
        """What a dry run of making a domain answers: its steps, and its configuration as libxl has it."""
        config = facts.source.config()
        return {
            "steps": self._starter.step_names(facts),
            "config": as_json(config, -1, await self._cpus())["config"],
            "warnings": [ConfigError([warning]).as_map() for warning in config.warnings],
        }

    async def _cpus(self) -> int:
        with explained("ask for the host's CPUs", "this host"):
            return (await self._host.hypervisor.host_info()).nr_cpus

    async def destroy(self, call: Call, domain: str | int, **how: Any) -> Result:
        async def prepare() -> Facts | Operation:
            target = (await self._targets.find_any(domain)).require_guest("destroy")
            return await self._lives.last(target, "ended between two lives", how.get("dry_run", False))

        return await self._starter.run(prepare, **how)

    async def shutdown(self, call: Call, domain: str | int, **how: Any) -> Result:
        return await self._stop(domain, ShutdownFacts, **how)

    async def reboot(self, call: Call, domain: str | int, **how: Any) -> Result:
        return await self._stop(domain, RebootFacts, **how)

    async def rename(self, call: Call, domain: str | int, name: str, **how: Any) -> Result:
        async def prepare() -> Facts:
            target = (await self._targets.find_any(domain)).require_guest("rename")
            facts = prepare_rename(target, name)
            await self._targets.check_unused(name, None)
            return facts

        return await self._starter.run(prepare, **how)

    # --- what they share ----------------------------------------------------------------------------------

    async def _stop(
        self,
        domain: str | int,
        made: type[ShutdownFacts],
        wait: bool = False,
        force: bool = False,
        timeout_s: float = ANSWER_SECONDS,
        **how: Any,
    ) -> Result:
        async def prepare() -> Facts | Operation:
            target = (await self._targets.find_any(domain)).require_guest("shut down")
            if not self._lives.is_between(target):
                assert isinstance(target, Target)
                self._check_hears(target, made.WORD)
                return made(**target.identity, wait=wait, force=force, timeout_s=timeout_s)
            if made.WORD == "reboot":
                return await self._lives.begin_next(target)
            return await self._lives.last(
                target, "asked to shut down between two lives", how.get("dry_run", False)
            )

        result = await self._starter.run(prepare, **how)
        # What begins a next life names that one's domid: the end of it is not awaited.
        is_awaited = wait and how.get("wait_for") is None and result.get("domid") is not None
        if is_awaited and self._starter.operations.find(result["operation"]).kind.facts is made:
            result["warnings"] += await self._acted_on(result["domid"])
        return result

    def _check_hears(self, target: Target, word: str) -> None:
        """See that a guest can be asked."""
        if target.info.is_shutdown or target.info.is_dying:
            raise XendError("wrong_state", f"{target.name} has shut down already", domain=target.name)
        if target.info.is_paused:
            raise XendError(
                "wrong_state",
                f"{target.name} is paused: it cannot hear a request to {word}",
                domain=target.name,
                hint=f"xl unpause {target.name}, or xl destroy {target.name}",
            )

    def source(
        self,
        text: str,
        name: str | None,
        path: str | None,
        directory: str | None,
        extra: list[str],
        ignore_masks: bool,
    ) -> tuple[Source, DomainConfig]:
        """What a domain is made of, and its configuration as far as that was given."""
        file = name or "configuration"
        config = parse(text, source=file, name=name, extra=extra, directory=directory)
        chance = self._host.random
        source = Source(
            text=text,
            file=file,
            name=name,
            path=path,
            directory=directory,
            extra=extra,
            uuid=config.uuid or str(uuids.UUID(int=chance.getrandbits(128), version=4)),
            addresses=addresses_of(config, chance),
            defaults=self._host.settings.defaults.given(without_masks=ignore_masks),
        )
        return source, config
