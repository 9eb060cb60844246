"""device.insert and device.eject: discs of virtual CD drives."""

from typing import Any

from xend.bus.kinds import BYTES, DOMAIN, FLAG, TEXT
from xend.bus.methods import OPERATION, Call, Method, optional, required
from xend.calls.starter import OperationStarter
from xend.config.disk import DiskConfig
from xend.device.kinds import KINDS, with_verb
from xend.device.stored import device_in_store
from xend.domain.medium import EjectFacts, InsertFacts, MediumFacts, spec_of
from xend.domain.source import device_of_spec
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained

Result = dict[str, Any]


class MediaCalls:
    """The methods, over a host."""

    def __init__(self, host: Host, starter: OperationStarter, targets: Targets) -> None:
        self._host = host
        self._starter = starter
        self._targets = targets

    def methods(self) -> list[Method]:
        """Both of them."""
        which = {"domain": required(DOMAIN), "device": required(TEXT)}
        how = {"dry_run": optional(FLAG), **OPERATION}
        return [
            Method(
                "device.insert",
                "operate",
                {**which, "target": required(BYTES), "directory": optional(BYTES), **how},
                self.insert,
            ),
            Method("device.eject", "operate", {**which, **how}, self.eject),
        ]

    async def insert(
        self,
        call: Call,
        domain: str | int,
        device: str,
        target: str,
        directory: str | None = None,
        **how: Any,
    ) -> Result:
        return await self._change(InsertFacts, domain, device, target, how, directory)

    async def eject(self, call: Call, domain: str | int, device: str, **how: Any) -> Result:
        return await self._change(EjectFacts, domain, device, None, how)

    async def _change(
        self,
        made: type[MediumFacts],
        domain: str | int,
        device: str,
        disc: str | None,
        how: dict[str, Any],
        directory: str | None = None,
    ) -> Result:
        async def prepare() -> MediumFacts:
            target = (await self._targets.find(domain)).require_guest("change a disc of")
            kind, drive = _drive(target, device, made.KIND.removeprefix("device."))
            wanted = device_of_spec(kind, spec_of(drive, disc), directory, made.KIND)
            before, spec = spec_of(drive, drive.target), spec_of(drive, wanted.target)
            if drive.is_emulated_only:
                return made(**target.identity, device=None, devid=drive.devid, before=before, spec=spec)
            with explained("look for the drive", target.name):
                found = await device_in_store(self._host, target.domid, kind, drive.devid)
            if found is None:
                raise XendError(
                    "no_such_device",
                    f"{target.name}: its drive {drive.name} is not there at present",
                    domain=target.name,
                    hint=f"xl device-explain {target.name} {drive.name} says what became of it",
                )
            if KINDS[kind].is_of_model(found):
                raise XendError(
                    "unsupported",
                    f"{target.name}: the drive {drive.name} is served by a device model (qemu), which takes "
                    "no other disc as long as a paravirtual guest has it",
                    domain=target.name,
                    hint="a drive of dom0's kernel does: leave backendtype out, and use a raw image",
                )
            return made(**target.identity, device=found, before=before, spec=spec)

        locks = (await self._targets.find(domain)).locks
        return await self._starter.run_in_turn(locks, prepare, **how)


def _drive(target: Target, device: str, verb: str) -> tuple[str, DiskConfig]:
    """The type of the CD drive that is meant, and the drive.

    It is named as in the configuration or in lists, or by its number.

    Raises:
        XendError: no_such_device; wrong_state: it is a disk, or the domain is another toolstack's.
    """
    config = target.require_managed("change a disc of").config
    disks = [(kind, disk) for kind in with_verb(verb) for disk in config.of_kind(kind)]
    for kind, disk in disks:
        if device.removeprefix(f"{kind} ") in (disk.vdev, disk.name, str(disk.devid)):
            if disk.is_cdrom:
                return kind, disk
            raise XendError(
                "wrong_state",
                f"{target.name}: {disk.name} is a disk, not a CD drive",
                domain=target.name,
                hint="a drive has devtype=cdrom in the configuration; disks: xl block-detach and -attach",
            )
    drives = ", ".join(disk.name for _, disk in disks if disk.is_cdrom) or "none"
    raise XendError(
        "no_such_device",
        f"{target.name} has no CD drive {device}",
        domain=target.name,
        hint=f"it has: {drives}",
    )
