"""A domain's security labels, for FLASK: seclabel and its like, of xl.cfg(5).

Source: tools/xl/xl_parse.c
"""

import attrs

from xend.config.problem import Findings
from xend.config.settings import Settings

__all__ = ["Labels", "labels_of"]


@attrs.frozen(kw_only=True)
class Labels:
    """None: that of domains without one.

    Attributes:
        initial: while it is built.
        own: while it runs; without, it keeps the initial one.
        device_model: of a stub domain with its device model, which no domain here has.
    """

    initial: str | None = None
    own: str | None = None
    device_model: str | None = None

    @property
    def first(self) -> str | None:
        """With which it is created."""
        return self.initial or self.own

    @property
    def running(self) -> str | None:
        """That it gets once it is built; None: it keeps the first."""
        return self.own if self.initial else None

    def by_option(self) -> dict[str, str]:
        """Those that are given, by the option that gives each."""
        given = {
            "init_seclabel": self.initial,
            "seclabel": self.own,
            "device_model_stubdomain_seclabel": self.device_model,
        }
        return {option: label for option, label in given.items() if label is not None}


def labels_of(settings: Settings) -> Labels:
    """All of them; init_seclabel alone is for all its life.

    Raises:
        ConfigError: no text.
    """
    findings = Findings()

    def label(option: str) -> str | None:
        return findings.attempt(lambda: settings.text(option), None) or None

    found = Labels(
        initial=label("init_seclabel"),
        own=label("seclabel"),
        device_model=label("device_model_stubdomain_seclabel"),
    )
    findings.check()
    return found
