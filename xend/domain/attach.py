"""device.attach and device.detach: a device of a domain that exists, put in or taken out."""

from typing import Any

import attrs

from xend.device.device import Device, device_of_fields
from xend.device.kinds import KINDS
from xend.device.plug import plug_of
from xend.domain.device_model import check_attach, has_tree
from xend.domain.model_images import give_image, let_go
from xend.domain.sharing import claim_disk, settle
from xend.domain.source import device_of_change
from xend.host import Host
from xend.operation.facts import AnyDomainFacts
from xend.operation.steps import Step, Work, nothing
from xend.validators import count, typed


def device_of(host: Host, domid: int, change: dict[str, Any], backend_domid: int) -> Device:
    """The device of a change of Source.changes, whose backend is in `backend_domid`.

    Raises:
        XendError: bad_config, unsupported.
    """
    make = KINDS[change["kind"]].make
    assert make is not None
    return make(domid, device_of_change(change), host.settings, backend_domid=backend_domid)


@attrs.define(kw_only=True)
class AttachFacts(AnyDomainFacts):
    """Those of device.attach: the change of Source.changes, and which domain has the device's backend."""

    KIND = "device.attach"

    change: dict[str, Any] = attrs.field(validator=typed(dict))
    backend_domid: int = attrs.field(validator=count)


@attrs.define(kw_only=True)
class DetachFacts(AnyDomainFacts):
    """Those of device.detach; force: it is taken out whether the guest lets go of it or not."""

    KIND = "device.detach"

    device: Device = attrs.field(converter=device_of_fields)
    force: bool = attrs.field(validator=typed(bool))


def attach_steps(host: Host, facts: AttachFacts) -> list[Step]:
    """The steps of device.attach."""
    device = device_of(host, facts.domid, facts.change, facts.backend_domid)
    kind = KINDS[device.kind]
    part = kind.model_part(device_of_change(facts.change), host.settings)
    is_shown = kind.is_of_model(device) and has_tree(host, facts.domid)
    image = part.image if is_shown else None
    plug = plug_of(host, kind.model_shows(device) if is_shown else device)

    def refuse() -> None:
        check_attach(host, device, part, facts.name)
        if kind.is_disk:
            claim_disk(host, facts.uuid, facts.name, device_of_change(facts.change))

    async def check(work: Work) -> None:
        await plug.check(work, refuse)
        work.result |= {"device": device.name, "devid": device.devid}

    async def free(work: Work) -> None:
        settle(host, facts.uuid, device.devid)

    async def give(work: Work) -> None:
        assert image is not None
        await give_image(host, work, facts.domid, facts.name, image)

    async def release(work: Work) -> None:
        assert image is not None
        await let_go(host, work, facts.domid, facts.name, [image])

    async def remember_it(work: Work) -> None:
        remember(host, facts.uuid, facts.change)

    giving, releasing = [], []
    if image is not None:
        name = f"{device.name}: give its device model its image"
        giving = [Step(f"{plug.key}.give-image", name, give, release)]
        name = f"{device.name}: have its device model let go of its image"
        releasing = [Step(f"{plug.key}.let-go", name, release, nothing)]
    return [
        Step(f"{plug.key}.check", f"{device.name}: check what it needs", check, free),
        *giving,
        *plug.attach(),
        *releasing,
        Step(f"{plug.key}.remember", f"{device.name}: remember it", remember_it),
    ]


def detach_steps(host: Host, facts: DetachFacts) -> list[Step]:
    """The steps of device.detach."""
    device = facts.device
    plug = plug_of(host, device)

    async def forget_it(work: Work) -> None:
        remember(host, facts.uuid, {"kind": device.kind, "devid": device.devid})
        work.result |= {"device": device.name, "devid": device.devid}

    return [
        *(plug.detach() if facts.force else plug.detach_politely()),
        Step(f"{plug.key}.forget", f"{device.name}: forget it", forget_it),
    ]


def remember(host: Host, uuid: str, change: dict[str, Any]) -> None:
    """A change of Source.changes is part of a domain's configuration from now on; once, if done again."""
    domain = host.domains.by_uuid(uuid)
    if domain is None:
        if "spec" not in change and KINDS[change["kind"]].is_disk:
            settle(host, uuid, change["devid"])
        return
    if change not in domain.source.changes[-1:]:
        host.domains.change(domain, change)
    else:  # the name may lead to another disk by now
        host.domains.save(domain)
