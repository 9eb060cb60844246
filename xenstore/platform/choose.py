"""Which host this is."""

import sys
from pathlib import Path

from xenstore.platform import Platform, Unavailable
from xenstore.platform.sim import SimulatedPlatform

AUTO = "auto"
NONE = "none"
SIMULATED = "sim:"

#: Where dom0's kernel says by which event channel it is reached; absent without Xen.
XENSTORE_PORT = Path("/proc/xen/xsd_port" if sys.platform.startswith("linux") else "/kern/xen/xsd_port")


def valid_name(name: str) -> bool:
    """Whether `open_platform` knows a name."""
    return name in (AUTO, NONE) or (name.startswith(SIMULATED) and len(name) > len(SIMULATED))


def open_platform(name: str) -> Platform | None:
    """The host's platform: "sim:DIR", "none", or "auto" for what this machine is.  None: sockets only.

    Raises:
        Unavailable: the platform is there, but something it needs is not; the text says what and what to do.
    """
    if name == NONE:
        return None
    if name.startswith(SIMULATED):
        return SimulatedPlatform(Path(name.removeprefix(SIMULATED)))
    if not XENSTORE_PORT.exists():
        return None
    raise Unavailable("the rings of a real Xen host are not served by this version; use --platform none")
