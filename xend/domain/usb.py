"""USB devices of the host in a domain's controllers: given as it is made, usb.attach and usb.detach."""

from collections.abc import Sequence
from typing import Any

import attrs

from xend.config import DomainConfig
from xend.config.usbdev import UsbDeviceConfig
from xend.device.device import Device
from xend.device.plug import plug_of
from xend.device.stored import device_in_store
from xend.device.usb_ports import port_path, put_in, take_out
from xend.device.usbctrl import USBCTRL
from xend.device.usbdev import USBDEV
from xend.domain.attach import device_of, remember
from xend.domain.source import device_of_spec
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.usb.linux import UsbHost
from xend.validators import typed

__all__ = [
    "UsbAttachFacts",
    "UsbDetachFacts",
    "check_all",
    "check_free",
    "controller_of",
    "give_all",
    "host_device",
    "in_ports",
    "take_back_all",
    "usb_attach_steps",
    "usb_detach_steps",
]


@attrs.define(kw_only=True)
class UsbAttachFacts(Facts):
    """Those of usb.attach.

    Attributes:
        spec, devid: the device's specification, with its place, and its number.
        controller, port: its place.
        controller_change: of Source.changes, the controller that has to come first; None: it is there.
    """

    KIND = "usb.attach"

    spec: str = attrs.field(validator=typed(str))
    devid: int = attrs.field(validator=typed(int))
    controller: int = attrs.field(validator=typed(int))
    port: int = attrs.field(validator=typed(int))
    controller_change: dict[str, Any] | None = attrs.field(default=None)


@attrs.define(kw_only=True)
class UsbDetachFacts(Facts):
    """Those of usb.detach: the place, the device's name on the host, and its number in the configuration."""

    KIND = "usb.detach"

    controller: int = attrs.field(validator=typed(int))
    port: int = attrs.field(validator=typed(int))
    busid: str = attrs.field(validator=typed(str))
    devid: int = attrs.field(validator=typed(int))


def in_ports(config: DomainConfig) -> list[UsbDeviceConfig]:
    """The devices of a configuration whose controllers are still there."""
    controllers = {each.devid for each in config.of_kind(USBCTRL.name)}
    return [each for each in config.of_kind(USBDEV.name) if each.place and each.place[0] in controllers]


def host_device(host: Host, device: UsbDeviceConfig) -> str:
    """The name on the host of a device that may be given away.

    Raises:
        XendError: no_such_device, unsupported.
    """
    name = USBDEV.label(device.name)
    found = UsbHost(host.settings.usb_directory).find(device.hostbus, device.hostaddr)
    if found is None:
        raise XendError(
            "no_such_device",
            f"{name}: the host has no device {device.hostaddr} on its USB bus {device.hostbus}",
            device=name,
            hint="lsusb lists them; one that was plugged in anew has another number",
        )
    if found.is_hub:
        raise XendError(
            "unsupported",
            f"{name}: it is a hub, and others are behind it; expected one of those",
            device=name,
        )
    return found.busid


async def check_free(host: Host, uuid: str, device: UsbDeviceConfig, busid: str) -> None:
    """See that no other domain has a device.

    Raises:
        XendError: busy.
    """
    for domain in host.domains.all():
        same = [each for each in in_ports(domain.config) if each.devid == device.devid]
        if domain.uuid == uuid or domain.domid is None or not same or same[0].place is None:
            continue
        controller, port = same[0].place
        with explained("look who has it", domain.name):
            there = await device_in_store(host, domain.domid, USBCTRL.name, controller)
            if there is None or not await host.store.exists(port_path(there, port)):
                continue
            if await host.store.read(port_path(there, port)) != busid.encode():
                continue
        name = USBDEV.label(device.name)
        raise XendError(
            "busy",
            f"{name}: domain {domain.name} has it",
            device=name,
            hint=f"xl usbdev-detach {domain.name} {controller} {port} takes it from there",
        )


async def controller_of(host: Host, domid: int, number: int) -> Device:
    """A controller that a domain has.

    Raises:
        XendError: no_such_device.
    """
    found = await device_in_store(host, domid, USBCTRL.name, number)
    if found is None:
        raise XendError("no_such_device", f"domain {domid} has no {USBCTRL.label(number)}")
    return found


