"""What a domain may have of grant tables and event channels, and its clock: bounds of xl.cfg(5)."""

import attrs

from xend.config.hardware import word_or_number
from xend.config.options import OPTIONS
from xend.config.problem import Findings
from xend.config.settings import Settings

__all__ = ["TSC_MODES", "Limits", "limits_of", "tsc_mode_of"]

#: As the option's numbers count them (xl.cfg(5), tsc_mode).
TSC_MODES = OPTIONS["tsc_mode"].words
_FRAMES_MAX = (1 << 31) - 1
#: What a domain has with event channels of the newest kind (EVTCHN_FIFO_NR_CHANNELS).
_EVENT_CHANNELS_MAX = 1 << 17
_GRANT_VERSIONS = 2


@attrs.frozen(kw_only=True)
class Limits:
    """Numbers; None: as the hypervisor has it, of event channels 1023.

    Attributes:
        grant_frames, maptrack_frames: pages.
        grant_version: 1 or 2.
    """

    grant_frames: int | None = None
    maptrack_frames: int | None = None
    grant_version: int | None = None
    event_channels: int | None = None


def limits_of(settings: Settings) -> Limits:
    """All of them, each in its bounds."""
    findings = Findings()

    def read(option: str, lowest: int, highest: int) -> int | None:
        return findings.attempt(lambda: settings.number(option, lowest, highest), None)

    limits = Limits(
        grant_frames=read("max_grant_frames", 1, _FRAMES_MAX),
        maptrack_frames=read("max_maptrack_frames", 0, _FRAMES_MAX),
        grant_version=read("max_grant_version", 1, _GRANT_VERSIONS),
        event_channels=read("max_event_channels", 0, _EVENT_CHANNELS_MAX) or None,
    )
    findings.check()
    return limits


def tsc_mode_of(settings: Settings) -> str:
    """One of TSC_MODES; "default" where it is not given."""
    return word_or_number(settings, "tsc_mode")
