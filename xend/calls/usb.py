"""usb.*: USB devices of the host, in the controllers of domains."""

from typing import Any

import attrs

from xend.bus.kinds import DOMAIN, FLAG, NUMBER, SPEC
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.starter import OperationStarter
from xend.config import DomainConfig
from xend.config.number import number_of
from xend.config.usbdev import UsbDeviceConfig, free_port, has_port, spec_of
from xend.device.device import Device
from xend.device.nodes import texts
from xend.device.stored import devices_in_store
from xend.device.usb_ports import devices_in, ports_of
from xend.device.usbctrl import USBCTRL
from xend.device.usbdev import USBDEV
from xend.device.xenbus import XenbusState
from xend.domain.source import Spec, device_of_spec
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.domain.usb import UsbAttachFacts, UsbDetachFacts, check_free, host_device, in_ports
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained
from xend.usb.linux import UsbHost

Result = dict[str, Any]


class UsbCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, starter: OperationStarter, targets: Targets) -> None:
        self._host = host
        self._starter = starter
        self._targets = targets

    def methods(self) -> list[Method]:
        """All of them."""
        domain, how = {"domain": required(DOMAIN)}, {"dry_run": optional(FLAG), **OPERATION}
        place = {"controller": required(NUMBER), "port": required(NUMBER)}
        return [
            Method("usb.list", "read", domain, self.list_),
            Method("usb.attach", "operate", {**domain, "spec": required(SPEC), **how}, self.attach),
            Method("usb.detach", "operate", {**domain, **place, **how}, self.detach),
        ]

    async def list_(self, call: Call, domain: str | int) -> list[Result]:
        target = await self._targets.find(domain)
        with explained("read its USB controllers", target.name):
            return [await self._listed(each) for each in await self._controllers(target)]

    async def _controllers(self, target: Target) -> list[Device]:
        found = await devices_in_store(self._host, target.domid)
        return [each for each in found if each.kind == USBCTRL.name]

    async def _listed(self, controller: Device) -> Result:
        back = await texts(self._host.store, controller.backend_path, ("usb-ver",))
        front = await texts(self._host.store, controller.frontend_path, ("state",))
        there = await devices_in(self._host.store, controller)
        host = UsbHost(self._host.settings.usb_directory)
        where = {port: host.address(busid) or (None, None) for port, busid in there.items()}
        return {
            "devid": controller.devid,
            "type": controller.backend.get("type", ""),
            "backend_domid": controller.backend_domid,
            "state": int(XenbusState.parse(front.get("state", "").encode())),
            "version": number_of(back.get("usb-ver", "")) or 0,
            "ports": [
                {"port": port, "bus": bus, "address": address}
                for port in ports_of(controller)
                for bus, address in [where.get(port, (None, None))]
            ],
        }

    async def attach(self, call: Call, domain: str | int, spec: Spec, **how: Any) -> Result:
        async def prepare() -> UsbAttachFacts:
            target = await self._targets.find(domain)
            managed = target.require_managed("attach a device to")
            if target.info.is_shutdown or target.info.is_dying:
                raise XendError("wrong_state", f"{target.name} has shut down", domain=target.name)
            device = device_of_spec(USBDEV.name, spec, method="usb.attach")
            await check_free(self._host, managed.uuid, device, host_device(self._host, device))
            if any(each.devid == device.devid for each in in_ports(managed.config)):
                name = USBDEV.label(device.name)
                raise XendError("busy", f"{target.name} has {name} already", domain=target.name, device=name)
            placed, change = self._placed(managed.config, target.name, device)
            assert placed.place is not None
            assert placed.devid is not None
            controller, port = placed.place
            return UsbAttachFacts(
                **target.identity,
                spec=spec_of(placed),
                devid=placed.devid,
                controller=controller,
                port=port,
                controller_change=change,
            )

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)

    def _placed(
        self, config: DomainConfig, name: str, device: UsbDeviceConfig
    ) -> tuple[UsbDeviceConfig, Result | None]:
        """The device with its place; and the change that makes a controller, where it needs one."""
        controllers = config.of_kind(USBCTRL.name)
        taken = {each.place for each in in_ports(config) if each.place is not None}
        place = device.place or free_port(controllers, taken, device.controller)
        change: Result | None = None
        if place is None and device.controller is None:
            used = {each.devid for each in controllers}
            number = next(number for number in range(len(used) + 1) if number not in used)
            place = number, 1
            change = {"kind": USBCTRL.name, "spec": "", "directory": None, "devid": number}
        elif place is None or place in taken or not has_port(controllers, place):
            raise XendError(
                "no_such_device",
                f"{name} has no such port free for {USBDEV.label(device.name)}",
                domain=name,
                hint=f"xl usb-list {name} shows them; xl usbctrl-attach makes more",
            )
        return attrs.evolve(device, place=place), change

    async def detach(self, call: Call, domain: str | int, controller: int, port: int, **how: Any) -> Result:
        async def prepare() -> UsbDetachFacts:
            target = await self._targets.find(domain)
            managed = target.require_managed("detach a device from")
            with explained("read its USB controllers", target.name):
                found = next((c for c in await self._controllers(target) if c.devid == controller), None)
                there = {} if found is None else await devices_in(self._host.store, found)
            if port not in there:
                raise XendError(
                    "no_such_device",
                    f"{target.name} has no device in port {port} of {USBCTRL.label(controller)}",
                    domain=target.name,
                    hint=f"xl usb-list {target.name} shows them",
                )
            devices = in_ports(managed.config)
            devid = next((each.devid for each in devices if each.place == (controller, port)), None) or 0
            return UsbDetachFacts(
                **target.identity, controller=controller, port=port, busid=there[port], devid=devid
            )

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)
