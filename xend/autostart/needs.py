"""Whom a domain needs: what its configuration says, and those that serve its devices."""

from xend.config import DomainConfig


def needs(config: DomainConfig) -> list[str]:
    """Names of the domains that have to be up before, each once."""
    backends = [device.backend for device in config.all_devices()]
    # One whose own backends are elsewhere by xl.conf alone does not wait for itself.
    served_by = [backend for backend in backends if not backend.isdigit() and backend != config.name]
    return list(dict.fromkeys([*config.autostart_after, *served_by]))
