"""How the structures of hypercalls lie in memory, by release of Xen.

The interfaces of domctl and sysctl are not stable: what is called belongs to one release (domain-build.md 6).
`tests/peers/test_layouts.py` compares these tables with the installed headers.
Source: xen/include/public/{domctl,sysctl,sched,memory,event_channel,physdev,version}.h and
xen/include/public/hvm/params.h of the releases 4.15 to 4.22, on x86.
"""

import struct
from collections.abc import Sequence
from typing import Any

import attrs

from xenstore.platform.mapping import Mapping


class Layout:
    """A structure: its name in C, and its fields in order, each as "FORMAT NAME", as `struct` has formats.

    Where C has another name for a field, or a longer one, it follows: "Q bitmap=cpumap.bitmap".  Fields named
    pad are room that nothing is in.
    """

    def __init__(self, name: str, *fields: str) -> None:
        self.name = name
        self._fields = []
        for field in fields:
            format, _, names = field.partition(" ")
            ours, _, theirs = names.partition("=")
            self._fields.append((format, ours, theirs or ours))
        self._struct = struct.Struct("=" + "".join(format for format, _, _ in self._fields))
        self.size = self._struct.size

    def pack(self, **values: int | bytes) -> bytes:
        """The structure with these values; all other fields are 0."""
        given = [values.pop(name, _empty(format)) for format, name, _ in self._fields]
        assert not values, f"{self.name} has no {', '.join(values)}"
        return self._struct.pack(*given)

    def unpack(self, data: bytes | Mapping, at: int = 0) -> dict[str, Any]:
        """The values of all fields."""
        with memoryview(data) as view:
            values = self._struct.unpack_from(view, at)
        return dict(zip((name for _, name, _ in self._fields), values, strict=True))

    def places(self) -> dict[str, tuple[int, int]]:
        """Where each field is, by its name in C: offset and size in bytes."""
        found, at = {}, 0
        for format, ours, theirs in self._fields:
            size = struct.calcsize("=" + format)
            if ours != "pad":
                found[theirs] = at, size
            at += size
        return found


def _empty(format: str) -> int | bytes:
    return b"" if format.endswith("s") else 0


# --- the same in all releases -------------------------------------------------------------------------------

DOMCTL = Layout("xen_domctl", "I cmd", "I interface_version", "H domain", "6s pad", "128s u")
SYSCTL = Layout("xen_sysctl", "I cmd", "I interface_version", "128s u")

