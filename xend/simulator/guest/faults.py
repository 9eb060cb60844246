"""The list of faults that a simulated guest injects, and of the roles it plays.

They are words of its kernel's command line, `sim=WORD[,WORD...]`; a word that is not here is a panic:

    never-answer      touches neither its devices nor its control nodes; the console works
    jump-states       its frontends answer each change of their backends with a wild state
    hang-shutdown     takes no notice of control/shutdown
    ack-only          acknowledges control/shutdown, and runs on
    no-drivers        has no paravirtual drivers: touches nothing, and the console works
    ignore-suspend    says nothing of suspending itself; removes control/shutdown where that asks for it
    crash-at-suspend  acknowledges that it is to be suspended, and crashes
    suspend-late=SECONDS  acknowledges that it is to be suspended, and does it so much later
    flood             store requests and console output without end, as much as the rings have room for
    no-balloon        takes no notice of memory/target
    crash-at=K        crashes when it would send its K-th store request, counting from 1
    reboot-at=K       reboots then
    poweroff-at=K     powers off then
    watchdog=SECONDS  arms a watchdog timer as it boots, and never sets it again
    slow=SECONDS      each answer, to a control node or to a backend, takes so long
    backends          no fault: its kernel drives the backends below its own home, as a driver domain's
    driver-domain     no fault: the same, and it runs their scripts (xend.simulator.guest.scripts)
"""

import attrs

from xend.simulator.machine import CRASH, POWEROFF, REBOOT

_FLAGS = (
    "never-answer", "jump-states", "hang-shutdown", "ack-only", "ignore-suspend", "crash-at-suspend", "flood",
    "no-balloon", "no-drivers", "backends", "driver-domain",
)  # fmt: skip
_ENDS = {"crash-at": CRASH, "reboot-at": REBOOT, "poweroff-at": POWEROFF}
_SLOWEST_SECONDS = 86400.0


@attrs.frozen
class Faults:
    """What a guest does wrong.

    Attributes:
        words: those without a value.
        ends: (number of a request, reason) for each request that is not sent.
        slow_seconds: how long each answer takes.
        suspend_late_seconds: how long it takes from its answer to its suspend.
        watchdog_s: when its watchdog expires, in seconds from its boot; 0: it has none.
    """

    words: frozenset[str] = frozenset()
    ends: tuple[tuple[int, int], ...] = ()
    slow_seconds: float = 0.0
    suspend_late_seconds: float = 0.0
    watchdog_s: int = 0


def parse(command_line: str) -> Faults:
    """The faults that a command line asks for.

    Raises:
        ValueError: one is unknown; the text names it.
    """
    words: set[str] = set()
    ends: list[tuple[int, int]] = []
    slow = late = 0.0
    watchdog_s = 0
    for parameter in command_line.split():
        if not parameter.startswith("sim="):
            continue
        for word in parameter.removeprefix("sim=").split(","):
            name, _, value = word.partition("=")
            if word in _FLAGS:
                words.add(word)
            elif name in _ENDS and (number := _number(value)):
                ends.append((number, _ENDS[name]))
            elif name == "watchdog" and 0 < (number := _number(value)) <= _SLOWEST_SECONDS:
                watchdog_s = number
            elif name == "slow":
                slow = _seconds(word, value)
            elif name == "suspend-late":
                late = _seconds(word, value)
            else:
                raise ValueError(f"sim={word}")
    return Faults(frozenset(words), tuple(ends), slow, late, watchdog_s)


def has_drivers(command_line: str) -> bool:
    """Whether the kernel with that command line has paravirtual drivers."""
    try:
        return "no-drivers" not in parse(command_line).words
    except ValueError:  # it panics
        return False


def _number(value: str) -> int:
    """A number above 0; 0: it is none."""
    return int(value) if value.isascii() and value.isdigit() else 0


def _seconds(word: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError as error:
        raise ValueError(f"sim={word}") from error
    if not 0 <= seconds <= _SLOWEST_SECONDS:
        raise ValueError(f"sim={word}")
    return seconds
