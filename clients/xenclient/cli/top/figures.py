"""What is shown of a domain: figures of one look, and what it used since the look before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Map = Mapping[str, Any]

#: SHUTDOWN_crash of xen/include/public/sched.h.
CRASH = 3
#: What a name must not have that is a word of a line.
BLANK, CONTROL = "_", "?"


class Figures:
    """One domain's.

    Attributes:
        name: without blanks and control characters, which would make two words or a line of it.
        state: six letters, as xentop has them: d s b c p r.
        cpu_percent: since the look before; 100 is one CPU.
        memory_percent, max_memory_percent: of the host's.
        max_memory_kib: None: no limit.
        vifs, vbds: the counters of each; None: nobody counts them.
    """

    def __init__(self, domain: Map, cpu_percent: float, total_kib: int) -> None:
        self.domid: int = domain["domid"]
        self.name = one_word(domain["name"])
        self.state = _state(domain)
        self.cpu_seconds: int = domain["cpu_time_ns"] // 1_000_000_000
        self.cpu_percent = cpu_percent
        self.memory_kib: int = domain["memory_kib"]
        self.memory_percent = _percent(self.memory_kib, total_kib)
        self.max_memory_kib: int | None = domain["max_memory_kib"]
        self.max_memory_percent = _percent(self.max_memory_kib or 0, total_kib)
        self.vcpus: int = domain["max_vcpus"]
        self.ssid: int = domain["ssid"]
        self.vifs: list[Map | None] = [vif["counters"] for vif in domain["vifs"]]
        self.vbds: list[tuple[int, Map | None]] = [(vbd["devid"], vbd["counters"]) for vbd in domain["vbds"]]
        self.vcpu_times: Sequence[Map] = domain.get("vcpu_times", ())

    def network_kib(self, counter: str) -> int:
        """The sum over all interfaces of "rx_bytes" or "tx_bytes", in KiB."""
        total: int = sum(vif[counter] for vif in self.vifs if vif is not None)
        return total >> 10

    def disk_sum(self, counter: str) -> int | None:
        """Over all disks that somebody counts; None: there are disks, and of none it is known."""
        known = [vbd[counter] or 0 for _, vbd in self.vbds if vbd is not None]
        return None if self.vbds and not known else sum(known)


def figures(answer: Map, before: Map | None) -> list[Figures]:
    """Those of an answer to stats.list; before: the one before it, if there is one."""
    total_kib = answer["host"]["total_memory_kib"]
    used = _cpu_percents(answer, before)
    return [
        Figures(domain, used.get((domain["domid"], domain["uuid"]), 0.0), total_kib)
        for domain in answer["domains"]
    ]


def _cpu_percents(answer: Map, before: Map | None) -> dict[tuple[int, str], float]:
    """By domid and UUID: another domain may have the domid of one that ended."""
    if before is None or before["epoch"] != answer["epoch"] or answer["at_ns"] <= before["at_ns"]:
        return {}
    passed_ns = answer["at_ns"] - before["at_ns"]
    then = {(domain["domid"], domain["uuid"]): domain["cpu_time_ns"] for domain in before["domains"]}
    return {
        key: max(0.0, 100.0 * (domain["cpu_time_ns"] - then[key]) / passed_ns)
        for domain in answer["domains"]
        if (key := (domain["domid"], domain["uuid"])) in then
    }


def in_order(found: Iterable[Figures], dom0_first: bool) -> list[Figures]:
    """By name, as strcasecmp(3) compares, for programs."""
    return sorted(found, key=lambda each: (dom0_first and each.domid != 0, folded(each.name)))


def folded(name: str) -> bytes:
    """What strcasecmp(3) compares in the C locale: bytes, letters of ASCII in lower case."""
    return name.encode("utf-8", "surrogateescape").lower()


def one_word(name: str) -> str:
    """The name, blanks and control characters replaced: it is one word of a line."""
    return "".join(BLANK if each.isspace() else each if each.isprintable() else CONTROL for each in name)


def _state(domain: Map) -> str:
    crashed = domain["shutdown"] and domain["shutdown_reason"] == CRASH
    flags = (
        ("d", domain["dying"]),
        ("s", domain["shutdown"] and not crashed),
        ("b", domain["blocked"]),
        ("c", crashed),
        ("p", domain["paused"]),
        ("r", domain["running"]),
    )
    return "".join(letter if is_set else "-" for letter, is_set in flags)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
