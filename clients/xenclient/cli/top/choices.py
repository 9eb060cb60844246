"""What somebody who looks at domains' load has chosen: the options of xentop and of `xl top`."""

from __future__ import annotations

from xenclient.cli.xl.command import Option
from xenclient.cli.xl.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = (
    Option("d", "delay", "so long between two looks; 3", "SECONDS"),
    Option("n", "networks", "each interface's counters"),
    Option("x", "vbds", "each disk's counters"),
    Option("r", "repeat-header", "the header before each domain"),
    Option("v", "vcpus", "each virtual CPU's time"),
    Option("b", "batch", "print lines, for programs; take no keys"),
    Option("p", "pcpus", "how busy each CPU of the host is"),
    Option("i", "iterations", "so many looks; 0: no end", "NUMBER"),
    Option("f", "full-name", "names as long as they are"),
    Option("z", "dom0-first", "Domain-0 before the others"),
)
DELAY_SECONDS = 3.0
#: Less would keep a CPU busy with looking.
SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 86_400.0


class Choices:
    """What is shown, and how often.

    Attributes:
        delay_s: seconds between two looks.
        iterations: how many; 0: no end.
        networks, vbds, vcpus: lines of each below its domain.
        pcpus: a table of the host's CPUs below all domains.
    """

    def __init__(self) -> None:
        self.delay_s = DELAY_SECONDS
        self.iterations = 0
        self.batch = False
        self.networks = False
        self.vbds = False
        self.vcpus = False
        self.pcpus = False
        self.repeat_header = False
        self.full_name = False
        self.dom0_first = False


def choices(given: Callable[[str], bool], value: Callable[[str], str | None]) -> Choices:
    """What these options choose; given, value: whether one was given, and what with, by its long name.

    Raises:
        Failure: a number that is none.
    """
    chosen = Choices()
    for option in OPTIONS:
        if not option.value and given(option.name):
            setattr(chosen, option.name.replace("-", "_"), True)
    if (text := value("delay")) is not None:
        chosen.delay_s = seconds(text)
    if (text := value("iterations")) is not None:
        chosen.iterations = _count(text)
    return chosen


def seconds(text: str) -> float:
    """A delay as it is typed. Raises: Failure."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not SHORTEST_SECONDS <= found <= LONGEST_SECONDS:
        raise Failure(f"delay {text!r}, expected seconds, {SHORTEST_SECONDS} to {LONGEST_SECONDS:.0f}")
    return found


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Failure(f"iterations {text!r}, expected a number")
    return int(text)
