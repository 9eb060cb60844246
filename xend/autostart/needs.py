"""Whom a domain needs: what its configuration says, and those that serve its devices."""

from xend.config import DomainConfig


def needs(config: DomainConfig) -> list[str]:
    """Names of the domains that have to be up before, each once."""
    backends = [disk.backend for disk in config.disks] + [vif.backend for vif in config.vifs]
    served_by = [backend for backend in backends if not backend.isdigit()]
    return list(dict.fromkeys([*config.autostart_after, *served_by]))