#: All of getdomaininfo that is read; releases differ in what follows, and so in the size.
DOMAIN_INFO = Layout(
    "xen_domctl_getdomaininfo",
    "H domain", "H pad", "I flags", "Q tot_pages", "Q max_pages", "Q outstanding_pages", "Q shr_pages",
    "Q paged_pages", "Q shared_info_frame", "Q cpu_time", "I nr_online_vcpus", "I max_vcpu_id", "I ssidref",
    "16s handle", "I cpupool",
)  # fmt: skip
MAX_VCPUS = Layout("xen_domctl_max_vcpus", "I max")
MAX_MEM = Layout("xen_domctl_max_mem", "Q max_memkb")
TSC_INFO = Layout(
    "xen_domctl_tsc_info", "I tsc_mode", "I gtsc_khz", "I incarnation", "I pad", "Q elapsed_nsec"
)
VCPU_INFO = Layout(
    "xen_domctl_getvcpuinfo",
    "I vcpu", "B online", "B blocked", "B running", "B pad", "Q cpu_time", "I cpu", "I pad",
)  # fmt: skip
VCPU_AFFINITY = Layout(
    "xen_domctl_vcpuaffinity",
    "I vcpu", "I flags",
    "Q hard=cpumap_hard.bitmap", "I hard_bits=cpumap_hard.nr_bits", "I pad",
    "Q soft=cpumap_soft.bitmap", "I soft_bits=cpumap_soft.nr_bits", "I pad",
)  # fmt: skip
TIME_OFFSET = Layout("xen_domctl_settimeoffset", "q time_offset_seconds")
SCHEDULER_OP = Layout("xen_domctl_scheduler_op", "I sched_id", "I cmd", "16s u")
#: Of all vCPUs of a domain: where their parameters are, and how many.
SCHEDULER_VCPUS = Layout(
    "xen_domctl_scheduler_op", "8s pad", "Q vcpus=u.v.vcpus", "I count=u.v.nr_vcpus", "I pad"
)
CREDIT = Layout("xen_domctl_sched_credit", "H weight", "H cap")
CREDIT2 = Layout("xen_domctl_sched_credit2", "H weight", "H cap")
RTDS = Layout("xen_domctl_sched_rtds", "I period", "I budget", "I flags")
RTDS_VCPU = Layout(
    "xen_domctl_schedparam_vcpu",
    "I period=u.rtds.period", "I budget=u.rtds.budget", "I flags=u.rtds.flags", "I vcpuid",
)  # fmt: skip
IOMEM_PERMISSION = Layout(
    "xen_domctl_iomem_permission", "Q first_mfn", "Q nr_mfns", "B allow_access", "7s pad"
)
IOPORT_PERMISSION = Layout(
    "xen_domctl_ioport_permission", "I first_port", "I nr_ports", "B allow_access", "3s pad"
)
MEMORY_MAPPING = Layout(
    "xen_domctl_memory_mapping", "Q first_gfn", "Q first_mfn", "Q nr_mfns", "I add_mapping", "I pad"
)
ASSIGN_DEVICE = Layout(
    "xen_domctl_assign_device", "I dev", "I flags", "I sbdf=u.pci.machine_sbdf", "I pad", "Q pad"
)
SEND_TRIGGER = Layout("xen_domctl_sendtrigger", "I trigger", "I vcpu")
NODE_AFFINITY = Layout("xen_domctl_nodeaffinity", "Q nodes=nodemap.bitmap", "I bits=nodemap.nr_bits", "I pad")

READ_CONSOLE = Layout(
    "xen_sysctl_readconsole",
    "B clear", "B incremental", "H pad", "I index", "Q buffer", "I count", "I pad",
)  # fmt: skip
SCHED_ID = Layout("xen_sysctl_sched_id", "I sched_id")
DOMAIN_INFO_LIST = Layout(
    "xen_sysctl_getdomaininfolist",
    "H first_domain", "H pad", "I max_domains", "Q buffer", "I num_domains", "I pad",
)  # fmt: skip
DEBUG_KEYS = Layout("xen_sysctl_debug_keys", "Q keys", "I nr_keys", "I pad")
CPU_INFO = Layout("xen_sysctl_getcpuinfo", "I max_cpus", "I pad", "Q info", "I nr_cpus", "I pad")
CPU_TOPOLOGY_INFO = Layout("xen_sysctl_cputopoinfo", "I num_cpus", "I pad", "Q cputopo")
CPU_TOPOLOGY = Layout("xen_sysctl_cputopo", "I core", "I socket", "I node")
NUMA_INFO = Layout("xen_sysctl_numainfo", "I num_nodes", "I pad", "Q meminfo", "Q distance")
CPU_POLICY = Layout(
    "xen_sysctl_cpu_policy", "I index", "I nr_leaves", "I nr_msrs", "I pad=_rsvd", "Q leaves", "Q msrs"
)
CPU_LEAF = Layout("xen_cpuid_leaf", "I leaf", "I subleaf", "I eax=a", "I ebx=b", "I ecx=c", "I edx=d")
NODE_MEMORY = Layout("xen_sysctl_meminfo", "Q memsize", "Q memfree")
PCI_TOPOLOGY_INFO = Layout("xen_sysctl_pcitopoinfo", "I num_devs", "I pad", "Q devs", "Q nodes")
POOL_SCHEDULER_OP = Layout("xen_sysctl_scheduler_op", "I cpupool_id", "I sched_id", "I cmd", "I pad", "16s u")
CREDIT_SCHEDULE = Layout(
    "xen_sysctl_credit_schedule", "I timeslice=tslice_ms", "I ratelimit=ratelimit_us",
    "I delay=vcpu_migr_delay_us",
)  # fmt: skip
CREDIT2_SCHEDULE = Layout("xen_sysctl_credit2_schedule", "I ratelimit=ratelimit_us")
CPUPOOL_OP = Layout(
    "xen_sysctl_cpupool_op",
    "I op", "I cpupool_id", "I sched_id", "I domid", "I cpu", "I n_dom",
    "Q cpus=cpumap.bitmap", "I bits=cpumap.nr_bits", "I pad",
)  # fmt: skip

