"""A domain's share of the host's CPUs: the options cpu_weight, cap, period and extratime of xl.cfg(5)."""

import attrs

from xend.config.problem import Findings
from xend.config.settings import Settings

__all__ = ["Share", "share_of"]

_MAX = (1 << 16) - 1
_MAX_PERIOD_US = (1 << 31) - 1


@attrs.frozen(kw_only=True)
class Share:
    """None: as the scheduler gives it by itself.

    Attributes:
        weight: beside others' (credit, credit2).
        cap: in percent of one CPU; 0: no bound (credit, credit2).
        period_us: how often it gets its budget (rtds).
        extra_time: it gets more, where nobody else wants it (rtds).
    """

    weight: int | None = None
    cap: int | None = None
    period_us: int | None = None
    extra_time: bool | None = None


def share_of(settings: Settings, max_vcpus: int) -> Share:
    """All of it; a weight of 0, as xm's programs write it, is the scheduler's own.

    Raises:
        ConfigError: out of range.
    """
    findings = Findings()
    attempt = findings.attempt
    most = 100 * max_vcpus
    share = Share(
        weight=attempt(lambda: settings.number("cpu_weight", 0, _MAX), None) or None,
        cap=attempt(lambda: settings.number("cap", 0, min(most, _MAX), "percents of one CPU"), None),
        period_us=attempt(lambda: settings.number("period", 0, _MAX_PERIOD_US, "microseconds"), None) or None,
        extra_time=attempt(lambda: settings.boolean("extratime"), None),
    )
    findings.check()
    return share
