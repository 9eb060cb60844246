"""Which domain a call means, and what is known of it."""

from typing import Any

import attrs

from xend.domain.change import reason_name
from xend.domain.registry import Domain
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.operation.registry import Operations
from xend.refusals import explained
from xenstore.errors import ENOENT

DOM0 = 0


@attrs.frozen
class Target:
    """A domain of the host.

    Attributes:
        managed: what this xend knows of it; None: it was made by others.
    """

    info: DomainInfo
    name: str
    managed: Domain | None

    @property
    def domid(self) -> int:
        return self.info.domid

    @property
    def locks(self) -> list[str]:
        return [f"uuid {self.info.uuid}", f"name {self.name}"]

    def own(self, doing: str) -> Domain:
        """What this xend knows of it.

        Raises:
            XendError: wrong_state: nothing, as it is another toolstack's.
        """
        if self.managed is None:
            raise XendError(
                "wrong_state",
                f"{self.name} was not created by this xend, which cannot {doing} it",
                domain=self.name,
            )
        return self.managed

    def guest(self, doing: str) -> "Target":
        """The same; a call that would hit the host itself is refused.

        Raises:
            XendError: wrong_state.
        """
        if self.domid == DOM0:
            raise XendError("wrong_state", f"cannot {doing} Domain-0: it is this host", domain=self.name)
        return self


class Targets:
    """Finds domains."""

    def __init__(self, host: Host, operations: Operations) -> None:
        self._host = host
        self._operations = operations

    async def find(self, domain: str | int) -> Target:
        """By name, domid, digits that are no name, or UUID.

        Raises:
            XendError: no_such_domain.
        """
        target = await self._managed(domain) or await self._numbered(domain) or await self._stranger(domain)
        if target is None:
            raise XendError(
                "no_such_domain", f"domain {domain} does not exist", hint="xl list shows those that do"
            )
        return target

    async def check_unused(self, name: str, uuid: str | None) -> None:
        """See that no domain has this name, or this UUID, if one was asked for.

        Raises:
            XendError: name_in_use, uuid_in_use.
        """
        target = await self._managed(name) or await self._named_by_others(name)
        if target is not None and target.name == name:
            raise XendError(
                "name_in_use", f"domain {name} exists already (domid {target.domid})", domain=name
            )
        for other in [] if uuid is None else await self.all():
            if other.info.uuid == uuid:
                raise XendError(
                    "uuid_in_use", f"domain {other.name} has the UUID {uuid} already", domain=name
                )

    async def all(self) -> list[Target]:
        """All domains of the host, by domid."""
        return [await self._target(info) for info in (await self._infos()).values()]

    def as_map(self, target: Target) -> dict[str, Any]:
        """The domain map of docs/bus.md."""
        info, domain = target.info, target.managed
        operation = self._operations.on_domain(f"uuid {info.uuid}")
        start = None if domain is None else domain.start_time
        return {
            "domid": info.domid,
            "name": target.name,
            "uuid": info.uuid,
            "type": "pv" if domain is None else domain.config.type,
            "memory_kib": info.memory_kib,
            "outstanding_kib": info.outstanding_kib,
            "max_memory_kib": info.max_memory_kib,
            "vcpus": info.vcpus,
            "max_vcpus": info.max_vcpus,
            "cpu_time_ns": info.cpu_time_ns,
            "running": info.is_running,
            "blocked": info.is_blocked,
            "paused": info.is_paused,
            "shutdown": info.is_shutdown,
            "dying": info.is_dying,
            "shutdown_reason": info.shutdown_reason,
            "start_time": start,
            "uptime_s": None if start is None else max(0.0, self._host.wall_clock() - start),
            "state": _state(info, None if operation is None else operation.plan.kind, domain),
            "operation": None if operation is None else operation.id,
            "devices": [] if domain is None else self._devices(domain),
        }

    def _devices(self, domain: Domain) -> list[dict[str, Any]]:
        return [
            {
                "kind": device.kind,
                "devid": device.devid,
                "name": device.name,
                "state": int(self._host.backends.state(device)),
            }
            for device in self._host.backends.of_domain(domain.domid)
        ]

    async def _managed(self, domain: str | int) -> Target | None:
        if isinstance(domain, int):
            return None
        known = self._host.domains.by_name(domain) or self._host.domains.by_uuid(domain)
        info = None if known is None else await self._info(known.domid)
        if known is None or info is None or info.uuid != known.uuid:
            return None
        return Target(info, known.name, known)

    async def _numbered(self, domain: str | int) -> Target | None:
        if isinstance(domain, str) and not (domain.isascii() and domain.isdigit() and len(domain) < 6):
            return None
        info = await self._info(int(domain))
        return None if info is None else await self._target(info)

    async def _stranger(self, domain: str | int) -> Target | None:
        for info in (await self._infos()).values():
            is_ours = self._host.domains.get(info.domid) is not None
            if info.uuid == domain or (not is_ours and await self._name(info.domid) == domain):
                return await self._target(info)
        return None

    async def _named_by_others(self, name: str) -> Target | None:
        """The domain that another toolstack gave this name in the store.

        Not of a list of all domains, which is long where there are many: this is asked for each that is made.
        """
        with explained("list the domains of the store", name):
            names = await self._host.store.directory("/local/domain")
        for domid in map(int, filter(str.isdecimal, names)):
            if self._host.domains.get(domid) is None and await self._name(domid) == name:
                return await self._numbered(domid)
        return None

    async def _info(self, domid: int) -> DomainInfo | None:
        with explained("look at a domain", str(domid)):
            return await self._host.hypervisor.domain(domid)

    async def _infos(self) -> dict[int, DomainInfo]:
        with explained("list domains", "this host"):
            return {info.domid: info for info in await self._host.hypervisor.domains()}

    async def _target(self, info: DomainInfo) -> Target:
        domain = self._host.domains.get(info.domid)
        if domain is not None and domain.uuid == info.uuid:
            return Target(info, domain.name, domain)
        return Target(info, await self._name(info.domid), None)

    async def _name(self, domid: int) -> str:
        """What the store says of a domain that is not ours."""
        try:
            with explained("read a domain's name", str(domid)):
                name = await self._host.store.read(f"/local/domain/{domid}/name")
        except XendError as error:
            if isinstance(error.__cause__, ENOENT):
                return "Domain-0" if domid == DOM0 else "(null)"
            raise
        return name.decode("utf-8", "replace")


def _state(info: DomainInfo, kind: str | None, domain: Domain | None) -> str:
    if kind == "domain.create":
        return "creating"
    if kind in ("domain.destroy", "domain.reap", "domain.dump"):
        return "destroying"
    if kind in ("domain.restart", "domain.soft_reset"):
        return "restarting"
    if info.is_dying:
        return "dying"
    if info.is_shutdown:
        return "crashed" if reason_name(info) == "crash" else "shutdown"
    if domain is not None and domain.awaited:
        return "shutting-down"
    return "paused" if info.is_paused else "running"
