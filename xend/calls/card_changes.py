"""pci.attach and pci.detach: PCI functions of the host come into a domain that runs, and leave it."""

from collections.abc import Sequence
from typing import Any

from xend.bus.kinds import DOMAIN, FLAG, SPEC
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.starter import OperationStarter
from xend.config.hardware import NO_PASSTHROUGH
from xend.config.pci import PciConfig, parse_pci_of_call
from xend.domain.card_change import PciAttachFacts, PciDetachFacts
from xend.domain.card_checks import functions_of_items
from xend.domain.cards_there import FunctionThere, functions_there
from xend.domain.registry import Domain
from xend.domain.source import Spec
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.pci.assignable import busy
from xend.pci.noted import Noted
from xend.refusals import explained

Result = dict[str, Any]


class CardChangeCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, starter: OperationStarter, targets: Targets) -> None:
        self._host = host
        self._starter = starter
        self._targets = targets

    def methods(self) -> list[Method]:
        """Both of them."""
        which = {"domain": required(DOMAIN), "spec": required(SPEC)}
        how = {"dry_run": optional(FLAG), **OPERATION}
        return [
            Method("pci.attach", "operate", {**which, **how}, self.attach),
            Method("pci.detach", "operate", {**which, "force": optional(FLAG), **how}, self.detach),
        ]

    async def attach(self, call: Call, domain: str | int, spec: Spec, **how: Any) -> Result:
        async def prepare() -> PciAttachFacts:
            target, managed = await self._target(domain, "give a PCI device to")
            _check_can_have(target, managed)
            text, item = parse_pci_of_call(spec, "pci.attach")
            functions = await functions_of_items(self._host, [item])
            there = await self._there(target)
            for function in functions:
                if function.where in [each.where for each in there]:
                    raise busy(self._host, function.where, target.domid)
            return PciAttachFacts(
                **target.identity,
                spec=text,
                item=item.devid or 0,
                functions=functions,
                staying=[dict(each.group) for each in there],
            )

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)

    async def detach(
        self, call: Call, domain: str | int, spec: Spec, force: bool = False, **how: Any
    ) -> Result:
        async def prepare() -> PciDetachFacts:
            target, _ = await self._target(domain, "take a PCI device from")
            _, item = parse_pci_of_call(spec, "pci.detach")
            there = await self._there(target)
            going = await self._meant(item, there)
            if not going:
                raise _has_not(target, item, there)
            return PciDetachFacts(
                **target.identity,
                going=[dict(each.group) for each in going],
                staying=[dict(each.group) for each in there if each not in going],
                force=force,
            )

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)

    async def _target(self, domain: str | int, doing: str) -> tuple[Target, Domain]:
        """A domain whose functions may change.

        Raises:
            XendError: unsupported: not on this system; wrong_state: not of this domain.
        """
        target = await self._targets.find(domain)
        target.require_guest(doing)
        managed = target.require_managed(doing)
        if not self._host.cards.has_hotplug:
            raise XendError(
                "unsupported",
                f"cannot {doing} {target.name} while it runs: dom0's kernel is told of a domain's PCI "
                "devices once, as the domain is made",
                domain=target.name,
                hint="change pci in its configuration, then: xl shutdown, xl create",
            )
        return target, managed

    async def _there(self, target: Target) -> list[FunctionThere]:
        with explained("read its PCI devices", target.name):
            return await functions_there(self._host.store, target.domid)

    async def _meant(self, item: PciConfig, there: Sequence[FunctionThere]) -> list[FunctionThere]:
        """Those of a domain's functions that an item means; by its name also one that got it later."""
        where = item.address
        if item.is_whole and where is not None:
            return [each for each in there if each.where.slot == where.slot]
        if where is None:
            with explained("read the names of PCI devices"):
                where = await Noted(self._host.store).named(item.called or "")
        named = [each for each in there if item.called and each.group.get("name") == item.called]
        return named or [each for each in there if each.where == where]


def _check_can_have(target: Target, domain: Domain) -> None:
    if target.info.is_shutdown or target.info.is_dying:
        raise XendError("wrong_state", f"{target.name} has shut down", domain=target.name)
    if domain.config.type == "pvh":
        raise XendError(
            "unsupported",
            f"{target.name} is a pvh domain, which Xen gives no devices of the host",
            domain=target.name,
        )
    if domain.config.hardware.passthrough == NO_PASSTHROUGH:
        raise XendError(
            "unsupported",
            f"{target.name} was created with passthrough = {NO_PASSTHROUGH!r}",
            domain=target.name,
            hint="leave that out of its configuration, and create it anew",
        )


def _has_not(target: Target, item: PciConfig, there: Sequence[FunctionThere]) -> XendError:
    return XendError(
        "no_such_device",
        f"{target.name} has no PCI device {item.name}",
        domain=target.name,
        hint=f"it has: {', '.join(each.address for each in there) or 'none'}",
    )
