"""The host: XEN_SYSCTL_physinfo, sched_id, topology; XENVER_*; XENMEM_get_sharing_*.

Source: xen/include/public/{sysctl,version,memory}.h
"""

import errno
import os
import struct
from typing import Any, Literal

from xend.hypervisor import HostInfo, HypervisorError, Leaf
from xend.hypervisor.topology import Cpu, Node
from xend.hypervisor.xen.calls import EXTRA_SIZE, MEMORY_OP, Calls
from xend.hypervisor.xen.layouts import (
    COMPILE_INFO,
    CPU_INFO,
    CPU_LEAF,
    CPU_POLICY,
    CPU_TOPOLOGY,
    CPU_TOPOLOGY_INFO,
    NODE_MEMORY,
    NUMA_INFO,
    SCHED_ID,
)
from xend.hypervisor.xen.refusal import refusing
from xenstore.platform.hypercalls import PAGE_SIZE

PAGE_KIB = PAGE_SIZE // 1024

PHYSINFO = 3
SCHED_ID_OP = 4
CPUTOPOINFO = 16
GETCPUINFO = 8
NUMAINFO = 17
GET_CPU_POLICY = 29
#: XEN_SYSCTL_cpu_policy_*_max; and more leaves than any has.
POLICIES = {"pv": 2, "hvm": 3}
LEAVES_MAX = 4096
_NO_POLICY = "the hypervisor does not tell what the host's processor can"

VERSION = 0
EXTRAVERSION = 1
COMPILE = 2
CAPABILITIES = 3
CHANGESET = 4
PLATFORM_PARAMETERS = 5
PAGESIZE = 7
COMMANDLINE = 9
BUILD_ID = 10

#: XENMEM_get_sharing_{freed,shared}_pages.
SHARING_FREED_PAGES, SHARING_SHARED_PAGES = 18, 19

#: Bits of physinfo's capabilities (XEN_SYSCTL_PHYSCAP_*).
CAN_HVM, CAN_PV, CAN_DIRECTIO, CAN_HAP, CAN_SHADOW = (1 << bit for bit in range(5))
CAN_TRACE, CAN_VPMU, GRANTS_V1, GRANTS_V2 = (1 << bit for bit in range(6, 10))
#: What `xl info` calls each, which of these bits it takes, in its order.
VIRTUALIZATION = (
    ("pv", CAN_PV),
    ("hvm", CAN_HVM),
    ("hvm_directio", CAN_HVM | CAN_DIRECTIO),
    ("pv_directio", CAN_PV | CAN_DIRECTIO),
    ("hap", CAN_HAP),
    ("shadow", CAN_SHADOW),
    ("iommu_hap_pt_share", 1 << 5),
    ("vmtrace", CAN_TRACE),
    ("vpmu", CAN_VPMU),
    ("gnttab-v1", GRANTS_V1),
    ("gnttab-v2", GRANTS_V2),
)

#: XEN_SCHEDULER_*, and what `xl info` calls them.
SCHEDULERS = {5: "credit", 6: "credit2", 7: "arinc653", 8: "rtds", 9: "null"}

#: What a core, socket, node or distance is that there is not (XEN_INVALID_*).
_NONE = 0xFFFFFFFF


