"""device.*: devices of a domain, put in and taken out while it runs, and explained."""

from collections.abc import Mapping
from typing import Any

from xend.bus.kinds import BYTES, DOMAIN, FLAG, SPEC, TEXT, choice
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.starter import OperationStarter
from xend.device import causes
from xend.device.device import Device
from xend.device.kinds import KINDS, with_verb
from xend.device.nodes import children, texts, value
from xend.device.stored import device_in_store, devices_in_store
from xend.domain.attach import AttachFacts, DetachFacts, device_of
from xend.domain.serving import backend_domid, check_serving
from xend.domain.source import Spec, device_of_spec
from xend.domain.target import DOM0, Between, Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained

Result = dict[str, Any]


class DeviceCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, starter: OperationStarter, targets: Targets) -> None:
        self._host = host
        self._starter = starter
        self._targets = targets

    def methods(self) -> list[Method]:
        """All of them."""
        domain = {"domain": required(DOMAIN)}
        how = {"dry_run": optional(FLAG), **OPERATION}
        return [
            Method("device.list", "read", {**domain, "kind": optional(choice(*KINDS))}, self.list_),
            Method("device.explain", "read", {**domain, "device": required(TEXT)}, self.explain),
            Method(
                "device.attach",
                "operate",
                {
                    **domain,
                    "kind": required(choice(*with_verb("attach"))),
                    "spec": required(SPEC),
                    "directory": optional(BYTES),
                    **how,
                },
                self.attach,
            ),
            Method(
                "device.detach",
                "operate",
                {
                    **domain,
                    "kind": required(choice(*with_verb("detach"))),
                    "device": required(TEXT),
                    "force": optional(FLAG),
                    **how,
                },
                self.detach,
            ),
        ]

    async def list_(self, call: Call, domain: str | int, kind: str | None = None) -> list[Result]:
        target = await self._targets.find(domain)
        found = await self._devices(target)
        return [await self._listed(each) for each in found if kind in (None, each.kind)]

    async def explain(self, call: Call, domain: str | int, device: str) -> Result:
        target = await self._targets.find_any(domain)
        devices = [] if isinstance(target, Between) else await self._devices(target)
        domid = target.last_domid if isinstance(target, Between) else target.domid
        there = _chosen(devices, device, await self._addresses(devices))
        name = there.name if there is not None else device
        story = None if domid is None else self._host.stories.find(domid, name)
        if story is None:
            raise _no_such(target, device, devices)
        live = None if there is None else await self._listed(there)
        cause = causes.likely(story, live, self._host.settings.platform)
        return {**story.as_map(), "domid": domid, "domain": target.name, "live": live, "cause": cause}

    async def attach(
        self,
        call: Call,
        domain: str | int,
        kind: str,
        spec: Spec,
        directory: str | None = None,
        **how: Any,
    ) -> Result:
        async def prepare() -> AttachFacts:
            target = await self._targets.find(domain)
            if target.domid != DOM0:  # it may have disks and interfaces of backends, too
                target.require_managed("attach a device to")
            if target.info.is_shutdown or target.info.is_dying:
                raise XendError("wrong_state", f"{target.name} has shut down", domain=target.name)
            change, backend = await self._change(target, kind, spec, directory)
            serving = backend_domid(self._host, backend, kind)
            await check_serving(self._host, serving, kind)
            device = device_of(self._host, target.domid, change, serving)
            with explained("look for a device of that name", target.name):
                is_there = await self._host.store.exists(device.libxl_path)
            if is_there:
                raise XendError(
                    "busy",
                    f"{target.name} has a {device.name} already",
                    domain=target.name,
                    device=device.name,
                )
            return AttachFacts(**target.identity, change=change, backend_domid=serving)

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)

    async def detach(
        self, call: Call, domain: str | int, kind: str, device: str, force: bool = False, **how: Any
    ) -> Result:
        async def prepare() -> DetachFacts:
            target = await self._targets.find(domain)
            found = await self._find(target, kind, device)
            if found is None:
                raise _no_such(target, f"{kind} {device}", await self._devices(target))
            return DetachFacts(**target.identity, device=found, force=force)

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)

    async def _find(self, target: Target, kind: str, wanted: str) -> Device | None:
        """A device of this kind, as `_chosen` has it; the domain's other devices are not read."""
        with explained("look for the device", target.name):
            devid = await self._devid(target.domid, kind, wanted.removeprefix(KINDS[kind].label("")))
            return None if devid is None else await device_in_store(self._host, target.domid, kind, devid)

    async def _devid(self, domid: int, kind: str, word: str) -> int | None:
        """The number of the device that a user means by its number, its name or its address."""
        address = KINDS[kind].address
        if address is None or not address.pattern.fullmatch(word):
            return KINDS[kind].devid_of(word)
        top = KINDS[kind].own_copies(domid)
        devids = await children(self._host.store, top)
        addresses = (value(f"{top}/{devid}/{address.key}") for devid in devids)
        found = dict(zip(await self._host.store.together(*addresses), devids, strict=True))
        devid = found.get(word.lower().encode())
        return None if devid is None else int(devid)

    async def _devices(self, target: Target) -> list[Device]:
        with explained("list its devices", target.name):
            return await devices_in_store(self._host, target.domid)

    async def _change(
        self, target: Target, kind: str, spec: Spec, directory: str | None
    ) -> tuple[Result, str]:
        """What attaching means for the configuration, and whose backend it asks for."""
        device, address = device_of_spec(kind, spec, directory), KINDS[kind].address
        change = {"kind": kind, "spec": spec, "directory": directory, "devid": device.devid}
        defaults = self._host.settings.defaults
        if given := defaults.given(without_masks=True):
            change["defaults"] = given
        if device.devid is None:
            used = (
                {each.devid for each in await self._devices(target) if each.kind == kind}
                if target.managed is None
                else {each.devid for each in target.managed.config.of_kind(kind)}
            )
            change["devid"] = next(number for number in range(len(used) + 1) if number not in used)
        if address is not None:
            change[address.key] = getattr(device, address.key) or address.choose(self._host.random)
        return change, defaults.device(device).backend

    async def _addresses(self, devices: list[Device]) -> dict[str, str]:
        """Of devices whose type has addresses, by the devices' names, from the toolstack's own copy."""
        found = {}
        with explained("read addresses"):
            for device in devices:
                if address := KINDS[device.kind].address:
                    values = await texts(self._host.store, device.libxl_path, (address.key,))
                    found[device.name] = values.get(address.key, "")
        return found

    async def _listed(self, device: Device) -> Result:
        kind = KINDS[device.kind]
        with explained(f"read the nodes of {device.name}"):
            front = await texts(self._host.store, device.frontend_path, kind.frontend_keys)
            back = await texts(self._host.store, device.backend_path, kind.backend_keys)
        # What is shown to who serves it is of use to him alone.
        back |= {key: value for key, value in device.backend.items() if key in back}
        return {
            "kind": device.kind,
            "devid": device.devid,
            "name": device.name,
            "domid": device.domid,
            "backend_domid": device.backend_domid,
            "frontend_path": device.frontend_path,
            "backend_path": device.backend_path,
            "frontend": front,
            "backend": back,
        }


def _chosen(devices: list[Device], wanted: str, addresses: Mapping[str, str]) -> Device | None:
    """By name ("vif 0", "vbd xvda"), the name's second word, devid, or address; addresses: by name."""
    for device in devices:
        if wanted in (device.name, device.name.partition(" ")[2], str(device.devid)):
            return device
        address = KINDS[device.kind].address
        if address and address.pattern.fullmatch(wanted) and addresses[device.name] == wanted.lower():
            return device
    return None


def _no_such(target: Target | Between, wanted: str, devices: list[Device]) -> XendError:
    there = ", ".join(device.name for device in devices) or "none"
    return XendError(
        "no_such_device",
        f"{target.name} has no device {wanted}",
        domain=target.name,
        hint=f"it has: {there}",
    )
