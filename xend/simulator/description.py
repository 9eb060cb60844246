"""What the simulated host says of itself: a small machine with a hypervisor of the 4.17 line."""

import attrs

from xend.hypervisor import HostInfo
from xend.simulator.card import CARDS, Card

XEN_MAJOR, XEN_MINOR, XEN_EXTRA = 4, 17, ".4-sim"
KIB = 1024
DEFAULT_CPUS = 4
DEFAULT_MEMORY_KIB = 4096 * KIB
#: What dom0 may have at most, in KiB; on a small host a quarter.
DOM0_MEMORY_KIB = 512 * KIB
#: What the hypervisor itself uses, in KiB.
HYPERVISOR_KIB = 32 * KIB
SCHEDULER = "credit2"
FLAVOURS = ("linux", "netbsd")
#: What most hosts can do, and what those can besides that have an IOMMU.
VIRT_CAPS, DIRECT_IO = ("pv", "hvm", "hap"), "pv_directio"

#: What a processor of 2015 or so can, and a newer one, too.
FEATURES = ("fpu", "sse2", "ssse3", "sse4.2", "aes", "avx", "avx2", "bmi2", "lm", "nx")


@attrs.frozen(kw_only=True)
class Hardware:
    """What a simulated host is made of.

    Attributes:
        flavour: whose dom0 kernel it has, one of FLAVOURS.
        backend_faults: words for dom0's backends (backend.FAULTS).
        virt_caps: which guests it can run, as `xl info` has it.
        labels: of FLASK's policy; none: there is no FLASK.
        dom0_mem: the hypervisor was told how much memory dom0 has.
        dom0_balloons: dom0's kernel gives memory back when it is asked to.
        cards: its PCI functions; on NetBSD all of them are hidden from other drivers.
        nodes: how many NUMA nodes its CPUs are in, one after the other.
        features: what its CPUs can, by the names of cpuid in xl.cfg(5).
        pool_cpus: for each CPU pool beyond Pool-0, how many CPUs it has, the host's last ones.
    """

    cpus: int = attrs.field(default=DEFAULT_CPUS, validator=attrs.validators.in_(range(1, 4096)))
    memory_kib: int = attrs.field(default=DEFAULT_MEMORY_KIB, validator=attrs.validators.ge(128 * KIB))
    flavour: str = attrs.field(default="linux", validator=attrs.validators.in_(FLAVOURS))
    backend_faults: str = ""
    virt_caps: tuple[str, ...] = VIRT_CAPS
    pool_cpus: tuple[int, ...] = ()
    nodes: int = attrs.field(default=1, validator=attrs.validators.in_(range(1, 65)))
    labels: tuple[str, ...] = ()
    dom0_mem: bool = True
    dom0_balloons: bool = True
    cards: tuple[Card, ...] = CARDS
    features: tuple[str, ...] = FEATURES

    @property
    def has_iommu(self) -> bool:
        """Whether it can give its PCI functions away without danger."""
        return DIRECT_IO in self.virt_caps

    @property
    def dom0_memory_kib(self) -> int:
        """What dom0 has, in KiB."""
        return min(DOM0_MEMORY_KIB, self.memory_kib // 4)

    @property
    def xen_caps(self) -> str:
        """The kinds of guests it can run, as Xen calls them."""
        caps = {
            "pv": "xen-3.0-x86_64 xen-3.0-x86_32p ",
            "hvm": "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ",
        }
        return "".join(words for cap, words in caps.items() if cap in self.virt_caps)

    def node_of(self, cpu: int) -> int:
        """The NUMA node of one of its CPUs."""
        return cpu * self.nodes // self.cpus

    def pools(self) -> dict[int, tuple[int, ...]]:
        """The CPUs of each pool, by its number."""
        end, found = self.cpus, {}
        for number, cpus in enumerate(self.pool_cpus, 1):
            found[number] = tuple(range(end - cpus, end))
            end -= cpus
        return {0: tuple(range(end)), **found}

    @property
    def command_line(self) -> str:
        """What the hypervisor was started with."""
        told = f"dom0_mem={self.dom0_memory_kib // KIB}M " if self.dom0_mem else ""
        return f"{told}console=com1"


def host_info(hardware: Hardware, free_memory_kib: int, claimed_kib: int) -> HostInfo:
    """As `Hypervisor.host_info`."""
    return HostInfo(
        nr_cpus=hardware.cpus,
        nr_nodes=hardware.nodes,
        cores_per_socket=-(-hardware.cpus // hardware.nodes),
        threads_per_core=1,
        cpu_khz=2_400_000,
        hw_caps=(0x178BF3FF, 0xF6D8320B, 0x2E500800, 0x244037FF, 0x0000000F, 0x219C91A9, 0x00400004, 0x500),
        virt_caps=hardware.virt_caps,
        total_memory_kib=hardware.memory_kib,
        free_memory_kib=free_memory_kib,
        outstanding_claims_kib=claimed_kib,
        xen_major=XEN_MAJOR,
        xen_minor=XEN_MINOR,
        xen_extra=XEN_EXTRA,
        xen_caps=hardware.xen_caps,
        xen_scheduler=SCHEDULER,
        xen_pagesize=4096,
        virt_start=0xFFFF800000000000,
        xen_changeset="simulated",
        xen_commandline=hardware.command_line,
        cc_compiler="none",
        cc_compile_by="xend",
        cc_compile_domain="localdomain",
        cc_compile_date="Thu Jan  1 00:00:00 UTC 1970",
        build_id="0" * 40,
    )


def boot_lines(hardware: Hardware) -> list[str]:
    """What the hypervisor says as it comes up."""
    release = f"{XEN_MAJOR}.{XEN_MINOR}{XEN_EXTRA}"
    return [
        f"Simulated hypervisor, speaking as Xen {release}",
        f"Command line: {hardware.command_line}",
        f"{hardware.cpus} CPUs, {hardware.memory_kib // KIB} MiB of memory",
        f"dom0: {hardware.dom0_memory_kib // KIB} MiB, a {hardware.flavour} kernel",
    ]