class Host:
    """Asks the hypervisor.  Every method raises HypervisorError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def info(self) -> HostInfo:
        """All of it, now."""
        facts = self.physinfo()
        with refusing("the hypervisor's version cannot be read"):
            compiled = COMPILE_INFO.unpack(self._calls.version(COMPILE, COMPILE_INFO.size))
            version = self._calls.version_result(VERSION)
            (start,) = struct.unpack("=Q", self._calls.version(PLATFORM_PARAMETERS, 8))
            return HostInfo(
                nr_cpus=facts["nr_cpus"],
                nr_nodes=facts["nr_nodes"],
                cores_per_socket=facts["cores_per_socket"],
                threads_per_core=facts["threads_per_core"],
                cpu_khz=facts["cpu_khz"],
                hw_caps=struct.unpack("=8I", facts["hw_cap"]),
                virt_caps=[name for name, bits in VIRTUALIZATION if facts["capabilities"] & bits == bits],
                total_memory_kib=facts["total_pages"] * PAGE_KIB,
                # As `xl info` has it: claimed memory is not free.
                free_memory_kib=(facts["free_pages"] - facts["outstanding_pages"]) * PAGE_KIB,
                outstanding_claims_kib=facts["outstanding_pages"] * PAGE_KIB,
                xen_major=version >> 16,
                xen_minor=version & 0xFFFF,
                xen_extra=self._text(EXTRAVERSION, 16),
                xen_caps=self._text(CAPABILITIES, 1024),
                xen_scheduler=self.scheduler(),
                xen_pagesize=self._calls.version_result(PAGESIZE),
                virt_start=start,
                xen_changeset=self._text(CHANGESET, 64),
                xen_commandline=self._text(COMMANDLINE, 1024),
                cc_compiler=_text(compiled["compiler"]),
                cc_compile_by=_text(compiled["compile_by"]),
                cc_compile_domain=_text(compiled["compile_domain"]),
                cc_compile_date=_text(compiled["compile_date"]),
                build_id=self._build_id(),
                sharing_freed_kib=self._shared_kib(SHARING_FREED_PAGES),
                sharing_used_kib=self._shared_kib(SHARING_SHARED_PAGES),
            )

    def physinfo(self) -> dict[str, Any]:
        """The fields of XEN_SYSCTL_physinfo, by their names in C."""
        with refusing("the hypervisor does not tell about the host"):
            return self._calls.release.physinfo.unpack(self._calls.sysctl(PHYSINFO))

    def scheduler(self) -> str:
        """The name of the scheduler of pool 0."""
        with refusing("the hypervisor does not tell its scheduler"):
            return scheduler_name(SCHED_ID.unpack(self._calls.sysctl(SCHED_ID_OP))["sched_id"])

    def topology(self) -> list[Cpu]:
        """The host's CPUs by rising number, those that are offline included."""
        with refusing("the hypervisor does not tell the host's topology"):
            size = CPU_TOPOLOGY.size
            count = CPU_TOPOLOGY_INFO.unpack(self._calls.sysctl(CPUTOPOINFO))["num_cpus"]
            with self._calls.answer(count * size) as memory:
                asked = CPU_TOPOLOGY_INFO.pack(num_cpus=count, cputopo=memory.address)
                told = CPU_TOPOLOGY_INFO.unpack(self._calls.sysctl(CPUTOPOINFO, asked))["num_cpus"]
                rows = [CPU_TOPOLOGY.unpack(memory, row * size) for row in range(min(count, told))]
        return [
            Cpu(number, _known(row["core"]), _known(row["socket"]), _known(row["node"]))
            for number, row in enumerate(rows)
        ]

    def cpu_policy(self, type: Literal["pv", "hvm"]) -> list[Leaf] | None:
        """See `Control.cpu_policy`."""
        index = POLICIES[type]
        try:
            count = CPU_POLICY.unpack(self._calls.sysctl(GET_CPU_POLICY, CPU_POLICY.pack(index=index)))
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
                return None
            raise HypervisorError(error.errno or errno.EIO, _NO_POLICY) from error
        with refusing(_NO_POLICY):
            size, leaves = CPU_LEAF.size, min(count["nr_leaves"], LEAVES_MAX)
            with self._calls.answer(leaves * size) as memory:
                asked = CPU_POLICY.pack(index=index, nr_leaves=leaves, leaves=memory.address)
                told = CPU_POLICY.unpack(self._calls.sysctl(GET_CPU_POLICY, asked))["nr_leaves"]
                rows = [CPU_LEAF.unpack(memory, row * size) for row in range(min(leaves, told))]
        return [(row["leaf"], row["subleaf"], row["eax"], row["ebx"], row["ecx"], row["edx"]) for row in rows]

    def idle_times(self) -> list[int]:
        """See `Control.idle_times`."""
        with refusing("the hypervisor does not tell how busy its CPUs are"):
            count = self.physinfo()["max_cpu_id"] + 1
            with self._calls.answer(count * 8) as memory:
                asked = CPU_INFO.pack(max_cpus=count, info=memory.address)
                told = CPU_INFO.unpack(self._calls.sysctl(GETCPUINFO, asked))["nr_cpus"]
                with memoryview(memory) as view:
                    return list(struct.unpack_from(f"={min(count, told)}Q", view))

    def nodes(self) -> list[Node]:
        """The host's NUMA nodes by rising number."""
        with refusing("the hypervisor does not tell the host's NUMA nodes"):
            size = NODE_MEMORY.size
            count = NUMA_INFO.unpack(self._calls.sysctl(NUMAINFO))["num_nodes"]
            with self._calls.answer(count * size + count * count * 4) as memory:
                distance_at = count * size
                asked = NUMA_INFO.pack(
                    num_nodes=count, meminfo=memory.address, distance=memory.address + distance_at
                )
                count = min(count, NUMA_INFO.unpack(self._calls.sysctl(NUMAINFO, asked))["num_nodes"])
                rows = [NODE_MEMORY.unpack(memory, row * size) for row in range(count)]
                with memoryview(memory) as view:
                    distances = struct.unpack_from(f"={count * count}I", view, distance_at)
        return [
            Node(
                number,
                _known(row["memsize"]),
                _known(row["memfree"]),
                tuple(map(_known, distances[number * count : (number + 1) * count])),
            )
            for number, row in enumerate(rows)
        ]

    def _text(self, command: int, size: int) -> str:
        return _text(self._calls.version(command, size))

    def _shared_kib(self, command: int) -> int:
        """What a command about shared pages counts; 0: the hypervisor was built without them."""
        try:
            return self._calls.call(MEMORY_OP, command) * PAGE_KIB
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
                return 0
            raise

    def _build_id(self) -> str:
        """In hexadecimal; empty: the hypervisor has none."""
        self._calls.put(struct.pack("=I", EXTRA_SIZE - 4))
        try:
            size = self._calls.version_result(BUILD_ID, self._calls.extra)
        except OSError as error:
            if error.errno in (errno.ENODATA, errno.ENOSYS):
                return ""
            raise
        return self._calls.get(min(size, EXTRA_SIZE - 4), 4).hex()


def scheduler_name(number: int) -> str:
    """What `xl info` calls a scheduler; an unknown one is called by its number."""
    return SCHEDULERS.get(number, str(number))


def scheduler_number(name: str) -> int:
    """XEN_SCHEDULER_*.

    Raises:
        HypervisorError: EINVAL: there is none of this name.
    """
    for number, known in SCHEDULERS.items():
        if name == known:
            return number
    raise HypervisorError(
        errno.EINVAL, f"there is no scheduler {os.fsencode(name)!r}: {', '.join(SCHEDULERS.values())}"
    )


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")


def _known(value: int) -> int | None:
    return None if value == _NONE else value
