"""Which host this is."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from xenstore._system import System
from xenstore.daemon.locks import Held
from xenstore.platform import Platform, Unavailable
from xenstore.platform import linux as linux_host
from xenstore.platform import netbsd as netbsd_host
from xenstore.platform.linux import LinuxPlatform
from xenstore.platform.netbsd import NetBSDPlatform
from xenstore.platform.sim import SimulatedPlatform
from xenstore.platform.xen import XenPlatform

AUTO = "auto"
NONE = "none"
LINUX = "linux"
NETBSD = "netbsd"
SIMULATED = "sim:"
NAMES = (AUTO, NONE, LINUX, NETBSD)


def valid_name(name: str) -> bool:
    """Whether `open_platform` knows a name."""
    return name in NAMES or (name.startswith(SIMULATED) and len(name) > len(SIMULATED))


def open_platform(
    name: str,
    held: Held,
    explain: Callable[[str], object],
    system: System | None = None,
    operating_system: str = sys.platform,
    event_fd: int = -1,
) -> Platform | None:
    """The host's platform: "linux", "netbsd", "sim:DIR", "none", or "auto" for what this machine is.

    held: the lock of the service that the platform is for.
    event_fd: the descriptor of event channels to go on with; -1: a new one is opened.
    None: sockets only; `explain` has been called with the reason if it was "auto" that chose so.

    Raises:
        Unavailable: the platform is there, but something it needs is not; the text says what and what to do.
        StartError: another xenstored serves the simulated host's domains.
    """
    system = system or System()
    if name == NONE:
        return None
    if name.startswith(SIMULATED):
        return SimulatedPlatform(Path(name.removeprefix(SIMULATED)), held, event_fd)
    try:
        _, host = real_host(system, operating_system if name == AUTO else name)
    except Unavailable as missing:
        if name != AUTO:
            raise
        explain(str(missing))
        return None
    return host(held, system, event_fd)


def real_host(system: System, operating_system: str = sys.platform) -> tuple[str, type[XenPlatform]]:
    """The name and the class of the platform of this dom0.

    Raises:
        Unavailable: this is none.
    """
    if operating_system.startswith(LINUX):
        name, missing = LINUX, missing_on_linux(system)
    elif operating_system.startswith(NETBSD):
        name, missing = NETBSD, missing_on_netbsd(system)
    else:
        raise Unavailable(f"{operating_system} is no system whose domains can be served")
    if missing is not None:
        raise Unavailable(missing)
    return name, LinuxPlatform if name == LINUX else NetBSDPlatform


def missing_on_linux(system: System) -> str | None:
    """Why a Linux is no dom0; None: it is one."""
    if system.exists(linux_host.XSD_PORT) or system.exists(linux_host.XENBUS_BACKEND):
        return None
    if system.exists("/proc/xen"):
        return (
            f"this is a domain of Xen, but not dom0 ({linux_host.XSD_PORT} and "
            f"{linux_host.XENBUS_BACKEND} are missing; if it is dom0: mount -t xenfs xenfs /proc/xen)"
        )
    return f"no Xen here ({linux_host.XSD_PORT} is missing)"


def missing_on_netbsd(system: System) -> str | None:
    """Why a NetBSD is no dom0; None: it is one, perhaps without kernfs."""
    if system.exists(netbsd_host.PRIVCMD):
        return None
    if system.exists("/kern/xen"):
        return f"this is a domain of Xen, but not dom0 ({netbsd_host.PRIVCMD} is missing)"
    if _opens(system, netbsd_host.XENEVT):
        return None  # Xen without kernfs: let the platform say so
    return f"no Xen here ({netbsd_host.PRIVCMD} is missing)"


def _opens(system: System, path: str) -> bool:
    """Whether a device node has a device behind it."""
    try:
        system.close(system.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError:
        return False
    return True
