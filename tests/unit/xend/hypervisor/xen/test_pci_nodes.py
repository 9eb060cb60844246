"""To which NUMA nodes PCI devices belong."""

import errno
from pathlib import Path

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.topology import DeviceNode
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.pci_nodes import PciNodes


def test_devices(machine: Machine, calls: Calls, tmp_path: Path) -> None:
    for name in ("0000:00:1f.3", "0001:02:00.0", "0000:00:02.0", "0000:00:03.0", "something"):
        (tmp_path / name).mkdir()
    machine.device_nodes = {(0, 0, 0x1F << 3 | 3): 1, (1, 2, 0): 0, (0, 0, 2 << 3): 0xFFFFFFFF}
    found = PciNodes(calls, tmp_path).all()
    assert found == [DeviceNode("0000:00:1f.3", 1), DeviceNode("0001:02:00.0", 0)]
    machine.refused["sysctl", 22] = errno.EPERM
    with refused(errno.EPERM):
        PciNodes(calls, tmp_path).all()


def test_no_list_of_devices(calls: Calls, tmp_path: Path) -> None:
    assert PciNodes(calls, tmp_path / "none").all() == []
