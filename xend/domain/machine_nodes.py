"""What the firmware and the guest of an hvm domain find in the store of their machine.

Source: domain-build.md 5; guests.md 2; xen/include/public/hvm/hvm_xs_strings.h.
"""

import hashlib
from collections.abc import Mapping

from xend.config import DomainConfig

__all__ = ["generation_id", "machine_nodes"]


def machine_nodes(config: DomainConfig, uuid: str) -> Mapping[str, str]:
    """What hvmloader, and the guest, find below the domain's home."""
    wanted = config.machine
    if wanted is None:
        return {}
    words = {
        "hvmloader/bios": wanted.firmware.bios,
        "hvmloader/allow-memory-relocate": "0",
        **{f"bios-strings/{name}": text for name, text in wanted.firmware.smbios},
        "platform/acpi": _switch(wanted.acpi),
        "platform/acpi_s3": _switch(wanted.acpi_s3),
        "platform/acpi_s4": _switch(wanted.acpi_s4),
        "platform/acpi_laptop_slate": _switch(wanted.slate),
        "platform/device-model": "qemu_xen",
    }
    if wanted.hole_mib is not None:
        words["platform/mmio_hole_size"] = str(wanted.hole_mib << 20)
    if wanted.generation_id:
        words["platform/generation-id"] = generation_id(uuid)
    return words


def generation_id(uuid: str) -> str:
    """By what a guest tells itself from its clones and its past: the same in all lives of one domain."""
    digest = hashlib.sha256(f"xend generation {uuid}".encode()).digest()
    first, second = (int.from_bytes(digest[at : at + 8], "little") for at in (0, 8))
    return f"{first}:{second}"


def _switch(value: bool) -> str:
    return str(int(value))