async def check_all(host: Host, uuid: str, config: DomainConfig) -> None:
    """See that all devices of a configuration are there, and nobody else's.

    Raises:
        XendError.
    """
    for device in in_ports(config):
        await check_free(host, uuid, device, host_device(host, device))


async def give_all(host: Host, uuid: str, domid: int, devices: Sequence[UsbDeviceConfig]) -> None:
    """Put devices into the controllers of a domain.

    Raises:
        XendError.
    """
    for device in devices:
        busid = host_device(host, device)
        await check_free(host, uuid, device, busid)
        assert device.place is not None
        number, port = device.place
        await _put_in(host, await controller_of(host, domid, number), port, busid, device)


async def take_back_all(host: Host, domid: int, devices: Sequence[UsbDeviceConfig]) -> None:
    """Take devices out of the controllers of a domain that does not come to be."""
    for device in devices:
        assert device.place is not None
        number, port = device.place
        controller = await device_in_store(host, domid, USBCTRL.name, number)
        if controller is not None:
            await _take_out(host, controller, port, host_device(host, device))


async def _put_in(host: Host, controller: Device, port: int, busid: str, device: UsbDeviceConfig) -> None:
    with explained(f"put USB device {busid} into {controller.name}"):
        try:
            await put_in(host, controller, port, busid)
        except OSError as error:
            name = USBDEV.label(device.name)
            raise XendError(
                "device_failed",
                f"{name}: dom0's kernel does not hand it over",
                device=name,
                cause=f"{error.filename}: {error.strerror}",
            ) from error


async def _take_out(host: Host, controller: Device, port: int, busid: str) -> None:
    with explained(f"take USB device {busid} out of {controller.name}"):
        try:
            await take_out(host, controller, port, busid)
        except OSError as error:
            raise XendError(
                "device_failed",
                f"{controller.name}: dom0's kernel does not take USB device {busid} back",
                cause=f"{error.filename}: {error.strerror}",
            ) from error


def usb_attach_steps(host: Host, facts: UsbAttachFacts) -> list[Step]:
    """The steps of usb.attach."""
    assert facts.domid is not None
    domid = facts.domid
    device: UsbDeviceConfig = device_of_spec(USBDEV.name, facts.spec, method=UsbAttachFacts.KIND)
    name = USBDEV.label(device.name)
    steps: list[Step] = []

    async def put(work: Work) -> None:
        await give_all(host, facts.uuid, domid, [device])
        work.result |= {"controller": facts.controller, "port": facts.port}

    async def take(work: Work) -> None:
        await take_back_all(host, domid, [device])

    async def remember_it(work: Work) -> None:
        if facts.controller_change is not None:
            remember(host, facts.uuid, facts.controller_change)
        remember(host, facts.uuid, {"kind": USBDEV.name, "spec": facts.spec, "devid": facts.devid})

    if facts.controller_change is not None:
        steps = plug_of(host, device_of(host, domid, facts.controller_change, 0)).attach()
    return [
        *steps,
        Step(f"{USBDEV.name}.put-in", f"{name}: put it into its port", put, take),
        Step(f"{USBDEV.name}.remember", f"{name}: remember it", remember_it),
    ]


def usb_detach_steps(host: Host, facts: UsbDetachFacts) -> list[Step]:
    """The steps of usb.detach."""
    assert facts.domid is not None
    domid, name = facts.domid, f"USB device {facts.busid}"

    async def take(work: Work) -> None:
        controller = await device_in_store(host, domid, USBCTRL.name, facts.controller)
        if controller is not None:
            await _take_out(host, controller, facts.port, facts.busid)

    async def forget_it(work: Work) -> None:
        remember(host, facts.uuid, {"kind": USBDEV.name, "devid": facts.devid})
        work.result |= {"controller": facts.controller, "port": facts.port}

    return [
        Step(f"{USBDEV.name}.take-out", f"{name}: take it out of its port", take),
        Step(f"{USBDEV.name}.forget", f"{name}: forget it", forget_it),
    ]
