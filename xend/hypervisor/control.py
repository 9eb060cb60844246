"""What xend asks of a hypervisor beside the lives of domains: CPUs, pools, schedulers, triggers, the host.

A part of the contract, see `xend.hypervisor`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

from xend.hypervisor.scheduling import Parameters, PoolParameters, RealTimeParameters
from xend.hypervisor.topology import Cpu, DeviceNode, Node

#: The "domain" whose functions reach no memory: DOMID_IO (xen/include/public/xen.h).
QUARANTINE = 0x7FF1

#: What CPUID says: (leaf, subleaf, eax, ebx, ecx, edx); without subleaves that is 0xffffffff.
Leaf = tuple[int, int, int, int, int, int]

#: What `send_trigger` takes, as XEN_DOMCTL_SENDTRIGGER_* are numbered (xen/include/public/domctl.h).
TRIGGERS = ("nmi", "reset", "init", "power", "sleep")


class Control(ABC):
    """As `Hypervisor`, of which it is a part: each call raises HypervisorError, ESRCH where there is no such
    domain, or it is dying, and ENOENT where there is no such pool, unless it says otherwise."""

    # --- where everything is ------------------------------------------------------------------------------

    @abstractmethod
    async def topology(self) -> list[Cpu]:
        """The host's CPUs by rising number, those that are offline included."""

    @abstractmethod
    async def cpu_policy(self, type: Literal["pv", "hvm"]) -> list[Leaf] | None:
        """What a domain of a type (a pvh one is hvm) can see of this host's processors at most.

        None: the hypervisor does not say so.
        """

    @abstractmethod
    async def idle_times(self) -> list[int]:
        """For how long each CPU of the host has had nothing to do, in nanoseconds, by its number."""

    @abstractmethod
    async def nodes(self) -> list[Node]:
        """The host's NUMA nodes by rising number."""

    @abstractmethod
    async def device_nodes(self) -> list[DeviceNode]:
        """The host's PCI devices whose NUMA node is known, by address."""

    @abstractmethod
    async def node_affinity(self, domid: int) -> list[int]:
        """The NUMA nodes from which a domain's memory comes where it can, rising."""

    # --- CPU pools ----------------------------------------------------------------------------------------

    @abstractmethod
    async def free_cpus(self) -> list[int]:
        """The host's CPUs that are in no pool, rising."""

    @abstractmethod
    async def create_pool(self, scheduler: str) -> int:
        """The number of a new pool without CPUs.

        Raises:
            HypervisorError: EINVAL, ENOENT: the hypervisor has no such scheduler.
        """

    @abstractmethod
    async def destroy_pool(self, pool: int) -> None:
        """End one; its CPUs are free then.

        Raises:
            HypervisorError: EBUSY: a domain runs in it, or it is the first.
        """

    @abstractmethod
    async def add_cpu(self, pool: int, cpu: int) -> None:
        """Put one of the host's CPUs into a pool.

        Raises:
            HypervisorError: ENODEV: it is in another; EINVAL: there is no such CPU.
        """

    @abstractmethod
    async def remove_cpu(self, pool: int, cpu: int) -> None:
        """Take one of the host's CPUs out of a pool.

        Raises:
            HypervisorError: ENODEV: it is not in that; EBUSY: it is the last, and a domain runs there.
        """

    @abstractmethod
    async def move_domain(self, domid: int, pool: int) -> None:
        """Have a domain run in another pool; its vCPUs may run on all CPUs of that.

        Raises:
            HypervisorError: ESRCH: there is no such domain or pool, or the pool has no CPU.
        """

    # --- schedulers ---------------------------------------------------------------------------------------

    @abstractmethod
    async def parameters(self, domid: int) -> Parameters:
        """Those of a domain; under rtds what vCPUs have of which nothing else was said.

        Raises:
            HypervisorError: EOPNOTSUPP: the scheduler of its pool has none.
        """

    @abstractmethod
    async def set_parameters(self, domid: int, parameters: Parameters) -> None:
        """Change a domain's; under rtds those of all its vCPUs.

        Raises:
            HypervisorError: EINVAL: they are out of range; EOPNOTSUPP: its scheduler has no such.
        """

    @abstractmethod
    async def vcpu_parameters(self, domid: int) -> dict[int, RealTimeParameters]:
        """Of each vCPU of a domain under rtds, by its number.

        Raises:
            HypervisorError: EOPNOTSUPP: its scheduler has no such.
        """

    @abstractmethod
    async def set_vcpu_parameters(self, domid: int, vcpus: Mapping[int, RealTimeParameters]) -> None:
        """Change those of some vCPUs under rtds, by number.

        Raises:
            HypervisorError: EINVAL: out of range, or no such vCPU; EOPNOTSUPP: its scheduler has no such.
        """

    @abstractmethod
    async def pool_parameters(self, pool: int) -> PoolParameters:
        """Those of a pool's scheduler; one that has none has nothing but None."""

    @abstractmethod
    async def set_pool_parameters(self, pool: int, parameters: PoolParameters) -> None:
        """Change those that are not None.

        Raises:
            HypervisorError: EINVAL: they are out of range; EOPNOTSUPP: its scheduler has no such.
        """

    # --- PCI functions, by their number: segment, bus, device and function in 32 bits ---------------------

    @abstractmethod
    async def check_card(self, device: int) -> None:
        """See that a function may be given to a domain: no domain has it.

        Raises:
            HypervisorError: EOPNOTSUPP: the host has no IOMMU that is on; EINVAL, ENODEV, EBUSY: a domain has
                it, or there is no such function.
        """

    @abstractmethod
    async def assign_card(self, domid: int, device: int, is_strict: bool) -> None:
        """Have a function reach the memory of this domain and of none else; QUARANTINE: of no domain at all.

        It leaves the domain with the domain's end.

        is_strict: memory that the function has for itself must not be the domain's own.

        Raises:
            HypervisorError: EOPNOTSUPP: the host has no IOMMU that is on, or the domain was created without;
                EINVAL, ENODEV, EBUSY: another domain has it, or there is no such function.
        """

    @abstractmethod
    async def release_card(self, domid: int, device: int) -> None:
        """Take a function from a domain, or out of QUARANTINE: it is dom0's, or in quarantine again.

        Raises:
            HypervisorError: EOPNOTSUPP: as above; EINVAL, ENODEV: the domain has it not.
        """

    # --- what else can be done to a domain, and to the host -----------------------------------------------

    @abstractmethod
    async def send_trigger(self, domid: int, trigger: str, vcpu: int) -> None:
        """Have one of TRIGGERS come to a domain: an interrupt to a vCPU, or one of its machine's buttons.

        Raises:
            HypervisorError: EINVAL: there is no such trigger or vCPU; EINVAL, ENOSYS: it is not for domains
                of this type.
        """

    @abstractmethod
    async def send_debug_keys(self, keys: str) -> None:
        """Have the hypervisor do what these keys do on its serial line; the answers are in `message_buffer`.

        Raises:
            HypervisorError: EINVAL: these are no keys.
        """

    @abstractmethod
    async def set_boot_parameters(self, values: Mapping[str, str]) -> None:
        """Change parameters of the hypervisor's command line, by name, while it runs (hypfs, /params/NAME).

        None is changed where one cannot be; what had to be tried to know that is put back.

        Raises:
            HypervisorError: ENOENT: it has none of a name that can be changed; EINVAL: not to this value;
                EACCES: not at all; ENOSYS, EOPNOTSUPP: none can be changed in this hypervisor.
        """

    @abstractmethod
    async def is_enforcing(self) -> bool | None:
        """Whether FLASK, a security module, refuses what its policy does not allow; None: there is none."""

    @abstractmethod
    async def set_enforcing(self, enforcing: bool) -> None:
        """Have FLASK refuse, or only log, what its policy does not allow.

        Raises:
            HypervisorError: ENOSYS: there is no FLASK; EPERM, EACCES: its policy forbids that.
        """

    @abstractmethod
    async def label_number(self, label: str) -> int:
        """The number of one of FLASK's labels: "system_u:system_r:domU_t".

        Raises:
            HypervisorError: ENOSYS: there is no FLASK; EINVAL: its policy has no such label.
        """

    @abstractmethod
    async def label_of(self, number: int) -> str:
        """The label that has this number.

        Raises:
            HypervisorError: ENOSYS: there is no FLASK; EINVAL: its policy has no such label.
        """

    @abstractmethod
    async def set_label(self, domid: int, number: int) -> None:
        """Give a domain another label, by its number.

        Raises:
            HypervisorError: ENOSYS: there is no FLASK; EPERM, EACCES: its policy forbids that; EINVAL: there
                is no such label.
        """

    @abstractmethod
    async def load_policy(self, policy: bytes) -> None:
        """Give FLASK another policy.

        Raises:
            HypervisorError: ENOSYS: there is no FLASK; EINVAL: it is none.
        """
