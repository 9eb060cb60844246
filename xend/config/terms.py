"""What the clock of a domain shows, and what the store grants it: options of xl.cfg(5)."""

import re
from collections.abc import Mapping

import attrs

from xend.config.number import number_of
from xend.config.place import shown
from xend.config.problem import ConfigError, Findings
from xend.config.settings import Settings

__all__ = ["Clock", "StoreTerms", "clock_of", "store_terms_of"]

#: As far as Xen's interface goes (xc_domain_set_time_offset).
_MAX_OFFSET_S = (1 << 31) - 1
_MAX_MASK = (1 << 32) - 1
_MAX_QUOTA = (1 << 32) - 2
_QUOTA = re.compile(r"([a-z][-a-z0-9]*)\s*=\s*([0-9]{1,10})")


@attrs.frozen(kw_only=True)
class Clock:
    """How far its wall clock is from the host's, which shows UTC.

    Attributes:
        offset_s: so many seconds before it.
        is_local: it shows the host's local time, to which the offset is added.
    """

    offset_s: int = 0
    is_local: bool = False


@attrs.frozen(kw_only=True)
class StoreTerms:
    """Of the domain alone.

    Attributes:
        features: the mask of those that it is offered; None: all.
        quotas: by the store's names; 0 is no bound.
    """

    features: int | None = None
    quotas: Mapping[str, int] = attrs.field(factory=dict)


def clock_of(settings: Settings) -> Clock:
    """From rtc_timeoffset and localtime; raises ConfigError."""
    findings = Findings()
    offset_s = findings.attempt(
        lambda: settings.number("rtc_timeoffset", -_MAX_OFFSET_S, _MAX_OFFSET_S, "seconds"), None
    )
    is_local = findings.attempt(lambda: settings.boolean("localtime"), None)
    findings.check()
    return Clock(offset_s=offset_s or 0, is_local=is_local or False)


def store_terms_of(settings: Settings) -> StoreTerms:
    """From xenstore_feature_mask and xenstore_quota; raises ConfigError."""
    findings = Findings()
    features = findings.attempt(lambda: settings.number("xenstore_feature_mask", 0, _MAX_MASK), None)
    quotas: dict[str, int] = findings.attempt(lambda: _quotas(settings), {})
    findings.check()
    return StoreTerms(features=features, quotas=quotas)


def _quotas(settings: Settings) -> dict[str, int]:
    findings = Findings()
    quotas: dict[str, int] = {}
    for text, place in settings.items("xenstore_quota"):
        match = _QUOTA.fullmatch(text.strip())
        value = number_of(match[2]) if match else None
        complaint = None
        if match is None or value is None or value > _MAX_QUOTA:
            complaint = f"NAME=NUMBER as in {shown('nodes=2000')}, up to {_MAX_QUOTA}"
        elif match[1] in quotas:
            complaint = "each quota once"
        else:
            quotas[match[1]] = value
        if complaint:
            said = f"xenstore_quota holds {shown(text)}, expected {complaint}"
            error = ConfigError.at(place, said, option="xenstore_quota", value=shown(text)[1:-1])
            findings.problems += error.problems
    findings.check()
    return quotas
