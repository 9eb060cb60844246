"""xend's driver of the hypervisor on the real one, beside Debian's xl."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import NO_DEVICES, Devices, Guest

pytestmark = [pytest.mark.xen, pytest.mark.ours, pytest.mark.long]

TOP = Path(__file__).parents[2]
#: A start of Python in dom0 takes 2 to 5 s on a machine that has nothing else to do.
LIMIT_S = 90
LIFE_LIMIT_S = 150
CONFORMANCE_LIMIT_S = 900
#: Debian's libxenguest looks at each frame of 4 GiB: minutes under emulation, and many beside other work.
DUMP_LIMIT_S = 1800
#: Where special pages of a domain that is not paravirtual are, which Debian's takes for hardware.
HOLE = range(0xF0000, 0x100000)
#: How many pages of Xen's own, such as its grant table, a domain may have among its frames.
XENS = 40


def drive(dom0: Dom0, step: str, *words: object, limit_s: int = LIMIT_S) -> Any:
    """What a step of driving.py found."""
    line = " ".join(map(str, words))
    output = dom0.must(f"cd {TOP} && {sys.executable} -B -m tests.xen.driving {step} {line}", limit_s)
    return json.loads(output.splitlines()[-1])


def table(text: str) -> list[dict[str, str]]:
    """Rows of what xl prints, by its columns' names, up to the last that has no blanks in it."""
    head, *rows = (line.split() for line in text.splitlines())
    return [dict(zip(head, row, strict=False)) for row in rows]


