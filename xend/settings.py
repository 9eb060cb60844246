"""How this dom0 is set up: what its options came to."""

import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from xend.config.defaults import Defaults
from xend.config.problem import Problem

#: Whose conventions this system follows.
PLATFORM = "netbsd" if sys.platform.startswith("netbsd") else "linux"


#: The hotplug script of interfaces that name none.
VIF_SCRIPT = "vif-bridge"
#: As libxl has them, in seconds.
BOOTLOADER_SECONDS = 120.0
INIT_SECONDS, HOTPLUG_SECONDS, DESTROY_SECONDS = 10.0, 40.0, 10.0


@attrs.frozen(kw_only=True)
class Settings:
    """How this dom0 is set up.

    Attributes:
        platform: whose conventions scripts and backends follow: "linux" or "netbsd".
        root: put before the paths of guests' files; "" for none.
        script_directory: the only one whose scripts are run.
        dump_directory: of the memory of domains that crashed.
        save_directory: of domains that were saved as the host stopped.
        store_socket: what scripts find in XENSTORED_PATH.
        vif_script, bridge: of interfaces whose configuration names none; bridge None: as the system has it.
        defaults: of domains that say nothing themselves (xl.conf).
        claims_memory: a new domain's memory is set aside before it is built.
        autoballoon: whether dom0 gives memory to a domain that needs it: "off", "on", or "auto", unless the
            hypervisor was told what dom0 has.
        output_format: "json" or "sxp", of what xl prints for programs.
        problems: what is wrong with xl.conf, or has no effect.
        init_seconds, hotplug_seconds, destroy_seconds: how long a backend may take to appear, a script to
            end, a backend to close.
        bootloader_seconds: how long a boot loader may take, its menu included.
        usb_directory: where Linux shows the host's USB devices, and their drivers.
    """

    platform: str = PLATFORM
    root: str = ""
    script_directory: Path
    dump_directory: Path
    save_directory: Path = Path("/var/lib/xend/saved")
    store_socket: str
    vif_script: str = VIF_SCRIPT
    bridge: str | None = None
    defaults: Defaults = attrs.field(factory=Defaults)
    claims_memory: bool = True
    autoballoon: str = "auto"
    output_format: str = "json"
    problems: Sequence[Problem] = ()
    init_seconds: float = INIT_SECONDS
    hotplug_seconds: float = HOTPLUG_SECONDS
    destroy_seconds: float = DESTROY_SECONDS
    bootloader_seconds: float = BOOTLOADER_SECONDS
    usb_directory: str = "/sys/bus/usb"

    @property
    def default_bridge(self) -> str:
        """Where a vif goes that names no bridge."""
        return self.bridge or ("bridge0" if self.platform == "netbsd" else "xenbr0")

    def guest_file(self, path: str) -> str:
        """Where a path of a domain's configuration lies."""
        return self.root + path if self.root else path
