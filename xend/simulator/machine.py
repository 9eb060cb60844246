"""What the kernel of a simulated domain has of its host: its hypercalls, pages and event channels."""

import random
from collections.abc import Callable, Collection

import attrs

from xend.simulator.channel import Channel
from xend.simulator.gate import Gate

#: Shutdown reasons (indices into xend.hypervisor.SHUTDOWN_REASONS).
POWEROFF, REBOOT, SUSPEND, CRASH, WATCHDOG, SOFT_RESET = range(6)


@attrs.frozen(kw_only=True)
class Machine:
    """A domain, from within.

    Attributes:
        gate: shut while the domain is paused; its kernel asks it before it does anything.
        memory_kib: what it has now, in KiB.
        vcpus: how many are online as it boots.
        set_online: use these vCPUs from now on, by number.
        set_memory: balloon to so many KiB, as far as its maximum and the host's memory allow; returns what it
            has then.
        shutdown: SCHEDOP_shutdown; the kernel does not come back from its next checkpoint, unless it is
            suspended: then the gate is shut until it is resumed.
        watchdog: SCHEDOP_watchdog, as `Hypervisor.watchdog` has it.
        set_load: how much of one CPU it uses while it runs, from 0 to the number of its vCPUs.
        fire_store: notify the store.
        random: the guest's own source of randomness.
        booted_at: when it booted, on trio's clock.
        is_restored: it has booted already, and goes on where it was saved.
        flavour: whose kernel it is, "linux" or "netbsd".
    """

    domid: int
    command_line: str
    vcpus: int
    max_vcpus: int
    gate: Gate
    memory_kib: Callable[[], int]
    set_online: Callable[[Collection[int]], None]
    set_memory: Callable[[int], int]
    shutdown: Callable[[int], None]
    watchdog: Callable[[int, int], int]
    set_load: Callable[[float], None]
    store_page: object
    store_channel: Channel
    fire_store: Callable[[], object]
    console_page: object
    console_channel: Channel
    random: random.Random
    booted_at: float
    is_restored: bool
    flavour: str = "linux"