MEMORY_RESERVATION = Layout(
    "xen_memory_reservation",
    "Q extent_start", "Q nr_extents", "I extent_order", "I mem_flags", "H domid", "6s pad",
)  # fmt: skip
PCI_DEVICE = Layout("physdev_pci_device", "H seg", "B bus", "B devfn")
HYPFS_ENTRY = Layout(
    "xen_hypfs_direntry", "B type", "B encoding", "H pad", "I size=content_len", "I room=max_write_len"
)
FLASK_OP = Layout(
    "xen_flask_op", "I cmd", "I interface_version", "I enforcing=u.enforce.enforcing", "28s pad"
)
FLASK_LOAD = Layout("xen_flask_op", "8s pad", "Q policy=u.load.buffer", "I size=u.load.size", "20s pad")
FLASK_CONTEXT = Layout(
    "xen_flask_op", "8s pad", "I sid=u.sid_context.sid", "I size=u.sid_context.size",
    "Q context=u.sid_context.context", "16s pad",
)  # fmt: skip
FLASK_RELABEL = Layout("xen_flask_op", "8s pad", "I domid=u.relabel.domid", "I sid=u.relabel.sid", "24s pad")
REMOTE_SHUTDOWN = Layout("sched_remote_shutdown", "H domain_id", "H pad", "I reason")
WATCHDOG = Layout("sched_watchdog", "I id", "I timeout")
ALLOC_UNBOUND = Layout("evtchn_alloc_unbound", "H dom", "H remote_dom", "I port")
HVM_PARAM = Layout("xen_hvm_param", "H domid", "H pad", "I index", "Q value")
MAP_PIRQ = Layout(
    "physdev_map_pirq",
    "H domid", "H pad", "i type", "i index", "i pirq", "i bus", "i devfn", "i entry_nr", "I pad",
    "Q table_base",
)  # fmt: skip
UNMAP_PIRQ = Layout("physdev_unmap_pirq", "H domid", "H pad", "i pirq")
COMPILE_INFO = Layout(
    "xen_compile_info", "64s compiler", "16s compile_by", "32s compile_domain", "32s compile_date"
)

# --- what differs -------------------------------------------------------------------------------------------

_CREATE = (
    "I ssidref", "16s handle", "I flags", "I iommu_opts", "I max_vcpus", "I max_evtchn_port",
    "i max_grant_frames", "i max_maptrack_frames",
)  # fmt: skip
_ARCH = ("I emulation_flags=arch.emulation_flags", "I misc_flags=arch.misc_flags")


def _create(*middle: str) -> Layout:
    return Layout("xen_domctl_createdomain", *_CREATE, *middle, *_ARCH)


def _physinfo(*middle: str) -> Layout:
    return Layout(
        "xen_sysctl_physinfo",
        "I threads_per_core", "I cores_per_socket", "I nr_cpus", "I max_cpu_id", "I nr_nodes",
        "I max_node_id", "I cpu_khz", "I capabilities", *middle, "Q total_pages", "Q free_pages",
        "Q scrub_pages", "Q outstanding_pages", "Q max_mfn", "32s hw_cap",
    )  # fmt: skip


