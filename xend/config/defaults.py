"""What a host's xl.conf(5) says of every domain whose own configuration is silent there."""

from collections.abc import Sequence
from typing import Any

import attrs

from xend.config import DomainConfig
from xend.config.cpus import parse_cpu_set
from xend.config.vif import VifConfig

__all__ = ["Defaults"]


def _is_mask(defaults: object, field: "attrs.Attribute[Any]", value: str) -> None:
    parse_cpu_set(value)


_TEXT = attrs.validators.optional(attrs.validators.instance_of(str))
_NUMBER = attrs.validators.optional(attrs.validators.instance_of(int))
_MASK = attrs.validators.optional(attrs.validators.and_(attrs.validators.instance_of(str), _is_mask))


@attrs.frozen(kw_only=True)
class Defaults:
    """The keys of xl.conf(5), each under its own name; None: not given.

    A domain keeps those that it was made with, as it keeps its configuration.
    """

    vif_script: str | None = attrs.field(default=None, validator=_TEXT)
    vif_bridge: str | None = attrs.field(default=None, validator=_TEXT)
    vif_gatewaydev: str | None = attrs.field(default=None, validator=_TEXT)
    vif_backend: str | None = attrs.field(default=None, validator=_TEXT)
    max_grant_frames: int | None = attrs.field(default=None, validator=_NUMBER)
    max_maptrack_frames: int | None = attrs.field(default=None, validator=_NUMBER)
    max_grant_version: int | None = attrs.field(default=None, validator=_NUMBER)
    cpumask: str | None = attrs.field(default=None, validator=_MASK)
    pv_cpumask: str | None = attrs.field(default=None, validator=_MASK)
    hvm_cpumask: str | None = attrs.field(default=None, validator=_MASK)

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Defaults":
        """Those of a record.

        Raises:
            ValueError: they are no defaults that this xend knows.
        """
        try:
            return cls(**given)
        except TypeError as error:
            raise ValueError(f"{given!r} are no defaults of domains: {error}") from None

    def given(self, *, without_masks: bool = False) -> dict[str, Any]:
        """Those that are given, for a record."""
        found = attrs.asdict(self, filter=lambda attribute, value: value is not None)
        return {
            name: value for name, value in found.items() if not (without_masks and name.endswith("cpumask"))
        }

    def masks(self, guest_type: str) -> Sequence[str]:
        """The masks of CPUs that hold for domains of a type, each a set as `cpus` has it."""
        of_type = self.pv_cpumask if guest_type == "pv" else self.hvm_cpumask
        return [mask for mask in (self.cpumask, of_type) if mask is not None]

    def applied(self, config: DomainConfig) -> DomainConfig:
        """The configuration with these where it says nothing."""
        limits = config.limits
        return attrs.evolve(
            config,
            limits=attrs.evolve(
                limits,
                grant_frames=_or(limits.grant_frames, self.max_grant_frames),
                maptrack_frames=_or(limits.maptrack_frames, self.max_maptrack_frames),
                grant_version=_or(limits.grant_version, self.max_grant_version),
            ),
            cpu_masks=tuple(map(parse_cpu_set, self.masks(config.type))),
            devices={kind: list(map(self.device, found)) for kind, found in config.devices.items()},
        )

    def device(self, device: Any) -> Any:
        """A device with these where it says nothing."""
        return self._vif(device) if isinstance(device, VifConfig) else device

    def _vif(self, vif: VifConfig) -> VifConfig:
        backend = self.vif_backend
        return attrs.evolve(
            vif,
            script=vif.script or self.vif_script,
            bridge=vif.bridge or self.vif_bridge,
            gatewaydev=vif.gatewaydev or self.vif_gatewaydev,
            backend=vif.backend if vif.has_backend or backend is None else backend,
        )


def _or(value: int | None, default: int | None) -> int | None:
    return default if value is None else value
