"""What share of the host's CPUs a domain has: XEN_DOMCTL_scheduler_op (xen/include/public/domctl.h)."""

import errno
from collections.abc import Mapping, Sequence

from xend.hypervisor import HypervisorError
from xend.hypervisor.scheduling import CreditParameters, Parameters, RealTimeParameters
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.host import scheduler_number
from xend.hypervisor.xen.layouts import CREDIT, CREDIT2, RTDS, RTDS_VCPU, SCHEDULER_OP, SCHEDULER_VCPUS
from xend.hypervisor.xen.pools import Pools
from xend.hypervisor.xen.refusal import refusing

SCHEDULER_OP_OP = 16
PUT, GET, PUT_VCPUS, GET_VCPUS = range(4)
#: XEN_DOMCTL_SCHEDRT_extra.
_EXTRA = 1
_CREDITS = {"credit": CREDIT, "credit2": CREDIT2}


class Scheduler:
    """Every method raises HypervisorError: ESRCH: there is no such domain; EOPNOTSUPP: the scheduler of its
    pool has no such parameters."""

    def __init__(self, calls: Calls, domains: Domains) -> None:
        self._calls = calls
        self._domains = domains
        self._pools = Pools(calls)

    def of(self, domid: int) -> str:
        """The name of the scheduler under which a domain runs."""
        number = self._domains.alive(domid).info.pool
        for pool in self._pools.all():
            if pool.number == number:
                return pool.scheduler
        raise HypervisorError(errno.ENOENT, f"CPU pool {number}, in which domain {domid} runs, is gone")

    def parameters(self, domid: int) -> Parameters:
        """A domain's; under rtds what vCPUs have of which nothing else was said."""
        name = self.of(domid)
        if name in _CREDITS:
            fields = _CREDITS[name].unpack(self._ask(domid, name, GET))
            return CreditParameters(weight=fields["weight"], cap=fields["cap"])
        if name == "rtds":
            return _real_time(RTDS.unpack(self._ask(domid, name, GET)))
        raise _without(domid, name)

    def set_parameters(self, domid: int, parameters: Parameters) -> None:
        """Change a domain's; under rtds those of all its vCPUs.  EINVAL: they are out of range."""
        name = self.of(domid)
        if isinstance(parameters, CreditParameters) and name in _CREDITS:
            # The hypervisor takes a weight of 0, and changes nothing (domain-build.md 4.6).
            if not 1 <= parameters.weight <= 0xFFFF or not 0 <= parameters.cap <= 0xFFFF:
                raise _out_of_range(domid, parameters)
            data = _CREDITS[name].pack(weight=parameters.weight, cap=parameters.cap)
        elif isinstance(parameters, RealTimeParameters) and name == "rtds":
            data = RTDS.pack(**_packable(domid, parameters))
        else:
            raise _without(domid, name)
        with refusing(*_refused(domid, parameters)):
            self._ask(domid, name, PUT, data)

    def vcpu_parameters(self, domid: int) -> dict[int, RealTimeParameters]:
        """Of each vCPU of a domain under rtds, by its number."""
        count = self._domains.alive(domid).info.max_vcpus
        rows = [RTDS_VCPU.pack(vcpuid=number) for number in range(count)]
        answers = self._each(domid, GET_VCPUS, rows, f"the parameters of domain {domid} cannot be read")
        return {fields["vcpuid"]: _real_time(fields) for fields in map(RTDS_VCPU.unpack, answers)}

    def set_vcpu_parameters(self, domid: int, vcpus: Mapping[int, RealTimeParameters]) -> None:
        """Change those of some vCPUs, by number, under rtds.  EINVAL: out of range, or no such vCPU."""
        rows = []
        for number, parameters in sorted(vcpus.items()):
            if not 0 <= number < 1 << 32:
                raise HypervisorError(errno.EINVAL, f"domain {domid} has no vCPU {number}")
            rows.append(RTDS_VCPU.pack(vcpuid=number, **_packable(domid, parameters)))
        self._each(domid, PUT_VCPUS, rows, f"the parameters of domain {domid}'s vCPUs cannot be changed")

    def _each(self, domid: int, command: int, rows: Sequence[bytes], what: str) -> list[bytes]:
        """The rows as the hypervisor leaves them, which takes only so many at a time."""
        name = self.of(domid)
        if name != "rtds":
            raise _without(domid, name)
        size = RTDS_VCPU.size
        reasons = {errno.EINVAL: "out of range, or it has no such vCPU"}
        with refusing(what, reasons), self._calls.answer(max(1, len(rows)) * size) as memory:
            with memoryview(memory) as view:
                view[: len(rows) * size] = b"".join(rows)
            done = 0
            while done < len(rows):
                where = SCHEDULER_VCPUS.pack(vcpus=memory.address + done * size, count=len(rows) - done)
                answer = self._ask(domid, name, command, where[8:])
                done += max(1, SCHEDULER_VCPUS.unpack(bytes(8) + answer)["count"])
            with memoryview(memory) as view:
                return [bytes(view[row * size : (row + 1) * size]) for row in range(len(rows))]

    def _ask(self, domid: int, name: str, command: int, data: bytes = b"") -> bytes:
        """What the hypervisor left of the union; raises OSError, or HypervisorError."""
        question = SCHEDULER_OP.pack(sched_id=scheduler_number(name), cmd=command, u=data)
        return bytes(SCHEDULER_OP.unpack(self._calls.domctl(SCHEDULER_OP_OP, domid, question))["u"])


def _real_time(fields: Mapping[str, int]) -> RealTimeParameters:
    return RealTimeParameters(
        period_us=fields["period"], budget_us=fields["budget"], extra_time=bool(fields["flags"] & _EXTRA)
    )


def _packable(domid: int, parameters: RealTimeParameters) -> dict[str, int]:
    if not 0 < parameters.budget_us <= parameters.period_us < 1 << 32:
        raise _out_of_range(domid, parameters)
    flags = _EXTRA if parameters.extra_time else 0
    return {"period": parameters.period_us, "budget": parameters.budget_us, "flags": flags}


def _refused(domid: int, parameters: Parameters) -> tuple[str, dict[int, str]]:
    return f"domain {domid} cannot have {parameters}", {errno.EINVAL: "the scheduler finds it out of range"}


def _out_of_range(domid: int, parameters: Parameters) -> HypervisorError:
    return HypervisorError(
        errno.EINVAL,
        f"domain {domid} cannot have {parameters}: weight is 1 to 65535, cap 0 or percents of a CPU, "
        "budget at most the period",
    )


def _without(domid: int, name: str) -> HypervisorError:
    return HypervisorError(
        errno.EOPNOTSUPP, f"domain {domid} runs under the scheduler {name}, which has no such parameters"
    )
