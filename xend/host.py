"""What operations work with: the hypervisor, the store, and what else of this host they touch."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from xenclient.store.aio import Client as StoreClient
from xend.bootloader.order import Order, Report
from xend.bootloader.run import Screen, Tail
from xend.disk import Disks
from xend.domain.ends import Ends
from xend.hypervisor import Hypervisor
from xend.pci.cards import Cards
from xend.settings import Settings
from xend.sysfs import WriteSysfs

if TYPE_CHECKING:
    from xend.console.service import Consoles
    from xend.device.backends import Backends
    from xend.device.story import Stories
    from xend.domain.registry import Domains
    from xend.model.models import Models


@attrs.frozen
class ScriptOutcome:
    """How a script ended: its exit status (negative: the signal that ended it), the end of its output."""

    status: int
    output: str


#: Runs argv with an environment for at most so many seconds; XendError: it cannot, or did not end.
RunScript = Callable[[Sequence[str], Mapping[str, str], float], Awaitable[ScriptOutcome]]

#: Runs a boot loader, shut in; shows it on a screen, and keeps the end of what it printed.
RunCell = Callable[[Order, Screen, Tail], Awaitable[Report]]

#: Tells listeners: (kind, what, fields), see docs/bus.md, "Events".
Publish = Callable[..., object]


@attrs.frozen(kw_only=True)
class Host:
    """Everything an operation touches; each is a seam that a simulated world puts its own in.

    Attributes:
        read_settings: how this dom0 is set up now.
        making_room: held by who has dom0 give up memory, until that is taken.
        disks: what dom0 knows of its files and devices.
        cards: what it knows of its PCI functions.
        write_sysfs: writes to a file of sysfs.
        models: the device models of its domains.
        loader_directory: of what boot loaders leave, root's alone.
        model_log_directory: of what device models say.
        random: for MAC addresses and UUIDs.
        wall_clock: seconds since 1970.
        publish: tells listeners of an event.
        log: one line into xend's log.
    """

    hypervisor: Hypervisor
    store: StoreClient
    read_settings: Callable[[], Settings]
    domains: "Domains"
    backends: "Backends"
    consoles: "Consoles"
    stories: "Stories"
    models: "Models"
    ends: Ends = attrs.field(factory=Ends)
    making_room: trio.Lock = attrs.field(factory=trio.Lock)
    disks: Disks
    cards: Cards
    write_sysfs: WriteSysfs
    run_script: RunScript
    run_cell: RunCell
    loader_directory: Path
    model_log_directory: str
    random: random.Random
    wall_clock: Callable[[], float]
    publish: Publish
    log: Callable[[str], object]

    @property
    def settings(self) -> Settings:
        """How this dom0 is set up now: what xl.conf(5) says may be another thing a moment later."""
        return self.read_settings()
