"""The tables of the running release's structures, against the headers of Xen that are here.

A C program says where each field is, how large it is, and how large each structure; and each number's value.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import lacking
from tests.xen.packages import cache
from tests.xen.userland import SUITES
from xend.hypervisor.control import QUARANTINE, TRIGGERS
from xend.hypervisor.xen import (
    access,
    boot_parameters,
    calls,
    cards,
    creation,
    domains,
    host,
    layouts,
    messages,
    parameters,
    pci_nodes,
    pool_scheduler,
    pools,
    scheduler,
    security,
    soft_reset,
    vcpus,
)
from xend.hypervisor.xen.layouts import Layout, Release, release_of

#: The sizes of what is not read to its end.
CUT_SHORT = {"xen_domctl_getdomaininfo"}
#: Parts of another layout's structure.
PARTS = (layouts.SCHEDULER_VCPUS, layouts.FLASK_LOAD, layouts.FLASK_CONTEXT, layouts.FLASK_RELABEL)

#: What the headers call our numbers.
NUMBERS = {
    "__HYPERVISOR_memory_op": calls.MEMORY_OP,
    "__HYPERVISOR_xen_version": calls.XEN_VERSION,
    "__HYPERVISOR_xsm_op": calls.XSM_OP,
    "__HYPERVISOR_sched_op": calls.SCHED_OP,
    "__HYPERVISOR_event_channel_op": calls.EVENT_CHANNEL_OP,
    "__HYPERVISOR_physdev_op": calls.PHYSDEV_OP,
    "__HYPERVISOR_hvm_op": calls.HVM_OP,
    "__HYPERVISOR_sysctl": calls.SYSCTL_OP,
    "__HYPERVISOR_domctl": calls.DOMCTL_OP,
    "__HYPERVISOR_hypfs_op": calls.HYPFS_OP,
    "XEN_DOMCTL_createdomain": calls.CREATEDOMAIN,
    "XEN_DOMCTL_destroydomain": domains.DESTROY,
    "XEN_DOMCTL_pausedomain": domains.PAUSE,
    "XEN_DOMCTL_unpausedomain": domains.UNPAUSE,
    "XEN_DOMCTL_getdomaininfo": domains.GETDOMAININFO,
    "XEN_DOMCTL_max_mem": domains.MAX_MEM_OP,
    "XEN_DOMCTL_max_vcpus": creation.MAX_VCPUS_OP,
    "XEN_DOMCTL_settimeoffset": creation.SETTIMEOFFSET,
    "XEN_DOMCTL_settscinfo": creation.SETTSCINFO,
    "XEN_DOMCTL_soft_reset": soft_reset.SOFT_RESET,
    "XEN_DOMCTL_setvcpuaffinity": vcpus.SETVCPUAFFINITY,
    "XEN_DOMCTL_getvcpuaffinity": vcpus.GETVCPUAFFINITY,
    "XEN_DOMCTL_getvcpuinfo": vcpus.GETVCPUINFO,
    "XEN_DOMCTL_getnodeaffinity": vcpus.GETNODEAFFINITY,
    "XEN_VCPUAFFINITY_HARD": vcpus.HARD,
    "XEN_VCPUAFFINITY_SOFT": vcpus.SOFT,
    "XEN_VCPUAFFINITY_FORCE": vcpus.FORCE,
    "XEN_DOMCTL_scheduler_op": scheduler.SCHEDULER_OP_OP,
    "XEN_DOMCTL_SCHEDOP_putinfo": scheduler.PUT,
    "XEN_DOMCTL_SCHEDOP_getinfo": scheduler.GET,
    "XEN_DOMCTL_SCHEDOP_putvcpuinfo": scheduler.PUT_VCPUS,
    "XEN_DOMCTL_SCHEDOP_getvcpuinfo": scheduler.GET_VCPUS,
    "XEN_DOMCTL_SCHEDRT_extra": scheduler._EXTRA,
    "XEN_DOMCTL_irq_permission": access.IRQ_PERMISSION_OP,
    "XEN_DOMCTL_iomem_permission": access.IOMEM_PERMISSION_OP,
    "XEN_DOMCTL_ioport_permission": access.IOPORT_PERMISSION_OP,
    "XEN_DOMCTL_memory_mapping": access.MEMORY_MAPPING_OP,
    "DPCI_ADD_MAPPING": access._ADD,
    "PHYSDEVOP_map_pirq": access.MAP_PIRQ_OP,
    "PHYSDEVOP_unmap_pirq": access.UNMAP_PIRQ_OP,
    "MAP_PIRQ_TYPE_GSI": access._GSI,
    "XEN_DOMCTL_assign_device": cards.ASSIGN_DEVICE_OP,
    "XEN_DOMCTL_test_assign_device": cards.TEST_ASSIGN_DEVICE_OP,
    "XEN_DOMCTL_deassign_device": cards.DEASSIGN_DEVICE_OP,
    "XEN_DOMCTL_DEV_PCI": cards._PCI,
    "XEN_DOMCTL_DEV_RDM_RELAXED": cards._RDM_RELAXED,
    "DOMID_INVALID": cards.DOMID_INVALID,
    "DOMID_IO": QUARANTINE,
    "XEN_DOMCTL_sendtrigger": domains.SENDTRIGGER,
    **{f"XEN_DOMCTL_SENDTRIGGER_{name.upper()}": number for number, name in enumerate(TRIGGERS)},
    "XEN_SYSCTL_getdomaininfolist": domains.GETDOMAININFOLIST,
    "XEN_SYSCTL_physinfo": host.PHYSINFO,
    "XEN_SYSCTL_sched_id": host.SCHED_ID_OP,
    "XEN_SYSCTL_cputopoinfo": host.CPUTOPOINFO,
    "XEN_SYSCTL_getcpuinfo": host.GETCPUINFO,
    "XEN_SYSCTL_numainfo": host.NUMAINFO,
    **{f"XEN_SCHEDULER_{name.upper()}": number for number, name in host.SCHEDULERS.items()},
    "XENMEM_get_sharing_freed_pages": host.SHARING_FREED_PAGES,
    "XENMEM_get_sharing_shared_pages": host.SHARING_SHARED_PAGES,
    "XENMEM_claim_pages": domains.CLAIM_PAGES,
    "XEN_SYSCTL_readconsole": messages.READCONSOLE,
    "XEN_SYSCTL_debug_keys": messages.DEBUG_KEYS_OP,
    "XEN_SYSCTL_pcitopoinfo": pci_nodes.PCITOPOINFO,
    "XEN_SYSCTL_scheduler_op": pool_scheduler.SCHEDULER_OP_OP,
    "XEN_SYSCTL_SCHEDOP_putinfo": pool_scheduler.PUT,
    "XEN_SYSCTL_SCHEDOP_getinfo": pool_scheduler.GET,
    "XEN_SYSCTL_cpupool_op": pools.CPUPOOL_OP_OP,
    "XEN_SYSCTL_CPUPOOL_OP_CREATE": pools.CREATE,
    "XEN_SYSCTL_CPUPOOL_OP_DESTROY": pools.DESTROY,
    "XEN_SYSCTL_CPUPOOL_OP_INFO": pools.INFO,
    "XEN_SYSCTL_CPUPOOL_OP_ADDCPU": pools.ADD_CPU,
    "XEN_SYSCTL_CPUPOOL_OP_RMCPU": pools.REMOVE_CPU,
    "XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN": pools.MOVE_DOMAIN,
    "XEN_SYSCTL_CPUPOOL_OP_FREEINFO": pools.FREE_INFO,
    "XEN_SYSCTL_CPUPOOL_PAR_ANY": pools._ANY,
    "XEN_HYPFS_OP_read": boot_parameters.READ,
    "XEN_HYPFS_OP_write_contents": boot_parameters.WRITE,
    "XEN_HYPFS_TYPE_STRING": boot_parameters.STRING,
    "XEN_HYPFS_TYPE_UINT": boot_parameters.UNSIGNED,
    "XEN_HYPFS_TYPE_INT": boot_parameters.SIGNED,
    "XEN_HYPFS_TYPE_BOOL": boot_parameters.BOOLEAN,
    "FLASK_LOAD": security.LOAD,
    "FLASK_GETENFORCE": security.GETENFORCE,
    "FLASK_SETENFORCE": security.SETENFORCE,
    "FLASK_CONTEXT_TO_SID": security.CONTEXT_TO_SID,
    "FLASK_RELABEL_DOMAIN": security.RELABEL_DOMAIN,
    "XEN_FLASK_INTERFACE_VERSION": security.INTERFACE_VERSION,
    "SCHEDOP_remote_shutdown": domains.REMOTE_SHUTDOWN_OP,
    "SCHEDOP_watchdog": domains.WATCHDOG_OP,
    "EVTCHNOP_alloc_unbound": soft_reset.EVTCHNOP_ALLOC_UNBOUND,
    "HVMOP_set_param": parameters.HVMOP_SET_PARAM,
    "HVMOP_get_param": parameters.HVMOP_GET_PARAM,
    "HVM_PARAM_CALLBACK_IRQ": parameters.CALLBACK_IRQ,
    "HVM_PARAM_ACPI_S_STATE": parameters.ACPI_S_STATE,
    "HVM_PARAM_STORE_EVTCHN": parameters.STORE_EVTCHN,
    "HVM_PARAM_CONSOLE_EVTCHN": parameters.CONSOLE_EVTCHN,
}

PROGRAM = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>
#include <xen/event_channel.h>
#include <xen/physdev.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hypfs.h>
#include <xen/xsm/flask_op.h>

int main(void)
{
    printf("domctl %d\\n", XEN_DOMCTL_INTERFACE_VERSION);
    printf("sysctl %d\\n", XEN_SYSCTL_INTERFACE_VERSION);
%s
    return 0;
}
"""


