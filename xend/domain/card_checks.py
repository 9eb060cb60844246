"""PCI functions of the host in a domain: which ones a configuration means, and what is refused."""

from collections.abc import Iterable, Sequence

from xend.config.pci import ACCEPTED, NO_IOMMU, NO_RESET, SHARED_PAGE, PciConfig
from xend.device.pci import PCI, Function
from xend.domain.capabilities import DIRECT_IO, has_iommu
from xend.domain.machine_cards import refuse_platform
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.pci.address import Address
from xend.pci.assignable import busy, is_alive, owner_of
from xend.pci.noted import Granted, Noted
from xend.refusals import explained

__all__ = ["check", "check_pages", "functions_of_items"]


async def functions_of_items(host: Host, items: Iterable[PciConfig]) -> list[Function]:
    """The functions that items of a configuration mean, in their order.

    Raises:
        XendError: no_such_device; bad_config: one is there twice; store_failed.
    """
    found: list[Function] = []
    for item in items:
        for function in await _functions(host, item):
            if any(function.address == each.address for each in found):
                raise XendError(
                    "bad_config",
                    f"{PCI.name} {item.name}: function {function.address} is there already",
                    device=function.address,
                    hint="give each function once",
                )
            found.append(function)
    return found


async def _functions(host: Host, item: PciConfig) -> list[Function]:
    address = item.address
    if address is None:
        assert item.called is not None
        with explained("read the names of PCI devices"):
            address = await Noted(host.store).named(item.called)
        if address is None:
            raise XendError(
                "no_such_device",
                f"{PCI.name} name={item.called}: no PCI device has this name",
                hint="xl pci-assignable-add -n NAME BDF gives one, xl pci-assignable-list -n shows them",
            )
    there = host.cards.functions(address)
    wanted = there if item.is_whole else [address]
    if not there or address not in there:
        raise XendError(
            "no_such_device",
            f"{PCI.name} {item.name}: this host has no such PCI device"
            + ("" if host.cards.has_hotplug else ", or it was not hidden at boot"),
            device=str(address),
            hint="lspci shows them" if host.cards.has_hotplug else host.cards.how_chosen,
        )
    return [_function(item, each) for each in wanted]


def _function(item: PciConfig, address: Address) -> Function:
    return Function(
        address=str(address),
        item=item.devid or 0,
        called=item.called,
        vdevfn=None if item.vslot is None else item.vslot << 3 | (address.function if item.is_whole else 0),
        permissive=bool(item.permissive),
        msitranslate=bool(item.msitranslate),
        power_mgmt=bool(item.power_mgmt),
        seize=bool(item.seize),
        is_strict=item.is_strict is not False,
        accepts=list(item.accepts),
    )


async def check(
    host: Host, functions: Sequence[Function], domid: int | None = None, *, is_machine: bool
) -> None:
    """See that a domain can be given functions.

    Args:
        domid: its own, if it has one.
        is_machine: it is an hvm domain.

    Raises:
        XendError: unsupported, wrong_state, busy, store_failed.
    """
    if not functions:
        return
    if is_machine:
        refuse_platform(host)
    bound = host.cards.assignable()
    with explained("ask for the host"):
        info = await host.hypervisor.host_info()
    for function in functions:
        address = function.where
        owner = await owner_of(host, address)
        if owner not in (None, domid):
            raise busy(host, address, owner or 0)
        if address not in bound and not function.seize:
            raise _not_assignable(host, function)
        lacks = f"this host has no IOMMU that is on: {DIRECT_IO} is not among the virt_caps of xl info"
        if not has_iommu(info) and is_machine:
            raise _impossible(function, lacks)
        if not has_iommu(info) and NO_IOMMU not in function.accepts:
            raise _unaccepted(function, NO_IOMMU, lacks)
        if not host.cards.can_reset(address) and NO_RESET not in function.accepts:
            raise _unaccepted(function, NO_RESET, "dom0's kernel has no way to reset it")
        if has_iommu(info) and owner is None:
            await _check_free(host, function)
        await check_pages(host, function, domid)


async def _check_free(host: Host, function: Function) -> None:
    """Ask Xen, too, who may know more than the store: another toolstack gives functions away as well."""
    try:
        await host.hypervisor.check_card(function.where.number)
    except HypervisorError as error:
        raise XendError(
            "busy",
            f"{PCI.name} {function.address}: Xen says that it cannot be given to a domain",
            device=function.address,
            cause=error.text,
            hint="a domain that is still dying may have it (xl list), or one of another toolstack",
        ) from error


async def check_pages(host: Host, function: Function, domid: int | None) -> None:
    """No page may be mapped by two domains: devices with few registers can lie in one page.

    Raises:
        XendError: unsupported, store_failed.
    """
    if SHARED_PAGE in function.accepts:
        return
    pages = host.cards.resources(function.where).memory
    with explained("look which PCI devices domains have"):
        for where, notes in (await Noted(host.store).all()).items():
            owner = notes.get("domid", "")
            if where == function.where or not owner.isdecimal() or owner == str(domid):
                continue
            theirs = Granted.parse(notes.get("granted", "")).access.memory
            if _overlap(pages, theirs) and await is_alive(host, int(owner)):
                raise _unaccepted(
                    function,
                    SHARED_PAGE,
                    f"registers of it lie in the same page as those of PCI device {where}, which domain "
                    f"{owner} has",
                )


def _overlap(some: Iterable[tuple[int, int, int]], others: Sequence[tuple[int, int, int]]) -> bool:
    return any(a < b + m and b < a + n for a, n, _ in some for b, m, _ in others)


def _not_assignable(host: Host, function: Function) -> XendError:
    driver = host.cards.driver(function.where)
    has = "no driver of dom0's has it" if driver is None else f"dom0's driver {driver} has it"
    return XendError(
        "wrong_state",
        f"{PCI.name} {function.address}: it is not assignable, {has}",
        device=function.address,
        hint=host.cards.how_chosen.replace("BDF", function.address),
    )


def _impossible(function: Function, lacks: str) -> XendError:
    return XendError(
        "unsupported",
        f"{PCI.name} {function.address}: {lacks}; an hvm domain's addresses are not the host's, so that its "
        "device would write to memory of others",
        device=function.address,
        hint="switch VT-d or AMD-Vi on in the firmware, and iommu=on on Xen's command line",
    )


def _unaccepted(function: Function, what: str, why: str) -> XendError:
    return XendError(
        "unsupported",
        f"{PCI.name} {function.address}: {why}; {ACCEPTED[what]}",
        device=function.address,
        hint=f"accept={what} in its item, or pci_accept = [ '{what}' ], takes it all the same",
    )
