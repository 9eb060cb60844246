"""Which domain a call means, and what is known of it."""

import time

import attrs

from xend.domain.registry import Domain
from xend.domain.restart import BETWEEN
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.operation.registry import Operations
from xend.refusals import explained
from xenstore.daemon.text import one_line
from xenstore.errors import ENOENT

DOM0 = 0


@attrs.frozen
class Target:
    """A domain of the host that lives.

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
    def uuid(self) -> str:
        return self.info.uuid

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


@attrs.frozen
class Between:
    """A domain between two lives: it has ended, and waits to be started again."""

    managed: Domain
    info: None = None
    domid: None = None

    @property
    def name(self) -> str:
        return self.managed.name

    @property
    def uuid(self) -> str:
        return self.managed.uuid

    @property
    def locks(self) -> list[str]:
        return self.managed.locks

    @property
    def last_domid(self) -> int | None:
        """The domid of its last life, or of the last try to begin one."""
        waiting = self.managed.waiting
        return self.managed.domid if waiting is None else waiting.domid

    def own(self, doing: str) -> Domain:
        """As of one that lives."""
        return self.managed

    def guest(self, doing: str) -> "Between":
        """As of one that lives."""
        return self

    def said(self, now: float) -> str:
        """What it waits for, for people; now: seconds since 1970."""
        waiting = self.managed.waiting
        if waiting is None:
            return "is being started again"
        how = f"{waiting.reason}, failed {_times(self.managed.restarts)}"
        left_s = waiting.left_s(now)
        if not left_s:
            return f"is being started again ({how})"
        at = time.strftime("%H:%M:%S", time.localtime(now + left_s))
        return f"waits for its next life ({how}): it is started again at {at}, in {left_s:.0f} s"


class Targets:
    """Finds domains."""

    def __init__(self, host: Host, operations: Operations) -> None:
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
                f"{target.name} {target.said(self._host.wall_clock())}",
                domain=target.name,
                hint=f"xl reboot {target.name} starts it now, xl destroy {target.name} ends it",
            )
        return target

    async def find_any(self, domain: str | int) -> Target | Between:
        """The same, of those between two lives too.

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
        if isinstance(target, Between):
            raise XendError(
                "name_in_use",
                f"domain {name} exists already: it {target.said(self._host.wall_clock())}",
                domain=name,
                hint=f"xl destroy {name} ends it; xl create of the file it was made of replaces it",
            )
        if target is not None and target.name == name:
            raise XendError(
                "name_in_use", f"domain {name} exists already (domid {target.domid})", domain=name
            )
        for other in [] if uuid is None else await self.all():
            if other.uuid == uuid:
                raise XendError(
                    "uuid_in_use", f"domain {other.name} has the UUID {uuid} already", domain=name
                )

    async def all(self) -> list[Target | Between]:
        """All domains of the host: those that live, by domid, then those between two lives, by name."""
        found: list[Target | Between] = []
        for info in (await self._infos()).values():
            known = self._host.domains.by_uuid(info.uuid)
            if known is None or known.domid == info.domid:  # otherwise what is left of an earlier life
                found.append(await self._target(info))
        shown = {each.uuid for each in found if each.managed is not None}
        for domain in self._host.domains.all():
            if domain.uuid not in shown and (missed := await self._managed(domain.uuid)) is not None:
                found.append(missed)
        return sorted(found, key=lambda each: (each.domid is None, each.domid or 0, each.name))

    async def _managed(self, domain: str | int) -> Target | Between | None:
        """One that this xend knows."""
        if isinstance(domain, int):
            return None
        domains = self._host.domains
        while (known := domains.by_name(domain) or domains.by_uuid(domain)) is not None:
            if known.domid is None:
                return Between(known)
            info = await self._info(known.domid)
            if info is not None and info.uuid == known.uuid:
                return Target(info, known.name, known)
            if domains.by_uuid(known.uuid) is known:
                return Between(known) if self._is_restarted(known) else None
        return None

    def _is_restarted(self, domain: Domain) -> bool:
        """Whether one whose life is over is on the way to its next, or was until it was told to end."""
        holder = self._operations.on_domain(f"uuid {domain.uuid}")
        return domain.final is not None or (holder is not None and holder.plan.kind in BETWEEN)

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
        return one_line(name.decode("utf-8", "replace"))


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