_CREATE_15 = _create("I vmtrace_size")
_CREATE_16 = _create("I grant_opts", "I vmtrace_size")
_CREATE_17 = _create("I grant_opts", "I vmtrace_size", "I cpupool_id")
_CREATE_19 = _create("I grant_opts", "I altp2m=altp2m_opts", "I vmtrace_size", "I cpupool_id")
_CREATE_21 = _create(
    "I grant_opts", "H altp2m=altp2m.opts", "H altp2m_count=altp2m.nr", "I vmtrace_size", "I cpupool_id"
)
_PHYSINFO_15 = _physinfo()
_PHYSINFO_17 = _physinfo("I arch_capabilities", "I pad")
_IRQ_15 = Layout("xen_domctl_irq_permission", "B pirq", "B allow_access")
_IRQ_16 = Layout("xen_domctl_irq_permission", "I pirq", "B allow_access", "3s pad")

#: The domid that asks createdomain for a free one.
_ZERO = 0
_DOMID_ANY = 0x7FF5


@attrs.frozen
class Release:
    """What the interface of a release is like.

    Attributes:
        major, minor: its number.
        domctl, sysctl: its versions of these interfaces.
        create, physinfo, irq_permission: its layouts of what differs.
        domain_info_size: that of getdomaininfo, in bytes.
        any_domid: what createdomain takes for "a free one".
    """

    major: int
    minor: int
    domctl: int
    sysctl: int
    create: Layout
    domain_info_size: int
    physinfo: Layout
    irq_permission: Layout
    any_domid: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def creates_in_pool(self) -> bool:
        """Whether createdomain takes the CPU pool; else the domain is moved."""
        return "cpupool_id" in self.create.places()

    @property
    def creates_altp2m(self) -> bool:
        """Whether createdomain takes altp2m; else it is a parameter that the helper sets."""
        return (self.major, self.minor) >= (4, 19)

    @property
    def has_pirq(self) -> bool:
        """Whether libxl of it lets interrupts of an hvm domain's devices become event channels by itself."""
        return (self.major, self.minor) <= (4, 18)

    @property
    def counts_altp2m(self) -> bool:
        """Whether createdomain takes a number of other views."""
        return (self.major, self.minor) >= (4, 21)

    @property
    def bounds_grant_version(self) -> bool:
        """Whether createdomain takes a version of grant tables."""
        return "grant_opts" in self.create.places()


RELEASES: Sequence[Release] = (
    Release(4, 15, 0x13, 0x13, _CREATE_15, 104, _PHYSINFO_15, _IRQ_15, _ZERO),
    Release(4, 16, 0x14, 0x14, _CREATE_16, 112, _PHYSINFO_15, _IRQ_16, _ZERO),
    Release(4, 17, 0x15, 0x15, _CREATE_17, 112, _PHYSINFO_17, _IRQ_16, _ZERO),
    Release(4, 18, 0x16, 0x15, _CREATE_17, 112, _PHYSINFO_17, _IRQ_16, _ZERO),
    Release(4, 19, 0x17, 0x15, _CREATE_19, 112, _PHYSINFO_17, _IRQ_16, _ZERO),
    Release(4, 20, 0x17, 0x15, _CREATE_19, 112, _PHYSINFO_17, _IRQ_16, _ZERO),
    Release(4, 21, 0x17, 0x16, _CREATE_21, 112, _PHYSINFO_17, _IRQ_16, _ZERO),
    Release(4, 22, 0x18, 0x16, _CREATE_21, 112, _PHYSINFO_17, _IRQ_16, _DOMID_ANY),
)


def release_of(major: int, minor: int) -> Release | None:
    """The interface of a release; None: this program does not know it."""
    return next((each for each in RELEASES if (each.major, each.minor) == (major, minor)), None)
