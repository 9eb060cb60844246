"""What share of the host's CPUs domains have: values of the contract.

Source: xen/include/public/domctl.h and sysctl.h
"""

import attrs


@attrs.frozen(kw_only=True)
class CreditParameters:
    """Of a domain under credit or credit2.

    Attributes:
        weight: its share beside others', 1 to 65535.
        cap: how much it gets at most, in percent of one CPU; 0: no bound.
    """

    weight: int
    cap: int


@attrs.frozen(kw_only=True)
class RealTimeParameters:
    """Of a vCPU under rtds.

    Attributes:
        period_us, budget_us: it gets this budget in each period.
        extra_time: and more, where nobody else wants it.
    """

    period_us: int
    budget_us: int
    extra_time: bool


#: What a domain has: one of them, as its pool's scheduler is.
Parameters = CreditParameters | RealTimeParameters


@attrs.frozen(kw_only=True)
class PoolParameters:
    """Of a CPU pool whose scheduler is credit or credit2; None: that scheduler has no such parameter.

    Attributes:
        timeslice_ms: how long a vCPU runs before others get their turn.
        ratelimit_us: how long it runs at least; 0: no such bound.
        migration_delay_us: how long it is not moved to another CPU after it ran.
    """

    timeslice_ms: int | None = None
    ratelimit_us: int | None = None
    migration_delay_us: int | None = None


#: What hypervisors take of them, as (lowest, highest), and a ratelimit of 0 besides (XEN_SYSCTL_CSCHED_*,
#: XEN_SYSCTL_SCHED_RATELIMIT_*).
_RANGES = {
    "timeslice_ms": (1, 1000),
    "ratelimit_us": (100, 500_000),
    "migration_delay_us": (0, 100_000),
}


def range_complaint(name: str, value: int) -> str | None:
    """What is wrong with this value of a field of PoolParameters; None: nothing."""
    low, high = _RANGES[name]
    if low <= value <= high or (name == "ratelimit_us" and value == 0):
        return None
    also = " or 0" if name == "ratelimit_us" else ""
    return f"{name} of {value}: {low} to {high}{also} is possible"
