"""xl sched-* and cpupool-*: the exact text, as Debian's xl 4.17 prints it, and what they ask of xend."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend

REAL_TIME = {"period_us": 10000, "budget_us": 4000, "extra_time": True}
OTHER = {"period_us": 500, "budget_us": 400, "extra_time": False}


def member(domid: int, name: str, scheduler: str, **fields: Any) -> dict[str, Any]:
    return {"domid": domid, "name": name, "scheduler": scheduler, "vcpus": None, **fields}


def pool(number: int, name: str, scheduler: str, cpus: list[int], *members: Any) -> dict[str, Any]:
    parameters: dict[str, int | None] = {
        "timeslice_ms": None,
        "ratelimit_us": None,
        "migration_delay_us": None,
    }
    if scheduler == "credit":
        parameters = {"timeslice_ms": 30, "ratelimit_us": 1000, "migration_delay_us": 0}
    if scheduler == "credit2":
        parameters["ratelimit_us"] = 1000
    return {
        "number": number, "name": name, "scheduler": scheduler, "cpus": cpus, "domains": len(members),
        "parameters": parameters, "members": list(members),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def pools(xend: FakeXend) -> None:
    """Each scheduler has a pool; d1 runs under rtds, d2 under credit."""
    vcpus = [{"vcpu": 0, **REAL_TIME}, {"vcpu": 1, **OTHER}]
    xend.pools = [
        pool(0, "Pool-0", "credit2", [0],
             member(0, "Domain-0", "credit2", parameters={"weight": 256, "cap": 0})),
        pool(1, "fast", "rtds", [1, 2], member(1, "d1", "rtds", parameters=REAL_TIME, vcpus=vcpus)),
        pool(2, "a-pool-with-a-long-name", "credit", [3],
             member(2, "d2", "credit", parameters={"weight": 65535, "cap": 150})),
    ]  # fmt: skip


CREDIT_HEADER = "Name                                ID Weight  Cap\n"
D2 = "d2                                   2  65535  150\n"
CREDIT_POOL = "Cpupool a-pool-with-a-long-name: tslice=30ms ratelimit=1000us migration-delay=0us\n"
DOM0 = "Domain-0                             0    256    0\n"
RTDS_HEADER = "Name                                ID    Period    Budget  Extratime\n"
VCPU_HEADER = "Name                                ID VCPU    Period    Budget  Extratime\n"
D1_VCPUS = [
    "d1                                   1    0     10000      4000        yes\n",
    "d1                                   1    1       500       400         no\n",
]
POOLS_HEADER = "Name               CPUs   Sched     Active   Domain count\n"
POOL_ROWS = [
    "Pool-0               1   credit2       y          1\n",
    "fast                 2      rtds       y          1\n",
    "a-pool-with-a-long-name  1    credit       y          1\n",
]

PRINTED = [
    ("sched-credit", CREDIT_POOL + CREDIT_HEADER + D2),
    ("sched-credit -p 2", CREDIT_POOL + CREDIT_HEADER + D2),
    ("sched-credit -d d2", CREDIT_HEADER + D2),
    ("sched-credit -s -p 2", CREDIT_POOL),
    ("sched-credit -s", "Cpupool Pool-0: [sched params unavailable]\n"),
    ("sched-credit2", "Cpupool Pool-0: ratelimit=1000us\n" + CREDIT_HEADER + DOM0),
    ("sched-credit2 -s", "Cpupool Pool-0: ratelimit=1000us\n"),
    ("sched-credit2 --domain=0", CREDIT_HEADER + DOM0),
    (
        "sched-rtds",
        "Cpupool fast: sched=RTDS\n"
        + RTDS_HEADER
        + "d1                                   1     10000      4000        yes\n",
    ),
    ("sched-rtds -v all", "Cpupool fast: sched=RTDS\n" + VCPU_HEADER + "".join(D1_VCPUS)),
    ("sched-rtds -d d1 -v all", VCPU_HEADER + "".join(D1_VCPUS)),
    ("sched-rtds -d d1 -v 1", VCPU_HEADER + D1_VCPUS[1]),
    ("cpupool-list", POOLS_HEADER + "".join(POOL_ROWS)),
    ("cpupool-list fast 0", POOLS_HEADER + POOL_ROWS[1] + POOL_ROWS[0]),
    (
        "cpupool-list -c",
        "Name               CPU list\nPool-0             0\nfast               1,2\n"
        "a-pool-with-a-long-name3\n",
    ),
    (
        "cpupool-create name=fast cpus=[2,3]",
        'Using config file "command line"\ncpupool name:   fast\nscheduler:      credit\nnumber of cpus: 2\n',
    ),
    ("cpupool-cpu-add fast 2,3", ""),
    ("-N cpupool-cpu-add fast 2,3", "add the CPUs 2,3 to the CPU pool 1\n"),
    ("cpupool-numa-split -N", "have a CPU pool Pool-node0 with the CPUs 0,1\n"),
]


@pytest.mark.parametrize(("words", "text"), PRINTED)
def test_what_is_printed(xl: Xl, words: str, text: str) -> None:
    assert xl(*words.split()) == (0, text, "")


SET = "domain.set_scheduling"
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("sched-credit -d d2 -w 512", SET, {"domain": "d2", "scheduler": "credit", "weight": 512, "cap": None}),
    ("sched-credit2 -d 0 -c 0", SET, {"domain": "0", "scheduler": "credit2", "weight": None, "cap": 0}),
    (
        "sched-credit -s -p 2 -t 5 -m 9",
        "pool.set_scheduling",
        {"pool": "2", "timeslice_ms": 5, "migration_delay_us": 9, "dry_run": None},
    ),
    (
        "sched-rtds -d d1 -v 0 -p 100 -b 50 -e 0 -v 1 -p 200 -b 60 -e 1",
        SET,
        {
            "domain": "d1",
            "scheduler": "rtds",
            "vcpus": [
                {"vcpu": 0, "period_us": 100, "budget_us": 50, "extra_time": False},
                {"vcpu": 1, "period_us": 200, "budget_us": 60, "extra_time": True},
            ],
        },
    ),
    (
        "sched-rtds -d d1 -v all -b 50",
        SET,
        {"domain": "d1", "scheduler": "rtds", "vcpus": [{"budget_us": 50}]},
    ),
    ("cpupool-destroy fast", "pool.destroy", {"pool": "fast", "dry_run": None}),
    ("cpupool-rename fast slow", "pool.rename", {"pool": "fast", "name": "slow", "dry_run": None}),
    ("cpupool-cpu-remove 0 node:1", "pool.remove_cpus", {"pool": "0", "cpus": "node:1", "dry_run": None}),
    ("cpupool-migrate d1 Pool-0", "domain.set_pool", {"domain": "d1", "pool": "Pool-0"}),
    ("cpupool-numa-split", "pool.split", {"dry_run": None}),
    (
        "cpupool-create -n name=fast",
        "pool.create",
        {"text": "", "extra": ["name=fast"], "dry_run": True},
    ),
]


@pytest.mark.parametrize(("words", "method", "parameters"), ASKED)
def test_what_is_asked(xl: Xl, xend: FakeXend, words: str, method: str, parameters: dict[str, Any]) -> None:
    assert xl(*words.split())[0] == 0
    assert xend.asked == [(method, parameters)]


WRONG = [
    ("sched-credit -w 5", "need the domain"),
    ("sched-credit -d d2 -w many", "not a number"),
    ("sched-credit -t 5", "needs -s"),
    ("sched-credit -p 2 -d d2", "no -d"),
    ("sched-credit -d d1", "d1 runs under the scheduler rtds, not credit (xl sched-rtds)"),
    ("sched-rtds -v 0", "needs the domain"),
    ("sched-rtds -d d1 -p 5", "needs the vCPUs"),
    ("sched-rtds -d d1 -v 0 -v 1 -p 5", "1 times --period, but 2 times --vcpuid"),
    ("sched-rtds -d d1 -v 0 -e 2", "neither 0 nor 1"),
    ("sched-rtds -d d1 -v all -v 1", "together"),
    ("sched-rtds -d d1 -v 7", "no vCPU 7"),
    ("sched-rtds -c 0 -d d1", "no other option"),
    ("cpupool-list none", "no CPU pool none"),
    ("cpupool-create", "needs a configuration file"),
    ("cpupool-create a b", "neither an option nor KEY=VALUE"),
]


@pytest.mark.parametrize(("words", "error"), WRONG)
def test_what_is_wrong(xl: Xl, xend: FakeXend, words: str, error: str) -> None:
    status, text, errors = xl(*words.split())
    assert (status != 0, text) == (True, "")
    assert error in errors
    assert xend.asked == []


def test_a_scheduler_that_no_pool_has(xl: Xl, xend: FakeXend) -> None:
    xend.pools = xend.pools[:1]
    assert xl("sched-rtds") == (0, "", "xl: no CPU pool has the scheduler rtds\n")


def test_json(xl: Xl) -> None:
    assert [each["name"] for each in json.loads(xl("cpupool-list", "--json")[1])][:2] == ["Pool-0", "fast"]
    assert json.loads(xl("sched-credit", "--json")[1])[0]["members"][0]["parameters"]["cap"] == 150


def test_a_file(xl: Xl, xend: FakeXend, tmp_path: Any) -> None:
    file = tmp_path / "fast"
    file.write_text('name = "fast"\n')
    text = xl("cpupool-create", str(file), "sched=credit")[1]
    assert text.startswith(f'Using config file "{file}"\n')
    given = {"text": 'name = "fast"\n', "file": str(file), "extra": ["sched=credit"], "dry_run": None}
    assert xend.asked == [("pool.create", given)]
