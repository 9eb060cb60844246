"""Which domain a call means: by name, domid or UUID."""

from xend.domain.registry import Domain
from xend.domain.target import DOM0, Between, Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.identity import is_domain, uuid_of
from xend.operation.kind import Effect
from xend.operation.locks import uuid_lock
from xend.operation.registry import OperationRegistry
from xend.refusals import explained
from xenstore.daemon.text import one_line
from xenstore.errors import ENOENT


class Targets:
    """Finds domains of this host, those of other toolstacks too."""

    def __init__(self, host: Host, operations: OperationRegistry) -> None:
        self._host = host
        self._operations = operations

    async def find(self, domain: str | int) -> Target:
        """One that lives, by name, domid, digits that are no name, or UUID.

        Raises:
            XendError: no_such_domain; wrong_state: it is between two lives.
        """
        target = await self.find_any(domain)
        if isinstance(target, Between):
            raise XendError(
                "wrong_state",
                f"{target.name} {target.described(self._host.wall_clock())}",
                domain=target.name,
                hint=f"xl reboot {target.name} starts it now, xl destroy {target.name} ends it",
            )
        return target

    async def find_any(self, domain: str | int) -> Target | Between:
        """The same, of those between two lives too.

        Raises:
            XendError: no_such_domain.
        """
        target = (
            await self._find_managed(domain)
            or await self._find_numbered(domain)
            or await self._find_unmanaged(domain)
        )
        if target is None:
            raise XendError(
                "no_such_domain", f"domain {domain} does not exist", hint="xl list shows those that do"
            )
        return target

    async def check_unused(self, name: str, uuid: str | None, *, may_be_second: bool = False) -> None:
        """See that no domain has this name, or this UUID, if one was asked for.

        may_be_second: another one of ours may have the UUID, if not the whole identity.

        Raises:
            XendError: name_in_use, uuid_in_use.
        """
        target = await self._find_managed(name) or await self._find_named_by_others(name)
        if isinstance(target, Between):
            raise XendError(
                "name_in_use",
                f"domain {name} exists already: it {target.described(self._host.wall_clock())}",
                domain=name,
                hint=f"xl destroy {name} ends it; xl create of the file it was made of replaces it",
            )
        if target is not None and target.name == name:
            raise XendError(
                "name_in_use", f"domain {name} exists already (domid {target.domid})", domain=name
            )
        for other in [] if uuid is None else await self.all():
            if may_be_second and other.managed is not None and other.uuid != uuid:
                continue
            if uuid_of(other.uuid) == uuid_of(uuid or ""):
                raise XendError(
                    "uuid_in_use",
                    f"domain {other.name} has the UUID {uuid_of(other.uuid)} already",
                    domain=name,
                )

    async def all(self) -> list[Target | Between]:
        """All domains of the host: those that live, by domid, then those between two lives, by name."""
        found: list[Target | Between] = []
        for info in (await self._infos()).values():
            known = self._host.domains.by_uuid(info.uuid)
            ours = self._host.domains.get(info.domid)
            # Otherwise what is left of an earlier life.
            if known is None or known.domid == info.domid or (ours and is_domain(info, ours.uuid)):
                found.append(await self._target(info))
        shown = {each.uuid for each in found if each.managed is not None}
        for domain in self._host.domains.all():
            if domain.uuid not in shown and (missed := await self._find_managed(domain.uuid)) is not None:
                found.append(missed)
        return sorted(found, key=lambda each: (each.domid is None, each.domid or 0, each.name))

    async def _find_managed(self, domain: str | int) -> Target | Between | None:
        """One that this xend knows."""
        if isinstance(domain, int):
            return None
        domains = self._host.domains
        while (known := domains.by_name(domain) or domains.by_uuid(domain)) is not None:
            if known.domid is None:
                return Between(known)
            info = await self._info(known.domid)
            if is_domain(info, known.uuid):
                return Target(info, known.name, known)
            if domains.by_uuid(known.uuid) is known:
                return Between(known) if self._is_restarted(known) else None
        return None

    def _is_restarted(self, domain: Domain) -> bool:
        """Whether one whose life is over is on the way to its next, or was until it was told to end."""
        holder = self._operations.holder([uuid_lock(domain.uuid)])
        return domain.final is not None or (holder is not None and holder.kind.effect is Effect.RESTARTS)

    async def _find_numbered(self, domain: str | int) -> Target | None:
        if isinstance(domain, str) and not (domain.isascii() and domain.isdigit() and len(domain) < 6):
            return None
        info = await self._info(int(domain))
        return None if info is None else await self._target(info)

    async def _find_unmanaged(self, domain: str | int) -> Target | None:
        for info in (await self._infos()).values():
            is_ours = self._host.domains.get(info.domid) is not None
            if info.uuid == domain or (not is_ours and await self._name(info.domid) == domain):
                return await self._target(info)
        return None

    async def _find_named_by_others(self, name: str) -> Target | None:
        """The domain that another toolstack gave this name in the store.

        Not of a list of all domains, which is long where there are many: this is asked for each that is made.
        """
        with explained("list the domains of the store", name):
            names = await self._host.store.directory("/local/domain")
        for domid in map(int, filter(str.isdecimal, names)):
            if self._host.domains.get(domid) is None and await self._name(domid) == name:
                return await self._find_numbered(domid)
        return None

    async def _info(self, domid: int) -> DomainInfo | None:
        with explained("look at a domain", str(domid)):
            return await self._host.hypervisor.domain(domid)

    async def _infos(self) -> dict[int, DomainInfo]:
        with explained("list domains", "this host"):
            return {info.domid: info for info in await self._host.hypervisor.domains()}

    async def _target(self, info: DomainInfo) -> Target:
        domain = self._host.domains.get(info.domid)
        if domain is not None and is_domain(info, domain.uuid):
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
        return one_line(name.decode("utf-8", "replace"))
