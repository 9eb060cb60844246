"""Whom a domain needs: what its configuration says, and those that serve its devices."""

from xend.config import DomainConfig


def needs(config: DomainConfig) -> list[str]:
    """Names of the domains that have to be up before, each once."""
    backends = [device.backend for device in config.all_devices()]
    served_by = [backend for backend in backends if not backend.isdigit()]
    return list(dict.fromkeys([*config.autostart_after, *served_by]))
