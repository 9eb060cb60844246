"""xl sched-credit2: what share of the CPUs domains have under the scheduler credit2, and how it works."""

from __future__ import annotations

from xenclient.cli.xl.scheduling import RATELIMIT, CreditCommand

SCHED_CREDIT2 = CreditCommand(
    "credit2", {"ratelimit_us": RATELIMIT}, lambda pool: f"ratelimit={pool['ratelimit_us']}us"
).command()
