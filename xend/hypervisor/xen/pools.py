"""CPU pools: XEN_SYSCTL_cpupool_op (xen/include/public/sysctl.h)."""

import errno

from xend.hypervisor import CpuPool, HypervisorError
from xend.hypervisor.xen.bitmaps import BITMAP_BITS, BITMAP_SIZE, numbers_of
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.host import scheduler_name, scheduler_number
from xend.hypervisor.xen.layouts import CPUPOOL_OP
from xend.hypervisor.xen.refusal import refusing

CPUPOOL_OP_OP = 18
CREATE, DESTROY, INFO, ADD_CPU, REMOVE_CPU, MOVE_DOMAIN, FREE_INFO = range(1, 8)
#: A number that is free, as the hypervisor chooses (XEN_SYSCTL_CPUPOOL_PAR_ANY).
_ANY = 0xFFFFFFFF


class Pools:
    """Every method raises HypervisorError; ENOENT: there is no such pool."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def all(self) -> list[CpuPool]:
        """By rising number."""
        found = []
        first = 0
        while (pool := self._next(first)) is not None:
            found.append(pool)
            first = pool.number + 1
        return found

    def free_cpus(self) -> list[int]:
        """The host's CPUs that are in no pool."""
        with refusing("the hypervisor does not tell the free CPUs"):
            self._ask(FREE_INFO)
        return numbers_of(self._calls.get(BITMAP_SIZE))

    def create(self, scheduler: str) -> int:
        """The number of a new pool without CPUs; EINVAL: the hypervisor has no such scheduler."""
        number = scheduler_number(scheduler)
        reasons = {errno.ENOENT: "this Xen was built without it"}
        with refusing(f"no CPU pool can be made with the scheduler {scheduler}", reasons):
            return self._ask(CREATE, cpupool_id=_ANY, sched_id=number)["cpupool_id"]

    def destroy(self, pool: int) -> None:
        """End one in which no domain is; EBUSY: there is one."""
        found = next((each for each in self.all() if each.number == pool), None)
        reasons = {
            errno.ENOENT: "there is none",
            errno.EBUSY: "it has a domain; move that to another (xl cpupool-migrate)",
        }
        what = f"CPU pool {pool} cannot be destroyed"
        if found is not None and found.domains:
            raise HypervisorError(errno.EBUSY, f"{what}: {reasons[errno.EBUSY]}")
        taken: list[int] = []
        try:
            for cpu in found.cpus if found is not None else ():  # the hypervisor ends none that has one
                self.remove_cpu(pool, cpu)
                taken.append(cpu)
            with refusing(what, reasons):
                self._ask(DESTROY, cpupool_id=pool)
        except HypervisorError:
            for cpu in taken:
                self.add_cpu(pool, cpu)
            raise

    def add_cpu(self, pool: int, cpu: int) -> None:
        """Put one of the host's CPUs into a pool; ENODEV: it is in another; EINVAL: there is no such CPU."""
        reasons = {
            errno.ENOENT: "there is no such pool",
            errno.ENODEV: "it is offline or in another pool; take it out of that (xl cpupool-cpu-remove)",
            errno.EINVAL: "there is no such CPU",
        }
        with refusing(f"CPU {cpu} cannot be put into CPU pool {pool}", reasons):
            self._ask(ADD_CPU, cpupool_id=pool, cpu=cpu)

    def remove_cpu(self, pool: int, cpu: int) -> None:
        """Take one of the host's CPUs out of a pool.

        EBUSY: it is the last, and a domain runs there; ENODEV: it is not in that (Xen says EADDRNOTAVAIL).
        """
        what, not_in_it = f"CPU {cpu} cannot be taken out of CPU pool {pool}", "it is not in that"
        reasons = {
            errno.ENOENT: "there is no such pool",
            errno.EADDRNOTAVAIL: not_in_it,
            errno.EBUSY: "it is the last one there, and a domain runs on it",
            errno.EINVAL: "there is no such CPU",
            errno.EADDRINUSE: "a vCPU is pinned to it for a while; try again",
            errno.EAGAIN: "the hypervisor uses it just now; try again",
        }
        try:
            with refusing(what, reasons):
                self._ask(REMOVE_CPU, cpupool_id=pool, cpu=cpu)
        except HypervisorError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            raise HypervisorError(errno.ENODEV, f"{what}: {not_in_it}") from error

    def move_domain(self, domid: int, pool: int) -> None:
        """Have a domain run in another pool; ESRCH: there is no such domain or pool."""
        what = f"domain {domid} cannot be moved to CPU pool {pool}"
        try:
            with refusing(what, {errno.EINVAL: "there is no such domain, or it cannot be moved"}):
                self._ask(MOVE_DOMAIN, cpupool_id=pool, domid=domid)
        except HypervisorError as error:
            if error.errno != errno.ENOENT:
                raise
            raise HypervisorError(
                errno.ESRCH, f"{what}: there is no such pool, or it has no CPU; xl cpupool-list shows them"
            ) from error

    def _next(self, first: int) -> CpuPool | None:
        """The one with the lowest number from `first` on; None: there is none."""
        try:
            answer = self._ask(INFO, cpupool_id=first)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                return None
            with refusing("the hypervisor does not tell its CPU pools"):
                raise
        return CpuPool(
            number=answer["cpupool_id"],
            scheduler=scheduler_name(answer["sched_id"]),
            domains=answer["n_dom"],
            cpus=numbers_of(self._calls.get(BITMAP_SIZE)),
        )

    def _ask(self, operation: int, **values: int) -> dict[str, int]:
        self._calls.put(bytes(BITMAP_SIZE))
        asked = CPUPOOL_OP.pack(op=operation, cpus=self._calls.extra, bits=BITMAP_BITS, **values)
        return CPUPOOL_OP.unpack(self._calls.sysctl(CPUPOOL_OP_OP, asked))
