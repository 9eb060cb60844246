"""Disks that the guest of an hvm domain cannot be rid of: emulated, and paravirtual beside that."""

from collections.abc import Sequence

from xend.config import DomainConfig
from xend.errors import XendError
from xend.host import Host
from xend.model.part import UNPLUGGED_SINCE, Drive, Part

__all__ = ["twins_of"]


async def twins_of(host: Host, config: DomainConfig, parts: Sequence[Part]) -> list[XendError]:
    """A warning of each emulated disk that the host's device model does not unplug, whatever a guest asks.

    Where nothing tells a guest of paravirtual devices, it uses none.

    Raises:
        XendError: there is no device model.
    """
    if config.machine is None or not config.machine.devices.platform_pci:
        return []
    drives = [part.drive for part in parts if part.drive is not None and not part.drive.is_cdrom]
    staying = [drive for drive in drives if drive.bus in UNPLUGGED_SINCE]
    if not staying:
        return []
    program = host.models.system.program(config.device_model.program, host.settings.platform)
    version = await host.models.system.version(program) or (0, 0)
    return [
        _warning(drive, program, config.name) for drive in staying if version < UNPLUGGED_SINCE[drive.bus]
    ]


def _warning(drive: Drive, program: str, name: str) -> XendError:
    since = "{}.{}".format(*UNPLUGGED_SINCE[drive.bus])
    return XendError(
        "unsupported",
        f"{drive.label}: {program} is a QEMU before {since}, which unplugs no {drive.bus} disks: its guest "
        "has it twice, emulated and paravirtual, and loses what it writes by both",
        domain=name,
        device=drive.label,
        hint="leave hdtype out, or have its kernel use one of them: Linux takes xen_emul_unplug=never",
    )
