"""To which NUMA nodes PCI devices belong: XEN_SYSCTL_pcitopoinfo (xen/include/public/sysctl.h)."""

import re
import struct
from pathlib import Path

from xend.hypervisor.topology import DeviceNode
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.layouts import PCI_DEVICE, PCI_TOPOLOGY_INFO
from xend.hypervisor.xen.refusal import refusing

PCITOPOINFO = 22
#: Where Linux lists PCI devices.  NetBSD has no such list, only a file for each bus: there no device is told,
#: as by Xen's own tools.
LINUX_DEVICES = Path("/sys/bus/pci/devices")
#: XEN_INVALID_DEV: the hypervisor knows no such device; above it, no node of it.
_UNKNOWN = 0xFFFFFFFE
_ADDRESS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")


class PciNodes:
    """Every method raises HypervisorError.

    listed: a directory with an entry for each PCI device, named by its address; there may be none.
    """

    def __init__(self, calls: Calls, listed: Path = LINUX_DEVICES) -> None:
        self._calls = calls
        self._listed = listed

    def all(self) -> list[DeviceNode]:
        """See `Control.device_nodes`."""
        found = self._addresses()
        if not found:
            return []
        nodes_at = len(found) * PCI_DEVICE.size
        rows = b"".join(_packed(match) for match in found)
        with (
            refusing("the hypervisor does not tell the nodes of PCI devices"),
            self._calls.answer(nodes_at + 4 * len(found)) as memory,
        ):
            with memoryview(memory) as view:
                view[:nodes_at] = rows
            done = 0
            while done < len(found):  # it takes only so many at a time
                asked = PCI_TOPOLOGY_INFO.pack(
                    num_devs=len(found) - done,
                    devs=memory.address + done * PCI_DEVICE.size,
                    nodes=memory.address + nodes_at + 4 * done,
                )
                told = PCI_TOPOLOGY_INFO.unpack(self._calls.sysctl(PCITOPOINFO, asked))["num_devs"]
                done += max(1, told)
            with memoryview(memory) as view:
                nodes = struct.unpack_from(f"={len(found)}I", view, nodes_at)
        return [
            DeviceNode(match[0], node) for match, node in zip(found, nodes, strict=True) if node < _UNKNOWN
        ]

    def _addresses(self) -> list[re.Match[str]]:
        try:
            names = sorted(entry.name for entry in self._listed.iterdir())
        except OSError:
            return []
        return [match for match in map(_ADDRESS.fullmatch, names) if match is not None]


def _packed(address: re.Match[str]) -> bytes:
    segment, bus, device, function = (int(word, 16) for word in address.groups())
    return PCI_DEVICE.pack(seg=segment, bus=bus, devfn=device << 3 | function)
