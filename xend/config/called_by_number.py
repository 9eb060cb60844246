"""Devices that people call by their number: "vif 0"."""

import attrs


@attrs.frozen(kw_only=True)
class CalledByNumber:
    """What the configurations of such devices share.

    Attributes:
        devid: the device's number; None: not chosen yet.
    """

    devid: int | None = None

    @property
    def name(self) -> str:
        """What people call it beside its type."""
        return str(self.devid)

    @property
    def number_as_given(self) -> str:
        """Its number as errors call it: "devid 0"."""
        return f"devid {self.devid}"
