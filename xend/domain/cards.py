"""PCI functions of the host in a domain: giving and taking.

The order is libxl's (guests.md 5.3): reset, what belongs to the function, the IOMMU, and then the nodes.
"""

from collections.abc import Sequence
from contextlib import suppress

import attrs

from xend.device.pci import Function
from xend.domain.capabilities import has_iommu
from xend.domain.card_checks import check, check_pages
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HostAccess, HypervisorError
from xend.operation.steps import Work
from xend.pci.address import Address
from xend.pci.assignable import busy, owner_of, take
from xend.pci.noted import Granted, Noted
from xend.refusals import explained

__all__ = ["give", "give_all", "take_all", "take_back"]


async def give_all(
    host: Host, work: Work, domid: int, functions: Sequence[Function], *, is_machine: bool
) -> None:
    """Give all of them; see `give`."""
    for function in functions:
        await give(host, work, domid, function, is_machine=is_machine)


async def give(host: Host, work: Work, domid: int, function: Function, *, is_machine: bool) -> None:
    """Have a domain own a function, so that its nodes can be written.  Done again, it is the same.

    is_machine: it is an hvm domain, whose device model maps the function's registers.

    Raises:
        XendError: busy, wrong_state, device_failed, hypervisor_failed, store_failed.
    """
    address, noted = function.where, Noted(host.store)
    await check(host, [function], domid, is_machine=is_machine)
    await _claim(host, domid, address)
    if address not in host.cards.assignable():
        for warning in await take(host, address):
            work.warn(warning)
    await _reset(host, work, address)
    with explained("ask for the host"):
        is_assigned = has_iommu(await host.hypervisor.host_info())
    granted = Granted(access=host.cards.resources(address), is_assigned=is_assigned)
    for irq in granted.access.irqs:
        _tell_sharers(host, work, address, irq)
    with explained(f"note what PCI device {address} has"):
        await noted.write(address, granted=granted.as_text())
    await check_pages(host, function, domid)  # again: somebody may have been as fast
    with explained(f"give domain {domid} PCI device {address}"):
        access = attrs.evolve(granted.access, is_mapped=not is_machine)
        await host.hypervisor.allow_access(domid, access)
    if function.permissive:
        await host.cards.set_permissive(address)
    if is_assigned:
        with explained(f"give domain {domid} PCI device {address}"):
            with suppress(HypervisorError):  # where this is done again it has it already
                await host.hypervisor.release_card(domid, address.number)
            await host.hypervisor.assign_card(domid, address.number, function.is_strict)


async def _claim(host: Host, domid: int, address: Address) -> None:
    """Note that it is this domain's; no other's that lives, whoever is as fast."""
    noted = Noted(host.store)
    while True:
        owner = await owner_of(host, address)
        if owner not in (None, domid):
            raise busy(host, address, owner or 0)
        with explained(f"note who has PCI device {address}"):
            before = await noted.read(address, "domid")
            dead = int(before) if before is not None and before.isdecimal() else None
            if await noted.claim(address, domid, dead):
                return


def _tell_sharers(host: Host, work: Work, address: Address, irq: int) -> None:
    """A line is free again only when all have answered that use it: a guest that does not holds up dom0."""
    sharers = host.cards.sharers(address, irq)
    if sharers:
        work.warn(
            XendError(
                "wrong_state",
                f"PCI device {address}: its interrupt line {irq} is that of {' and '.join(sharers)}, which "
                "dom0 uses: a guest that does not answer on it stops them",
                device=str(address),
                hint="put the card into another slot, or see that its driver in the guest uses MSI",
            )
        )


async def _reset(host: Host, work: Work, address: Address) -> None:
    """What it was told is gone; where there is no way, that was accepted."""
    if host.cards.can_reset(address):
        await host.cards.reset(address)


async def take_all(host: Host, work: Work, domid: int) -> None:
    """Take back all that a domain has, whether it lives or not."""
    with explained("look which PCI devices it has"):
        there = await Noted(host.store).of_domain(domid)
    for address in there:
        try:
            await take_back(host, work, domid, address)
        except XendError as error:
            work.warn(error)


async def take_back(host: Host, work: Work, domid: int, address: Address) -> None:
    """Take a function from a domain: nothing of the domain has it any more.  Done again, it is the same.

    Nothing happens to one that the domain has not: another one may, and this one was refused it.

    Raises:
        XendError: hypervisor_failed, store_failed: the domain may have it still.
    """
    noted = Noted(host.store)
    with explained(f"look what PCI device {address} has"):
        all_of_it = await noted.of_domain(domid)
    if address not in all_of_it:
        return
    text = all_of_it[address].get("granted")
    others = [
        Granted.parse(notes.get("granted", "")) for where, notes in all_of_it.items() if where != address
    ]
    try:
        await _reset(host, work, address)
    except XendError as error:  # the next domain that is to have it is refused, unless it is reset by then
        work.warn(error)
    if text is not None:
        await _revoke(host, domid, address, Granted.parse(text), others)
    with explained(f"forget who has PCI device {address}"):
        await noted.remove(address, "granted", "domid")


async def _revoke(
    host: Host, domid: int, address: Address, granted: Granted, others: Sequence[Granted]
) -> None:
    """What a domain may do with it, and what it may do to the domain; of one that is gone nothing is left."""
    with explained(f"take PCI device {address} from domain {domid}"):
        info = await host.hypervisor.domain(domid)
        if info is None or info.is_dying:
            return
        if granted.is_assigned:
            with suppress(HypervisorError):  # it was not assigned, or by now it is another's
                await host.hypervisor.release_card(domid, address.number)
        access = granted.without(others).access
        if access != HostAccess():
            await host.hypervisor.deny_access(domid, access)
