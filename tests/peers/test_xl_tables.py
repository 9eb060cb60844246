"""Tables that scripts parse: what Debian's own xl prints of a host (xl_tables.c), and what ours does."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.peers.daemons import lacking, preloaded
from tests.peers.offline_xl import XL
from tests.unit.xenclient.xl.conftest import Xl, xl_with_all
from tests.unit.xenclient.xl.fake_xend import FakeXend, dom0, domain
from tests.unit.xenclient.xl.test_scheduling import member, pool
from tests.unit.xenclient.xl.test_vcpu_list import vcpu

pytestmark = pytest.mark.peer

LONG = "a-domain-with-a-long-name-of-45-characters..."
REAL_TIME = {"period_us": 10000, "budget_us": 4000, "extra_time": True}
OTHER = {"period_us": 4294967, "budget_us": 500, "extra_time": False}
CREDIT = {"weight": 65535, "cap": 150}


@pytest.fixture(scope="module")
def theirs() -> dict[str, str]:
    """The environment of Debian's xl."""
    if not XL.exists():
        lacking("Debian's xl is not installed (xen-utils)")
    if not Path("/usr/include/libxl.h").exists():
        lacking("the headers of libxl are not installed (libxen-dev)")
    libraries = " ".join(preloaded(name) for name in ("xl_tables", "xl_offline"))
    return {**os.environ, "LD_PRELOAD": libraries, "LC_ALL": "C"}


@pytest.fixture
def xend() -> FakeXend:
    """The host of xl_tables.c."""
    placed = {"cpupool": "Pool-0", "node_affinity": [0, 1]}
    xend = FakeXend(
        domain(1, "d1", vcpus=2, outstanding_kib=16384, shared_kib=3072, pool=1,
               cpupool="fast", node_affinity=[1]),
        domain(2, LONG, memory_kib=65535, blocked=False, shutdown=True, shutdown_reason=3, pool=2,
               cpu_time_ns=1234567 * 10**9, **{**placed, "cpupool": "a-pool-with-a-long-name"}),
    )  # fmt: skip
    xend.domains[0] = dom0(vcpus=2, uuid="00000000-0000-0000-0000-000000000000", **placed)
    xend.host["nr_nodes"] = 2
    vcpus = [{"vcpu": 0, **REAL_TIME}, {"vcpu": 1, **OTHER}]
    xend.pools = [
        pool(0, "Pool-0", "credit2", [0],
             member(0, "Domain-0", "credit2", parameters={"weight": 256, "cap": 0})),
        pool(1, "fast", "rtds", [1, 2], member(1, "d1", "rtds", parameters=REAL_TIME, vcpus=vcpus)),
        pool(2, "a-pool-with-a-long-name", "credit", [3], member(2, LONG, "credit", parameters=CREDIT)),
    ]  # fmt: skip
    for each in xend.domains:
        first = vcpu(0, running=each["running"], blocked=each["blocked"], cpu_time_ns=each["cpu_time_ns"])
        offline = {"online": False, "blocked": False, "cpu_time_ns": 0}
        second = vcpu(1, **offline, hard_affinity=[], soft_affinity=[2])
        xend.vcpus[each["domid"]] = [first, second][: each["vcpus"]]
    cores = [(0, 0), (1, 0), (0, 1), (None, None)]
    xend.topology = {
        "cpus": [
            {"number": number, "core": core, "socket": node, "node": node}
            for number, (core, node) in enumerate(cores)
        ],
        "nodes": [
            {"number": 0, "memory": 1 << 30, "free": 3 << 20, "distances": [10, 21]},
            {"number": 1, "memory": 2 << 30, "free": 4 << 20, "distances": [21, 10]},
        ],
        "devices": [{"address": "0001:03:1f.2", "node": 1}],
    }
    return xend


@pytest.fixture
def ours(xend: FakeXend, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Xl:
    return xl_with_all(xend, monkeypatch, capfdbinary)


COMMANDS = [
    "list", "list -v", "list -Z", "list -c", "list -n", "list -v -c -n", "list d1", "vm-list", "claims",
    "sharing", "sharing d1", "vcpu-list", "vcpu-list d1 0", "cpupool-list", "cpupool-list -c",
    "cpupool-list fast", "cpupool-list -c fast", "sched-credit", "sched-credit -p 2",
    "sched-credit -s", "sched-credit -s -p a-pool-with-a-long-name", "sched-credit -d 2", "sched-credit2",
    "sched-credit2 -s", "sched-credit2 -p Pool-0", "sched-credit2 -d 0", "sched-rtds", "sched-rtds -v all",
    "sched-rtds -d d1", "sched-rtds -d d1 -v all", "sched-rtds -d d1 -v 1", "domid d1", "domname 1",
]  # fmt: skip


def printed(environment: dict[str, str], *words: str) -> str:
    """What Debian's xl prints; what xl_tables.c does not answer is any bytes of xl's memory."""
    done = subprocess.run([XL, *words], env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("words", COMMANDS)
def test_the_same_bytes(theirs: dict[str, str], ours: Xl, words: str) -> None:
    assert ours(*words.split())[:2] == (0, printed(theirs, *words.split()))


@pytest.mark.parametrize("devices", [True, False])
def test_where_everything_is(theirs: dict[str, str], ours: Xl, xend: FakeXend, devices: bool) -> None:
    environment = dict(theirs)
    if not devices:
        environment["NO_DEVICES"] = "1"
        xend.topology["devices"] = []

    def tables(text: str) -> str:
        return text[text.index("cpu_topology") :].partition("xen_major")[0]

    their_tables = tables(printed(environment, "info", "-n"))
    assert "numa_info" in their_tables
    assert tables(ours("info", "-n")[1]) == their_tables


@pytest.mark.parametrize("words", ["0 0-1,3", "all all", "1 - 0-3,^2", "0 all 1", "1 3 -"])
def test_the_dry_run_of_vcpu_pin(theirs: dict[str, str], ours: Xl, xend: FakeXend, words: str) -> None:
    """As check-xl-vcpupin-parse of Xen reads it; which CPUs are meant is xend's to say."""
    meant: dict[str, list[int]] = {
        "0-1,3": [0, 1, 3], "all": [0, 1, 2, 3], "0-3,^2": [0, 1, 3], "1": [1], "3": [3],
    }  # fmt: skip
    call = xend.call

    def answered(method: str, *arguments: Any, **parameters: Any) -> Any:
        if method == "cpus.show":
            return {"cpus": meant[parameters["text"]], "count": 4}
        return call(method, *arguments, **parameters)

    xend.call = answered  # type: ignore[method-assign]
    given = ("-N", "vcpu-pin", "d1", *words.split())
    assert ours(*given)[:2] == (0, printed(theirs, *given))


def test_the_dry_run_of_cpupool_create(theirs: dict[str, str], ours: Xl, tmp_path: Path) -> None:
    file = tmp_path / "fast"
    file.write_text('name = "new"\nsched = "credit"\ncpus = [2, 3]\n')
    theirs_said = printed(theirs, "-N", "cpupool-create", str(file))
    assert ours("-N", "cpupool-create", str(file))[1] == theirs_said.replace("new", "fast")