def test_the_host(dom0: Dom0) -> None:
    """As `xl info` has it; free memory is nobody's between the two."""
    said = dict(
        re.split(r"\s*: ?", line, maxsplit=1) for line in dom0.must("xl info").splitlines() if ":" in line
    )
    found = drive(dom0, "host")
    info = found["info"]
    for name in ("nr_cpus", "nr_nodes", "cores_per_socket", "threads_per_core", "xen_major", "xen_minor"):
        assert str(info[name]) == said[name], name
    for name in ("xen_extra", "xen_caps", "xen_scheduler", "xen_changeset", "xen_commandline", "cc_compiler"):
        assert info[name].strip() == said[name].strip(), name
    for name in ("cc_compile_by", "cc_compile_domain", "cc_compile_date", "build_id"):
        assert info[name] == said[name], name
    assert ":".join(f"{word:08x}" for word in info["hw_caps"]) == said["hw_caps"]
    assert " ".join(info["virt_caps"]) == said["virt_caps"].strip()
    assert f"virt_start={info['virt_start']:#x}" == said["platform_params"]
    assert str(info["xen_pagesize"]) == said["xen_pagesize"]
    assert f"{info['cpu_khz'] // 1000}.{info['cpu_khz'] % 1000:03}" == said["cpu_mhz"]
    for name in ("total_memory", "free_memory", "outstanding_claims"):
        key = f"{name}_kib"
        assert str(info[key] // 1024) == said[name], name
    assert [cpu["number"] for cpu in found["cpus"]] == list(range(info["nr_cpus"]))
    assert len(found["nodes"]) == info["nr_nodes"]
    _compare_topology(found, dom0.must("xl info -n"))


def _compare_topology(found: dict[str, Any], said: str) -> None:
    rows = re.search(r"cpu:\s+core\s+socket\s+node\n((?:\s*\d+:.*\n)+)", said)
    assert rows is not None
    cpus = [[int(word) for word in re.findall(r"\d+", line)] for line in rows[1].splitlines()]
    assert [[cpu[name] for name in ("number", "core", "socket", "node")] for cpu in found["cpus"]] == cpus
    (row,) = re.findall(r"^\s*0:\s+(\d+)\s+\d+\s+(\d+)", said.partition("numa_info")[2], re.MULTILINE)
    assert [found["nodes"][0]["memory"] >> 20, found["nodes"][0]["distances"]] == [int(row[0]), [int(row[1])]]


def test_domains_and_their_vcpus(dom0: Dom0, guest: Guest) -> None:
    found = drive(dom0, "domains")
    rows = {row["ID"]: row for row in table(dom0.must("xl list"))}
    assert list(found) == list(rows) == ["0", str(guest.domid)]
    for domid, info in found.items():
        assert [str(info["memory_kib"] // 1024), str(info["vcpus"])] == [
            rows[domid]["Mem"],
            rows[domid]["VCPUs"],
        ]
        assert abs(info["cpu_time_ns"] / 1e9 - float(rows[domid]["Time(s)"])) < LIMIT_S
    uuids = {line.split()[1]: line for line in dom0.must("xl list -v").splitlines()[1:]}
    assert found[str(guest.domid)]["uuid"] in uuids[str(guest.domid)]
    vcpus = [line.split() for line in dom0.must("xl vcpu-list").splitlines()[1:]]
    ours = [[domid, str(vcpu["number"])] for domid, info in found.items() for vcpu in info["of_vcpus"]]
    assert [line[1:3] for line in vcpus] == ours
    assert {vcpu["is_online"] for info in found.values() for vcpu in info["of_vcpus"]} == {True}


def test_messages(dom0: Dom0) -> None:
    before = dom0.must("xl dmesg")
    found = drive(dom0, "messages")
    assert found["before"].rstrip("\n") == before
    assert found["after"].rstrip("\n") == dom0.must("xl dmesg")


def test_pausing(dom0: Dom0, guest: Guest) -> None:
    state = f"xl list {guest.domid} | tail -n 1"
    drive(dom0, "pause", guest.domid)
    assert "p" in dom0.must(state).split()[4]
    # The hypervisor counts: one is enough, as the driver did not pause twice.
    dom0.must(f"xl unpause {guest.domid}")
    assert guest.must("echo awake") == "awake"
    dom0.must(f"xl pause {guest.domid}")
    drive(dom0, "unpause", guest.domid)
    assert guest.must("echo awake") == "awake"


def test_tuning(dom0: Dom0, guest: Guest) -> None:
    drive(dom0, "tune", guest.domid)
    (line,) = dom0.must(f"xl vcpu-list {guest.domid}").splitlines()[1:]
    hard, _, soft = line.split()[-3:]
    assert (hard, soft) in (("1", "all"), ("1", "0-1"))
    (row,) = table(dom0.must(f"xl sched-credit2 -d {guest.domid}"))
    assert [row["Weight"], row["Cap"]] == ["300", "80"]


def test_a_console_that_xenconsoled_has(dom0: Dom0, guest: Guest) -> None:
    frame, port = dom0.must(
        f"xenstore-read {guest.home}/console/ring-ref {guest.home}/console/port"
    ).splitlines()
    drive(dom0, "taken_console", guest.domid, frame, port)
    assert guest.must("echo alive") == "alive"


def test_what_takes_no_guest(dom0: Dom0) -> None:
    """All of it leaves the host as it was."""
    before = dom0.must("xl list | cut -c-50; xl cpupool-list")
    told = drive(dom0, "refusals,claims,new_domains,watchdog,controls", limit_s=2 * LIMIT_S)
    (pool,) = drive(dom0, "pools")
    assert dom0.must("xl list | cut -c-50; xl cpupool-list") == before
    ratelimit = f"Cpupool Pool-0: ratelimit={told['ratelimit_us']}us"
    assert dom0.must("xl sched-credit2 -s").strip() == ratelimit
    assert ("Disabled" in dom0.must("xl getenforce || true")) == (told["enforcing"] is None)
    (row,) = table(dom0.must("xl cpupool-list"))
    assert [row["CPUs"], row["Sched"]] == [str(len(pool["cpus"])), pool["scheduler"]]


def test_a_life(dom0: Dom0, figures: Figures) -> None:
    """Built by a helper; its console is ours."""
    images = dom0.images
    times = drive(dom0, "life", "pv", images.kernel, images.guest, limit_s=LIFE_LIMIT_S)
    figures.add(
        "a life by xend's driver: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items())
    )


@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_a_core_is_as_xls(dom0: Dom0, figures: Figures, type: str) -> None:
    """Section by section, of a domain that is paused; ours in a time that its memory is worth."""
    guest = Guest(dom0, "dumped", NO_DEVICES, settings={"type": type, "memory": 96})
    dom0.must(f"xl pause {guest.name}")
    ours, theirs = "/run/core-ours", "/run/core-theirs"
    seconds = drive(dom0, "dump", guest.domid, ours, limit_s=DUMP_LIMIT_S)
    began, ended = dom0.must(
        f"echo $EPOCHREALTIME\nxl dump-core {guest.name} {theirs} >/dev/null\necho $EPOCHREALTIME",
        DUMP_LIMIT_S,
    ).splitlines()
    figures.add(f"core of 96 MiB {type}: {seconds:.1f} s, Debian's xl {float(ended) - float(began):.1f} s")
    found = drive(dom0, "cores", theirs, ours, limit_s=2 * LIMIT_S)
    assert found["differing"] == []
    assert found["both"] > 96 * 256 - XENS - len(HOLE)
    assert set(found["ours"]) <= (set(HOLE) if type == "pvh" else set())
    assert len(found["theirs"]) < XENS
    assert "Warning" not in dom0.must(f"readelf --wide -hSn {ours} 2>&1")
    guest.destroy()
    dom0.must(f"rm {ours} {theirs}")


@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_it_is_what_the_contract_says(dom0: Dom0, type: str, figures: Figures) -> None:
    times = drive(dom0, "conformance", type, dom0.images.kernel, limit_s=CONFORMANCE_LIMIT_S)
    figures.add(f"conformance of {type}, in seconds: {times}")


def test_a_shutdown_of_a_domain_of_xls(dom0: Dom0) -> None:
    guest = Guest(dom0, "ended", Devices(), wait=False)
    drive(dom0, "shutdown", guest.domid, "poweroff")
    guest.await_end()
