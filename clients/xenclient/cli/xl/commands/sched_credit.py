"""xl sched-credit: what share of the CPUs domains have under the scheduler credit, and how it works."""

from __future__ import annotations

from xenclient.cli.xl.command import Option
from xenclient.cli.xl.scheduling import RATELIMIT, CreditCommand

SETTINGS = {
    "timeslice_ms": Option("t", "tslice_ms", "set how long a vCPU runs before others, in ms", "MS"),
    "ratelimit_us": RATELIMIT,
    "migration_delay_us": Option(
        "m", "migration_delay_us", "set how long a vCPU stays on the CPU where it ran, in us", "US"
    ),
}

SCHED_CREDIT = CreditCommand(
    "credit",
    SETTINGS,
    lambda pool: (
        f"tslice={pool['timeslice_ms']}ms ratelimit={pool['ratelimit_us']}us "
        f"migration-delay={pool['migration_delay_us']}us"
    ),
).command()
