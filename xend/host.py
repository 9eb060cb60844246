"""What operations work with: the hypervisor, the store, and how this host is set up."""

import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from xenclient.store.aio import Client as StoreClient
from xend.disk import Disks
from xend.domain.ends import Ends
from xend.hypervisor import Hypervisor

if TYPE_CHECKING:
    from xend.console.service import Consoles
    from xend.device.backends import Backends
    from xend.device.story import Stories
    from xend.domain.registry import Domains


#: Whose conventions this system follows.
PLATFORM = "netbsd" if sys.platform.startswith("netbsd") else "linux"


#: The hotplug script of interfaces that name none.
VIF_SCRIPT = "vif-bridge"
#: As libxl has them, in seconds.
INIT_SECONDS, HOTPLUG_SECONDS, DESTROY_SECONDS = 10.0, 40.0, 10.0


@attrs.frozen
class ScriptOutcome:
    """How a script ended: its exit status (negative: the signal that ended it), the end of its output."""

    status: int
    output: str


#: Runs argv with an environment for at most so many seconds; XendError: it cannot, or did not end.
RunScript = Callable[[Sequence[str], Mapping[str, str], float], Awaitable[ScriptOutcome]]

#: Tells listeners: (kind, what, fields), see docs/bus.md, "Events".
Publish = Callable[..., object]


@attrs.frozen(kw_only=True)
class Settings:
    """How this dom0 is set up.

    Attributes:
        platform: whose conventions scripts and backends follow: "linux" or "netbsd".
        root: put before the paths of guests' files; "" for none.
        script_directory: the only one whose scripts are run.
        store_socket: what scripts find in XENSTORED_PATH.
        vif_script, bridge: of interfaces whose configuration names none; bridge None: as the system has it.
        init_seconds, hotplug_seconds, destroy_seconds: how long a backend may take to appear, a script to
            end, a backend to close.
    """

    platform: str = PLATFORM
    root: str = ""
    script_directory: Path
    dump_directory: Path
    store_socket: str
    vif_script: str = VIF_SCRIPT
    bridge: str | None = None
    init_seconds: float = INIT_SECONDS
    hotplug_seconds: float = HOTPLUG_SECONDS
    destroy_seconds: float = DESTROY_SECONDS

    @property
    def default_bridge(self) -> str:
        """Where a vif goes that names no bridge."""
        return self.bridge or ("bridge0" if self.platform == "netbsd" else "xenbr0")

    def guest_file(self, path: str) -> str:
        """Where a path of a domain's configuration lies."""
        return self.root + path if self.root else path


@attrs.frozen(kw_only=True)
class Host:
    """Everything an operation touches; each is a seam that a simulated world puts its own in.

    Attributes:
        disks: what dom0 knows of its files and devices.
        random: for MAC addresses and UUIDs.
        wall_clock: seconds since 1970.
        publish: tells listeners of an event.
        log: one line into xend's log.
    """

    hypervisor: Hypervisor
    store: StoreClient
    settings: Settings
    domains: "Domains"
    backends: "Backends"
    consoles: "Consoles"
    stories: "Stories"
    ends: Ends = attrs.field(factory=Ends)
    disks: Disks
    run_script: RunScript
    random: random.Random
    wall_clock: Callable[[], float]
    publish: Publish
    log: Callable[[str], object]
