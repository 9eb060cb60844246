"""device.insert and device.eject: the disc of a virtual CD drive.

A paravirtual disk's backend is bound to one device for as long as it lives (blkback refuses another
number), so the drive is taken out of the guest and put in again with what is in it from then on.
"""

import attrs

from xend.config.disk import DiskConfig
from xend.device.device import Device, device_key, device_of_fields
from xend.device.kinds import KINDS
from xend.device.plug import Plug, plug_of
from xend.device.vbd import VBD
from xend.domain.attach import remember
from xend.domain.emulated_medium import check_disc, put_in, take_out
from xend.domain.sharing import claim_anew, claim_disk, settle
from xend.domain.source import device_of_spec
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work, nothing
from xend.validators import count, typed


def spec_of(drive: DiskConfig, target: str | None) -> str:
    """The specification of a CD drive with another disc, or with none."""
    words = {
        "format": drive.format,
        "vdev": drive.vdev,
        "access": "ro",
        "devtype": "cdrom",
        "backend": drive.backend,
        "backendtype": drive.backendtype,
        "script": drive.script,
        "target": target,  # last, as it takes the rest
    }
    flags = ["trusted" if drive.trusted else "untrusted"]
    flags += ["direct-io-safe"] if drive.direct_io_safe else []
    return ",".join([*flags, *(f"{key}={value}" for key, value in words.items() if value is not None)])


@attrs.define(kw_only=True)
class MediumFacts(Facts):
    """Those of device.insert and device.eject.

    Attributes:
        device: the drive as it stands in the store; None: its device model emulates it, and that is all.
        devid: the number of an emulated one.
        before, spec: its specification as it is, and as it is to be.
    """

    device: Device | None = attrs.field(converter=attrs.converters.optional(device_of_fields))
    before: str = attrs.field(validator=typed(str))
    spec: str = attrs.field(validator=typed(str))
    devid: int = attrs.field(default=0, validator=count)


@attrs.define(kw_only=True)
class InsertFacts(MediumFacts):
    """Those of device.insert."""

    KIND = "device.insert"


@attrs.define(kw_only=True)
class EjectFacts(MediumFacts):
    """Those of device.eject."""

    KIND = "device.eject"


def medium_steps(host: Host, facts: MediumFacts) -> list[Step]:
    """The steps of device.insert and device.eject."""
    if facts.device is None:
        return _Emulated(host, facts).steps()
    return Change(host, facts, facts.device).steps()


class _Emulated:
    """The steps of a drive that the device model emulates."""

    def __init__(self, host: Host, facts: MediumFacts) -> None:
        self.host = host
        self.facts = facts
        self.before, self.after = (
            attrs.evolve(_disk(spec), devid=facts.devid) for spec in (facts.before, facts.spec)
        )

    def steps(self) -> list[Step]:
        """In their order."""
        key, name = device_key(VBD.name, self.after.devid), VBD.label(self.after.name)
        steps = [
            Step(f"{key}.check", f"{name}: check what it needs", self.check, self.free),
            Step(f"{key}.take-out", f"{name}: have its disc taken out", self.take_out, nothing),
        ]
        if self.after.target is not None:
            steps.append(Step(f"{key}.put-in", f"{name}: have the disc put in", self.put_in, self.put_back))
        return [*steps, Step(f"{key}.remember", f"{name}: remember it", self.remember)]

    async def check(self, work: Work) -> None:
        check_disc(self.host, self.domid, self.facts.name, self.after)
        claim_disk(self.host, self.facts.uuid, self.facts.name, self.after, replaces=self.before)
        work.result |= {"device": VBD.label(self.after.name), "devid": self.after.devid}

    async def free(self, work: Work) -> None:
        settle(self.host, self.facts.uuid)

    async def take_out(self, work: Work) -> None:
        await take_out(self.host, work, self.domid, self.facts.name, self.before)

    async def put_in(self, work: Work) -> None:
        await put_in(self.host, work, self.domid, self.facts.name, self.after)

    async def put_back(self, work: Work) -> None:
        """The disc that was there."""
        if self.before.target is not None:
            await put_in(self.host, work, self.domid, self.facts.name, self.before)

    async def remember(self, work: Work) -> None:
        change = {"kind": VBD.name, "spec": self.facts.spec, "devid": self.after.devid}
        self.host.domains.claims.renew(self.facts.uuid, self.after.devid)
        remember(self.host, self.facts.uuid, change)

    @property
    def domid(self) -> int:
        assert self.facts.domid is not None
        return self.facts.domid


def _disk(spec: str) -> DiskConfig:
    config: DiskConfig = device_of_spec(VBD.name, spec)
    return config


class Change:
    """The steps; what fails once the old disc is out has it put in again."""

    def __init__(self, host: Host, facts: MediumFacts, there: Device) -> None:
        self.host = host
        self.facts = facts
        self.there = there
        self.before = self._drive(facts.before)
        self.after = self._drive(facts.spec)

    def steps(self) -> list[Step]:
        """In their order."""
        new = plug_of(self.host, self.after)
        close, script, remove = self._take_out()
        return [
            Step(f"{new.key}.check", f"{new.name}: check what it needs", self.check, self.free),
            close,
            attrs.evolve(script, undo=self.put_back),
            remove,
            *new.attach(),
            Step(f"{new.key}.remember", f"{new.name}: remember it", self.remember),
        ]

    def _take_out(self) -> list[Step]:
        """An empty drive is in nobody's use: its guest is not waited for."""
        old = plug_of(self.host, self.there)
        return old.detach() if self.there.is_empty else old.detach_politely()

    async def check(self, work: Work) -> None:
        await plug_of(self.host, self.after).check(work, self.claim)
        work.result |= {"device": self.after.name, "devid": self.after.devid}

    def claim(self) -> None:
        before, after = self._config(self.facts.before), self._config(self.facts.spec)
        claim_disk(self.host, self.facts.uuid, self.facts.name, after, replaces=before)

    async def free(self, work: Work) -> None:
        settle(self.host, self.facts.uuid)

    async def put_back(self, work: Work) -> None:
        """The drive as it was."""
        plug: Plug = plug_of(self.host, self.before)
        for do in (plug.add, plug.await_backend, plug.run_script):
            await do(work)
        domain = self.host.domains.by_uuid(self.facts.uuid)
        if domain is not None:
            claim_anew(self.host, domain.uuid, domain.name, self._config(self.facts.before))
            self.host.domains.save(domain)

    async def remember(self, work: Work) -> None:
        change = {"kind": self.there.kind, "spec": self.facts.spec, "devid": self.after.devid}
        self.host.domains.claims.renew(self.facts.uuid, self.after.devid)
        remember(self.host, self.facts.uuid, change)

    def _drive(self, spec: str) -> Device:
        make = KINDS[self.there.kind].make
        assert make is not None
        there = self.there
        return make(there.domid, self._config(spec), self.host.settings, backend_domid=there.backend_domid)

    def _config(self, spec: str) -> DiskConfig:
        config: DiskConfig = device_of_spec(self.there.kind, spec)
        return config
