"""Functions that domains may be given: which these are, how they become it, and who has one."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from xend.config.pci import name_complaint
from xend.device.nodes import children, texts
from xend.device.pci import FUNCTIONS_MAX, PCI
from xend.errors import XendError
from xend.hypervisor import HypervisorError
from xend.hypervisor.control import QUARANTINE
from xend.pci.address import Address
from xend.pci.noted import Noted
from xend.refusals import explained

if TYPE_CHECKING:
    from xend.host import Host

__all__ = ["Assignable", "all_assignable", "busy", "find_one", "is_alive", "owner_of", "release", "take"]


@attrs.frozen
class Assignable:
    """A function that may be given to domains, with its name; None: it has none."""

    address: Address
    name: str | None


async def all_assignable(host: "Host") -> list[Assignable]:
    """All of them, by rising address.

    Raises:
        XendError: unsupported: dom0's kernel has no driver for that; store_failed.
    """
    found = host.cards.assignable()
    with explained("read the names of PCI devices"):
        notes = await Noted(host.store).all()
    return [Assignable(each, notes.get(each, {}).get("name")) for each in found]


async def find_one(host: "Host", text: str) -> Address:
    """The function of an address, or of a name.

    Raises:
        XendError: bad_request; no_such_device: no function has this name.
    """
    if (address := Address.parse(text)) is not None:
        return address
    if Address.parse_any(text) is not None:
        raise XendError(
            "bad_request", f"PCI device {text}: expected one function as in 0000:01:00.0", device=text
        )
    with explained("read the names of PCI devices"):
        found = await Noted(host.store).named(text)
    if found is None:
        raise XendError(
            "no_such_device",
            f"no PCI device has the name {text!r}, and it is no address as in 0000:01:00.0",
            hint="xl pci-assignable-list -n shows the names",
        )
    return found


async def owner_of(host: "Host", address: Address) -> int | None:
    """The domid of the living domain that has a function, whoever gave it; None: none has.

    Raises:
        XendError: store_failed, hypervisor_failed.
    """
    with explained(f"look who has PCI device {address}"):
        noted = await Noted(host.store).read(address, "domid")
        if noted is not None and noted.isdecimal() and await is_alive(host, int(noted)):
            return int(noted)
        backend = f"/local/domain/0/backend/{PCI.name}"
        for domid in filter(str.isdecimal, await children(host.store, backend)):
            if await _has(host, f"{backend}/{domid}/0", address) and await is_alive(host, int(domid)):
                return int(domid)
    return None


async def is_alive(host: "Host", domid: int) -> bool:
    """Whether there is such a domain, which is not dying."""
    info = await host.hypervisor.domain(domid)
    return info is not None and not info.is_dying


async def _has(host: "Host", backend: str, address: Address) -> bool:
    count = (await texts(host.store, backend, ["num_devs"])).get("num_devs", "")
    places = range(min(int(count), FUNCTIONS_MAX) if count.isdecimal() and len(count) < 5 else 0)
    there = await texts(host.store, backend, [f"dev-{place}" for place in places])
    return any(Address.parse(each) == address for each in there.values())


async def take(host: "Host", address: Address, name: str | None = None) -> list[XendError]:
    """Make a function assignable; returns what is to be warned of.  Nothing is changed where it fails.

    name: None: it keeps the one it has.

    Raises:
        XendError: bad_request, unsupported, no_such_device, busy, device_failed, store_failed.
    """
    if name is not None and (complaint := name_complaint(name)):
        raise XendError("bad_request", f"PCI device {address}: its name {complaint}", device=str(address))
    cards, noted = host.cards, Noted(host.store)
    bound = cards.assignable()
    if not cards.has_hotplug and address not in bound:
        raise XendError(
            "unsupported",
            f"PCI device {address} cannot be made assignable while dom0 runs",
            device=str(address),
            hint=cards.how_chosen,
        )
    if address not in cards.functions(address):
        raise XendError(
            "no_such_device", f"this host has no PCI device {address}", device=str(address), hint="see lspci"
        )
    if name is not None:
        with explained("read the names of PCI devices"):
            other = await noted.named(name)
        if other not in (None, address):
            raise XendError(
                "name_in_use", f"PCI device {other} has the name {name} already", device=str(address)
            )
    warnings = []
    if address in bound:
        if cards.has_hotplug and name is None:
            warnings.append(XendError("wrong_state", f"PCI device {address} is assignable already"))
    else:
        await _rebind(host, address)
        warnings += await _quarantine(host, address)
    if name is not None:
        with explained(f"note the name of PCI device {address}"):
            await noted.write(address, name=name)
    return warnings


async def _rebind(host: "Host", address: Address) -> None:
    """From dom0's driver, which is noted, to the backend's; it has it again where that fails."""
    noted = Noted(host.store)
    driver = await host.cards.take_from_driver(address)
    try:
        if driver is not None:
            with explained(f"note the driver of PCI device {address}"):
                await noted.write(address, driver_path=str(driver))
        await host.cards.make_assignable(address)
    except BaseException:
        with trio.CancelScope(shield=True):
            await _put_back(host, address, driver)
        raise


async def _put_back(host: "Host", address: Address, driver: Path | None) -> None:
    """As it was; what fails here is logged, as the reason for it is told already."""
    try:
        await host.cards.make_unassignable(address)
        if driver is not None:
            await _give_back(host, address, driver)
    except XendError as error:
        host.log(f"PCI device {address} stays without a driver: {error}")


async def _quarantine(host: "Host", address: Address) -> list[XendError]:
    """Where there is an IOMMU, the function reaches nobody's memory until a domain has it."""
    try:
        await host.hypervisor.assign_card(QUARANTINE, address.number, False)
    except HypervisorError as error:
        return [
            XendError(
                "hypervisor_failed",
                f"PCI device {address} is assignable, but nothing keeps it from the host's memory until a "
                "domain has it",
                device=str(address),
                cause=error.text,
            )
        ]
    return []