def release_in(root: Path) -> Release | None:
    """That of the headers, by the version that pkg-config is told with them."""
    text = next(root.glob("usr/lib/*/pkgconfig/xencontrol.pc")).read_text()
    ((major, minor),) = re.findall(r"^Version: (\d+)\.(\d+)", text, re.MULTILINE)
    return release_of(int(major), int(minor))


@pytest.fixture(scope="module", params=["", *SUITES.values()], ids=lambda suite: suite or "installed")
def root(request: pytest.FixtureRequest) -> Path:
    """Of a Debian with headers of Xen: this machine's, and those that tests/xen fetched."""
    root = cache() / request.param / "root" if request.param else Path("/")
    if request.param and not root.exists():
        pytest.skip(f"Debian {request.param} was not fetched (make test-xen XEN=...)")
    if shutil.which("gcc") is None:
        lacking("gcc is not installed")
    if not (root / "usr/include/xen/domctl.h").exists():
        lacking("Xen's headers are not installed (libxen-dev)")
    return root


@pytest.fixture(scope="module")
def release(root: Path) -> Release:
    found = release_in(root)
    if found is None:
        lacking(f"the headers in {root} are of no release of Xen that is known")
    return found


@pytest.fixture(scope="module")
def told(root: Path, release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """What the program says: numbers by name."""
    place = tmp_path_factory.mktemp("layouts")
    lines = []
    for layout in layouts_of(release):
        lines.append(f'    printf("{layout.name} %zu\\n", sizeof(struct {layout.name}));')
        lines += [
            f'    printf("{layout.name}.{field} %zu %zu\\n", offsetof(struct {layout.name}, {field}), '
            f"sizeof(((struct {layout.name} *)0)->{field}));"
            for field in layout.places()
        ]
    lines += [f'    printf("{name} %lld\\n", (long long)({name}));' for name in NUMBERS]
    (place / "program.c").write_text(PROGRAM.replace("%s", "\n".join(lines)))
    subprocess.run(["gcc", f"--sysroot={root}", "-o", place / "program", place / "program.c"], check=True)
    output = subprocess.run([place / "program"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in output.splitlines()]
    return {name: [int(word) for word in words] for name, *words in rows}


def layouts_of(release: Release) -> list[Layout]:
    common = [value for value in vars(layouts).values() if isinstance(value, Layout)]
    differing = [release.create, release.physinfo, release.irq_permission]
    return [layout for layout in common if not is_private(layout)] + differing


def is_private(layout: Layout) -> bool:
    """Whether it is one of those that differ, of which the release has its own."""
    return any(layout is value for name, value in vars(layouts).items() if name.startswith("_"))


@pytest.mark.peer
def test_versions(release: Release, told: dict[str, list[int]]) -> None:
    assert [told["domctl"], told["sysctl"]] == [[release.domctl], [release.sysctl]]


@pytest.mark.peer
def test_numbers(told: dict[str, list[int]]) -> None:
    assert {name: [number] for name, number in NUMBERS.items()} == {name: told[name] for name in NUMBERS}


@pytest.mark.peer
def test_fields(release: Release, told: dict[str, list[int]]) -> None:
    ours = {
        f"{layout.name}.{field}": list(place)
        for layout in layouts_of(release)
        for field, place in layout.places().items()
    }
    assert len(ours) > 100
    assert ours == {name: told[name] for name in ours}


@pytest.mark.peer
def test_sizes(release: Release, told: dict[str, list[int]]) -> None:
    ours = {
        layout.name: [layout.size]
        for layout in layouts_of(release)
        if layout not in PARTS and layout.name not in CUT_SHORT
    }
    # What is read of the last bytes does not matter where alignment ends a structure.
    assert ours == {name: told[name] for name in ours}
    assert told["xen_domctl_getdomaininfo"] == [release.domain_info_size]
