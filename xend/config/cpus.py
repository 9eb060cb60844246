"""Which of the host's CPUs virtual ones run on: the options cpus and cpus_soft of xl.cfg(5).

    set  = part {"," part}
    part = ["^"] ["node:" | "nodes:"] ("all" | NUMBER ["-" NUMBER])

A text is for all virtual CPUs; of a list each item is for one of them, in order, and further ones run
anywhere.  `^` takes away from what stands before it.
"""

import re
from collections.abc import Collection, Sequence

import attrs

from xend.config.grammar import Value
from xend.config.option import accepted
from xend.config.problem import ConfigError, Findings
from xend.config.settings import Settings

__all__ = ["ALL_CPUS", "MAX_CPU", "CpuSet", "cpu_sets_of", "parse_cpu_set"]

EXPECTED = 'CPUs as in "0-3,^2", "node:1" or "all"'
#: No host has more (NR_CPUS, xen/arch/x86/Kconfig), nor more nodes.
MAX_CPU = 16383
_PART = re.compile(r"(\^?)(nodes?:)?(?:(all)|([0-9]{1,5})(?:-([0-9]{1,5}))?)")


@attrs.frozen
class _Part:
    is_taken_away: bool
    is_of_nodes: bool
    first: int
    last: int

    def of(self, cpus: int, nodes: Sequence[Collection[int]]) -> set[int]:
        """On a host of so many CPUs, of which each node has these."""
        if self.is_of_nodes:
            return {cpu for node in nodes[self.first : self.last + 1] for cpu in node}
        return set(range(self.first, min(self.last + 1, cpus)))

    def missing(self, cpus: int, nodes: int) -> str | None:
        """What of it a host of so many CPUs and nodes has not; None: nothing."""
        there, what = (nodes, "node") if self.is_of_nodes else (cpus, "CPU")
        if self.last >= MAX_CPU or self.last < there:
            return None
        return f"{what} {max(self.first, there)}"


@attrs.frozen
class CpuSet:
    """Some of a host's CPUs.

    Attributes:
        text: as the configuration has it.
    """

    text: str
    _parts: tuple[_Part, ...]

    def of(self, cpus: int, nodes: Sequence[Collection[int]]) -> tuple[int, ...]:
        """Numbers of CPUs, rising, on a host of so many CPUs, of which each node has these."""
        found: set[int] = set()
        for part in self._parts:
            meant = part.of(cpus, nodes)
            found = found - meant if part.is_taken_away else found | meant
        return tuple(sorted(found))

    def missing(self, cpus: int, nodes: int) -> str | None:
        """The first of it that a host of so many CPUs and nodes has not, such as "CPU 9"; None: nothing."""
        lacking = (part.missing(cpus, nodes) for part in self._parts)
        return next((each for each in lacking if each is not None), None)


def parse_cpu_set(text: str) -> CpuSet:
    """The set that a text means.

    Raises:
        ValueError: it is none; says what was expected.
    """
    parts = []
    for word in text.split(","):
        match = _PART.fullmatch(word.strip())
        if match is None:
            raise ValueError(f"expected {EXPECTED}")
        taken, nodes, everything, first, last = match.groups()
        low, high = (0, MAX_CPU) if everything else (int(first), int(last or first))
        if everything and taken:
            raise ValueError("expected a part of all after ^")
        if high < low or high > MAX_CPU:
            raise ValueError(f"expected a range that rises, up to {MAX_CPU}")
        parts.append(_Part(bool(taken), bool(nodes), low, high))
    if all(part.is_taken_away for part in parts):
        raise ValueError("expected CPUs before those that ^ takes away")
    return CpuSet(text, tuple(parts))


#: Wherever there are CPUs.
ALL_CPUS = parse_cpu_set("all")


def cpu_sets_of(settings: Settings, option: str, max_vcpus: int) -> Sequence[CpuSet | None]:
    """One for each virtual CPU; None, and what is missing at the end: any CPU.  Empty: not given."""
    value = settings.value(option)
    if value is None or (value.items is None and not value.text):
        return ()
    if value.items is None:
        return (_set_of(settings, option, value),) * max_vcpus
    findings = Findings()
    sets = [
        findings.attempt(lambda item=item: _set_of(settings, option, item), None)  # type: ignore[misc]
        for item in value.items
    ]
    findings.check()
    return tuple(sets[:max_vcpus])


def _set_of(settings: Settings, option: str, value: Value) -> CpuSet:
    more = {"option": option, "value": str(value)}
    if value.items is not None:
        text = f"{option} holds a list, expected {accepted('s')} or a number"
        raise ConfigError.at(value.place, text, **more)
    try:
        return parse_cpu_set(value.text)
    except ValueError as error:
        raise ConfigError.at(value.place, f"{option} = {value}: {error}", **more) from None
