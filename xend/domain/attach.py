"""device.attach and device.detach: a device of a domain that exists, put in or taken out."""

from typing import Any

import attrs

from xend.device.device import Device
from xend.device.plug import plug_of
from xend.device.vbd import vbd_device
from xend.device.vif import vif_device
from xend.domain.source import disk_of, vif_of
from xend.host import Host
from xend.operation.steps import Plan, Step, Work


def device_of(host: Host, domid: int, change: dict[str, Any]) -> Device:
    """The device of a change of Source.changes.

    Raises:
        XendError: bad_config, unsupported.
    """
    if change["kind"] == "vbd":
        return vbd_device(domid, disk_of(change["spec"]), host.settings)
    vif = attrs.evolve(vif_of(change["spec"]), mac=change["mac"], devid=change["devid"])
    return vif_device(domid, vif, host.settings)


def attach_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, uuid, change}."""
    device = device_of(host, facts["domid"], facts["change"])
    plug = plug_of(host, device)

    async def check(work: Work) -> None:
        await plug.check(work)
        work.result |= {"device": device.name, "devid": device.devid}

    async def remember(work: Work) -> None:
        _change(host, facts, facts["change"])

    return Plan(
        kind="device.attach",
        domain=facts["name"],
        facts=facts,
        steps=[
            Step(f"{device.name}: check what it needs", check),
            *plug.attach(),
            Step(f"{device.name}: remember it", remember),
        ],
        on_crash="undo",
    )


def detach_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, uuid, device, force}."""
    device = Device(**facts["device"])
    plug = plug_of(host, device)

    async def remember(work: Work) -> None:
        _change(host, facts, {"kind": device.kind, "devid": device.devid})
        work.result |= {"device": device.name, "devid": device.devid}

    return Plan(
        kind="device.detach",
        domain=facts["name"],
        facts=facts,
        steps=[
            *(plug.detach() if facts["force"] else plug.detach_politely()),
            Step(f"{device.name}: forget it", remember),
        ],
        on_crash="resume",
    )


def _change(host: Host, facts: dict[str, Any], change: dict[str, Any]) -> None:
    domain = host.domains.by_uuid(facts["uuid"])
    if domain is not None and change not in domain.source.changes[-1:]:
        host.domains.change(domain, change)
