"""domain.*"""

import uuid as uuids
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from xend.bus.kinds import BYTES, DOMAIN, FLAG, LIST_OF_BYTES, NUMBER, SECONDS, TEXT
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.domain_map import DomainMaps
from xend.calls.lives import DESTROYING, Lives
from xend.calls.operating import Operating
from xend.calls.targets import Between, Target, Targets
from xend.config import DomainConfig
from xend.config.domain import parse
from xend.config.listing import as_json
from xend.config.name import name_complaint
from xend.config.problem import ConfigError
from xend.device.vif import random_mac
from xend.domain import change
from xend.domain.create import create_plan
from xend.domain.source import Source
from xend.errors import XendError
from xend.host import Host
from xend.operation.running import Operation
from xend.operation.steps import Plan

Result = dict[str, Any]
#: Kinds that end a domain; whoever makes one of the same name waits for them.
ENDING = (*DESTROYING, "domain.stop", "domain.dump")


class DomainCalls:
    """The methods, over a host.

    acted_on: waits until what follows the end of a domain, by its domid, has been done; returns its warnings.
    """

    def __init__(
        self,
        host: Host,
        operating: Operating,
        targets: Targets,
        maps: DomainMaps,
        acted_on: Callable[[int], Awaitable[list[Result]]],
    ) -> None:
        self._host = host
        self._maps = maps
        self._acted_on = acted_on
        self._operating = operating
        self._targets = targets
        self._lives = Lives(host, operating, targets, acted_on)

    def methods(self) -> list[Method]:
        """All of them."""
        domain, dry = {"domain": required(DOMAIN)}, {"dry_run": optional(FLAG)}
        one = {**domain, **dry, **OPERATION}
        stop = {**one, "wait": optional(FLAG), "force": optional(FLAG), "timeout_s": optional(SECONDS)}
        create = {
            "text": required(BYTES),
            "name": optional(BYTES),
            "path": optional(BYTES),
            "directory": optional(BYTES),
            "extra": optional(LIST_OF_BYTES),
            "paused": optional(FLAG),
            **dry,
            **OPERATION,
        }
        return [
            Method("domain.list", "read", {"domain": optional(DOMAIN)}, self.list_),
            Method("domain.config", "read", domain, self.config),
            Method("domain.create", "operate", create, self.create),
            Method("domain.pause", "operate", one, self.pause),
            Method("domain.unpause", "operate", one, self.unpause),
            Method("domain.destroy", "operate", one, self.destroy),
            Method("domain.shutdown", "operate", stop, self.shutdown),
            Method("domain.reboot", "operate", stop, self.reboot),
            Method("domain.rename", "operate", {**one, "name": required(TEXT)}, self.rename),
            Method("domain.set_memory", "operate", {**one, "target_kib": required(NUMBER)}, self.set_memory),
            Method("domain.sysrq", "operate", {**one, "letter": required(TEXT)}, self.sysrq),
        ]

    async def list_(self, call: Call, domain: str | int | None = None) -> list[Result]:
        found = await self._targets.all() if domain is None else [await self._targets.find_any(domain)]
        return [self._maps.of(target) for target in found]

    async def config(self, call: Call, domain: str | int) -> Result:
        target = await self._targets.find_any(domain)
        managed = target.own("show the configuration of")
        return as_json(managed.config, target.domid)

    async def create(
        self,
        call: Call,
        text: str,
        name: str | None = None,
        path: str | None = None,
        directory: str | None = None,
        extra: list[str] | None = None,
        paused: bool = False,
        **how: Any,
    ) -> Result:
        def made(source: Source) -> Plan:
            return create_plan(self._host, {"source": attrs.asdict(source), "paused": paused})

        async def plan() -> tuple[Plan, list[str]]:
            source, config = self._source(text, name, path, directory, extra or [])
            if (replaced := await self._lives.replaced(config, source)) is not None:
                source = await self._lives.make_room(replaced, config, source)
            creation = made(source)
            locks = [f"uuid {source.uuid}", f"name {creation.domain}"]
            await self._operating.wait_for_end(locks, ENDING)
            self._operating.check_free(locks)
            await self._targets.check_unused(creation.domain, config.uuid)
            return creation, locks

        if how.get("dry_run"):
            # Only what the configuration says, whatever runs: start scripts ask so for domains that are up.
            source, _ = self._source(text, name, path, directory, extra or [])
            config = source.config()
            return {
                "steps": [step.name for step in made(source).steps],
                "config": as_json(config, -1)["config"],
                "warnings": [ConfigError([warning]).as_map() for warning in config.warnings],
            }
        return await self._operating.operate(plan, **how)

    async def pause(self, call: Call, domain: str | int, **how: Any) -> Result:
        return await self._on_guest(
            domain, "pause", lambda t: change.pause_plan(self._host, _facts(t)), **how
        )

    async def unpause(self, call: Call, domain: str | int, **how: Any) -> Result:
        return await self._on_guest(
            domain, "unpause", lambda target: change.unpause_plan(self._host, _facts(target)), **how
        )

    async def destroy(self, call: Call, domain: str | int, **how: Any) -> Result:
        async def plan() -> tuple[Plan, list[str]] | Operation:
            target = (await self._targets.find_any(domain)).guest("destroy")
            return await self._lives.last(target, "ended between two lives", how.get("dry_run", False))

        return await self._operating.operate(plan, **how)

    async def shutdown(self, call: Call, domain: str | int, **how: Any) -> Result:
        return await self._stop(domain, "domain.shutdown", "poweroff", **how)

    async def reboot(self, call: Call, domain: str | int, **how: Any) -> Result:
        return await self._stop(domain, "domain.reboot", "reboot", **how)

    async def rename(self, call: Call, domain: str | int, name: str, **how: Any) -> Result:
        async def plan() -> tuple[Plan, list[str]]:
            target = (await self._targets.find_any(domain)).guest("rename")
            target.own("rename")
            complaint = name_complaint(name)
            if complaint is not None:
                raise XendError("bad_request", f"name {name!r}: {complaint}", domain=target.name)
            await self._targets.check_unused(name, None)
            facts = {**_facts(target), "new": name}
            return change.rename_plan(self._host, facts), [*target.locks, f"name {name}"]

        return await self._operating.operate(plan, **how)

    async def set_memory(self, call: Call, domain: str | int, target_kib: int, **how: Any) -> Result:
        async def plan() -> tuple[Plan, list[str]]:
            target = (await self._targets.find(domain)).guest("set the memory of")
            managed = target.own("set the memory of")
            free_kib = (await self._host.hypervisor.host_info()).free_memory_kib
            change.check_target(managed, target_kib, target.info.memory_kib, free_kib)
            facts = {**_facts(target), "target_kib": target_kib, "old_kib": target.info.memory_kib}
            return change.memory_plan(self._host, facts), target.locks

        return await self._operating.operate(plan, **how)

    async def sysrq(self, call: Call, domain: str | int, letter: str, **how: Any) -> Result:
        if len(letter) != 1 or not letter.isascii() or not letter.isalnum():
            raise XendError("bad_request", f"sysrq {letter!r}: one letter or digit was expected")

        def plan(target: Target) -> Plan:
            return change.sysrq_plan(self._host, {**_facts(target), "letter": letter})

        return await self._on_guest(domain, "send a sysrq to", plan, **how)

    # --- what they share ----------------------------------------------------------------------------------

    async def _stop(
        self,
        domain: str | int,
        kind: str,
        word: str,
        wait: bool = False,
        force: bool = False,
        timeout_s: float = change.ANSWER_SECONDS,
        **how: Any,
    ) -> Result:
        async def plan() -> tuple[Plan, list[str]] | Operation:
            target = (await self._targets.find_any(domain)).guest("shut down")
            if not self._lives.is_between(target):
                assert isinstance(target, Target)
                facts = {**_facts(target), "word": word, "wait": wait, "force": force, "timeout_s": timeout_s}
                self._check_hears(target, word)
                return change.shutdown_plan(self._host, facts, kind), target.locks
            if word == "reboot":
                return await self._lives.begin_next(target)
            return await self._lives.last(
                target, "asked to shut down between two lives", how.get("dry_run", False)
            )

        result = await self._operating.operate(plan, **how)
        # What begins a next life names that one's domid: the end of it is not awaited.
        is_awaited = wait and how.get("wait_for") is None and result.get("domid") is not None
        if is_awaited and self._operating.kind(result["operation"]) == kind:
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

    async def _on_guest(
        self, domain: str | int, doing: str, make: Callable[[Target], Plan], **how: Any
    ) -> Result:
        async def plan() -> tuple[Plan, list[str]]:
            target = (await self._targets.find(domain)).guest(doing)
            return make(target), target.locks

        return await self._operating.operate(plan, **how)

    def _source(
        self, text: str, name: str | None, path: str | None, directory: str | None, extra: list[str]
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
            macs=[vif.mac or random_mac(chance) for vif in config.vifs],
        )
        return source, config


def _facts(target: Target | Between) -> dict[str, Any]:
    return {"domid": target.domid, "name": target.name, "uuid": target.uuid}
