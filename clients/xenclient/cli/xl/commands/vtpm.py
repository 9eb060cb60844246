"""xl vtpm-attach, vtpm-detach and vtpm-list: a domain's virtual TPMs.

Source of the table: what Debian's xl 4.17 prints (tools/xl/xl_vtpm.c).
"""

from __future__ import annotations

from xenclient.cli.xl.device_type import DeviceType, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.device_type import Device

HEADER = f"Idx BE {'Uuid':<36} handle state evt-ch ring-ref {'BE-path':<10}"
NO_UUID = "00000000-0000-0000-0000-000000000000"


def row(device: Device) -> str:
    """A TPM; its handle is its number, as from Xen's xl."""
    front = device["frontend"]
    return (
        f"{device['devid']:<3d} {device['backend_domid']:<2d} {uuid(device)} {device['devid']:6d} "
        f"{number(front, 'state'):5d} {number(front, 'event-channel'):6d} {number(front, 'ring-ref'):8d} "
        f"{device['backend_path']:<30}"
    )


def uuid(device: Device) -> str:
    """A TPM's UUID; NO_UUID where the stub domain, whose node it is, has written something else."""
    text: str = device["backend"].get("uuid", "")
    shape = "".join("-" if each == "-" else "0" for each in text if each in "-0123456789abcdef")
    return text if shape == NO_UUID and len(text) == len(NO_UUID) else NO_UUID


TPM = DeviceType("vtpm")

VTPM_ATTACH = TPM.attach("DOM backend=DOM [uuid=UUID]")
VTPM_DETACH = TPM.detach("DOM DEVID|UUID")
VTPM_LIST = TPM.list_(HEADER, row)
