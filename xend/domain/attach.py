"""device.attach and device.detach: a device of a domain that exists, put in or taken out."""

from typing import Any

import attrs

from xend.device.device import Device
from xend.device.plug import plug_of
from xend.device.vbd import vbd_device
from xend.device.vif import vif_device
from xend.domain.sharing import claim_disk, settle
from xend.domain.source import disk_of_change, vif_of
from xend.host import Host
from xend.operation.steps import Plan, Step, Work


def device_of(host: Host, domid: int, change: dict[str, Any], backend_domid: int) -> Device:
    """The device of a change of Source.changes, whose backend is in `backend_domid`.

    Raises:
        XendError: bad_config, unsupported.
    """
    if change["kind"] == "vbd":
        return vbd_device(
            domid,
            disk_of_change(change),
            host.settings,
            backend_domid=backend_domid,
        )
    vif = attrs.evolve(vif_of(change["spec"]), mac=change["mac"], devid=change["devid"])
    return vif_device(domid, vif, host.settings, backend_domid=backend_domid)


def attach_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, uuid, change, backend_domid}."""
    device = device_of(host, facts["domid"], facts["change"], facts.get("backend_domid", 0))
    plug = plug_of(host, device)

    def claim() -> None:
        if device.kind == "vbd":
            claim_disk(host, facts["uuid"], facts["name"], disk_of_change(facts["change"]))

    async def check(work: Work) -> None:
        await plug.check(work, claim)
        work.result |= {"device": device.name, "devid": device.devid}

    async def free(work: Work) -> None:
        settle(host, facts["uuid"])

    async def remember_it(work: Work) -> None:
        remember(host, facts["uuid"], facts["change"])

    return Plan(
        kind="device.attach",
        domain=facts["name"],
        facts=facts,
        steps=[
            Step(f"{device.name}: check what it needs", check, free),
            *plug.attach(),
            Step(f"{device.name}: remember it", remember_it),
        ],
        on_crash="undo",
    )


def detach_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, uuid, device, force}."""
    device = Device(**facts["device"])
    plug = plug_of(host, device)

    async def forget_it(work: Work) -> None:
        remember(host, facts["uuid"], {"kind": device.kind, "devid": device.devid})
        work.result |= {"device": device.name, "devid": device.devid}

    return Plan(
        kind="device.detach",
        domain=facts["name"],
        facts=facts,
        steps=[
            *(plug.detach() if facts["force"] else plug.detach_politely()),
            Step(f"{device.name}: forget it", forget_it),
        ],
        on_crash="resume",
    )


def remember(host: Host, uuid: str, change: dict[str, Any]) -> None:
    """A change of Source.changes is part of a domain's configuration from now on; once, if done again."""
    domain = host.domains.by_uuid(uuid)
    if domain is None:
        return
    if change not in domain.source.changes[-1:]:
        host.domains.change(domain, change)
    else:  # the name may lead to another disk by now
        host.domains.save(domain)
