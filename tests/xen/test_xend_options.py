"""Options of xl.cfg do to a domain what they do under Debian's xl: the hypervisor and the guest tell."""

import re

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import DEBIANS, NO_DEVICES, OURS, Guest, Settings, Toolstack

pytestmark = [pytest.mark.xen, pytest.mark.long]

NAME = "effect"
XENTOP = f"{manager.BIN}/xentop"
COMMON: Settings = {
    "memory": 160,
    "maxmem": 200,
    "maxvcpus": 2,
    "cpus": "0",
    "cpus_soft": "all",
    "cpu_weight": 512,
    "cap": 90,
    "max_grant_frames": 8,
    "max_maptrack_frames": 64,
    "cpuid": "host,sse4_2=0,popcnt=0",
    "tsc_mode": "always_emulate",
    "nomigrate": 1,
}
SETTINGS: dict[str, Settings] = {
    "pv": {**COMMON, "type": "pv", "ioports": ["2f8-2ff", "3e8"], "iomem": ["b0000,2"], "irqs": ["5"]},
    "pvh": {**COMMON, "type": "pvh", "hap": 1, "nestedhvm": 0},
}
#: Of what the hypervisor dumps of a domain, what a configuration decides; by the debug key.
TOLD = {
    "q": r"max_pages=\d+|(?:Interrupts|I/O Memory|I/O Ports) +\{.*|.*affinities:.*|.*paging assistance:.*",
    "g": r"\(v\d\).*|\(\d+ max\)",
    "s": r"mode=\d",
}
#: Its part of such a dump.
PART = (
    r"(?:General information for domain |grant-table for remote d|dom){}\b.*?"
    r"(?=General information|grant-table for|dom\d|\Z)"
)


def dumped(dom0: Dom0, key: str, domid: int) -> list[str]:
    """What a debug key has the hypervisor say of a domain."""
    said = dom0.must(f"xl dmesg -c >/dev/null\nxl debug-keys {key}\nxl dmesg")
    parts = re.findall(PART.format(domid), said, re.DOTALL)
    return re.findall(TOLD[key], "\n".join(parts), re.IGNORECASE)


def effects(dom0: Dom0, toolstack: Toolstack, settings: Settings) -> dict[str, object]:
    """Of the options; the domain is made and destroyed."""
    guest = Guest(dom0, NAME, NO_DEVICES, toolstack=toolstack, settings=settings)
    told: dict[str, object] = {key: dumped(dom0, key, guest.domid) for key in TOLD}
    told["scheduler"] = dom0.must(f"xl sched-credit2 -d {NAME}").splitlines()[-1].split()[2:]
    rows = dom0.must(f"xl vcpu-list {NAME}").splitlines()[1:]
    told["vcpus"] = [(row.split()[2], row.split()[6:]) for row in rows]
    tops = [dom0.must(f"{top} -b -i 1 | grep {NAME}").split()[4:9] for top in ("xentop", XENTOP)]
    assert tops[0] == tops[1]
    told["MAXMEM(k)"] = tops[0][2]
    told["flags"] = sorted(guest.must("grep -m 1 ^flags /proc/cpuinfo").split()[2:])
    told["memory, MiB"] = int(guest.must("grep MemTotal /proc/meminfo").split()[1]) // 1024
    guest.destroy()
    return told


@pytest.mark.parametrize("type", SETTINGS)
def test_they_are_debians(managed: Dom0, type: str) -> None:
    ours = effects(managed, OURS, SETTINGS[type])
    with manager.consoles_of_debians(managed):
        theirs = effects(managed, DEBIANS, SETTINGS[type])
    assert ours == theirs
    assert ours["scheduler"][:1] == ["512"]  # type: ignore[index]
    assert not {"sse4_2", "popcnt"} & set(ours["flags"])  # type: ignore[call-overload]
    assert all(ours[key] for key in TOLD), ours
