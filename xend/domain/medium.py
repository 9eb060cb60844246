"""device.insert and device.eject: the disc of a virtual CD drive.

A paravirtual disk's backend is bound to one device for as long as it lives (blkback refuses another
number), so the drive is taken out of the guest and put in again with what is in it from then on.
"""

import attrs

from xend.config.disk import DiskConfig
from xend.device.device import Device, device_of_fields
from xend.device.kinds import KINDS
from xend.device.plug import Plug, plug_of
from xend.domain.attach import remember
from xend.domain.sharing import claim_anew, claim_disk, settle
from xend.domain.source import device_of_spec
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.validators import typed


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
        device: the drive as it stands in the store.
        before, spec: its specification as it is, and as it is to be.
    """

    device: Device = attrs.field(converter=device_of_fields)
    before: str = attrs.field(validator=typed(str))
    spec: str = attrs.field(validator=typed(str))


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
    return Change(host, facts).steps()


class Change:
    """The steps; what fails once the old disc is out has it put in again."""

    def __init__(self, host: Host, facts: MediumFacts) -> None:
        self.host = host
        self.facts = facts
        self.there = facts.device
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