async def release(host: "Host", address: Address, *, rebind: bool) -> list[XendError]:
    """Make a function unassignable; returns what is to be warned of.

    rebind: the driver of dom0's from which it was taken has it again.

    Raises:
        XendError: unsupported; busy: a domain has it; device_failed; store_failed.
    """
    cards, noted, warnings = host.cards, Noted(host.store), []
    bound = cards.assignable()
    if not cards.has_hotplug:
        raise XendError(
            "unsupported",
            f"PCI device {address} stays assignable as long as dom0 runs",
            device=str(address),
            hint="leave it out of pciback.hide= in /boot.cfg, and start the host anew",
        )
    domid = await owner_of(host, address)
    if domid is not None:
        raise busy(host, address, domid)
    with explained(f"read the driver of PCI device {address}"):
        written = await noted.read(address, "driver_path")
    driver = cards.check_driver(written) if rebind and written is not None else None
    if address in bound:
        try:
            await host.hypervisor.release_card(QUARANTINE, address.number)
        except HypervisorError as error:
            host.log(f"PCI device {address}: it was in no quarantine: {error.text}")
        await cards.make_unassignable(address)
    else:
        warnings.append(XendError("wrong_state", f"PCI device {address} is not assignable"))
    if rebind and driver is None:
        warnings.append(
            XendError("wrong_state", f"PCI device {address}: it is not known which driver of dom0's had it")
        )
    if driver is not None:
        await _give_back(host, address, driver)
    with explained(f"forget the name of PCI device {address}"):
        await noted.remove(address, "name", "domid", "granted")
    return warnings


async def _give_back(host: "Host", address: Address, driver: Path) -> None:
    await host.cards.give_to_driver(address, driver)
    with explained(f"forget the driver of PCI device {address}"):
        await Noted(host.store).remove(address, "driver_path")


def busy(host: "Host", address: Address, domid: int) -> XendError:
    """Why a function cannot be had that a domain has."""
    domain = host.domains.get(domid)
    name = f"domain {domid}" if domain is None else f"{domain.name} (domain {domid})"
    return XendError(
        "busy",
        f"PCI device {address} is in {name}",
        device=str(address),
        hint=f"xl pci-detach {domid} {address}" if host.cards.has_hotplug else f"xl destroy {domid}",
    )
