"""What is done to vCPUs, cores, the hypervisor, its security module and the store; tables of the host."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl.table import LATER, NEVER

PIN = "domain.pin_vcpus"
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("vcpu-set d1 2", "domain.set_vcpus", {"domain": "d1", "vcpus": 2, "ignore_host": None}),
    ("vcpu-set -i 0 9", "domain.set_vcpus", {"domain": "0", "vcpus": 9, "ignore_host": True}),
    (
        "vcpu-pin d1 all 0-3,^2",
        PIN,
        {"domain": "d1", "vcpu": None, "hard": "0-3,^2", "soft": None, "force": None, "ignore_masks": None},
    ),
    (
        "vcpu-pin -f d1 1 - node:1",
        PIN,
        {"domain": "d1", "vcpu": 1, "hard": None, "soft": "node:1", "force": True, "ignore_masks": None},
    ),
    ("trigger d1 nmi 1", "domain.trigger", {"domain": "d1", "trigger": "nmi", "vcpu": 1}),
    ("trigger d1 power", "domain.trigger", {"domain": "d1", "trigger": "power", "vcpu": None}),
    ("trigger d1 s3resume", "domain.trigger", {"domain": "d1", "trigger": "s3resume", "vcpu": None}),
    ("debug-keys qw", "host.debug_keys", {"keys": "qw", "dry_run": None}),
    (
        "set-parameters loglvl=all no-x",
        "host.set_parameters",
        {"parameters": ["loglvl=all", "no-x"], "dry_run": None},
    ),
    ("setenforce Permissive", "security.set_enforcing", {"enforcing": False, "dry_run": None}),
    ("setenforce 1", "security.set_enforcing", {"enforcing": True, "dry_run": None}),
    (
        "xenstore-quota-set d1 nodes=5 watches=6",
        "quota.set",
        {"domain": "d1", "values": {"nodes": 5, "watches": 6}, "dry_run": None},
    ),
    ("xenstore-quota-set -g nodes=5", "quota.set", {"domain": None, "values": {"nodes": 5}, "dry_run": None}),
    ("dump-core d1 /core", "domain.dump_core", {"domain": "d1", "path": "/core"}),
    ("suspend d1", "domain.suspend", {"domain": "d1"}),
    ("resume d1", "domain.resume", {"domain": "d1"}),
]


@pytest.mark.parametrize(("words", "method", "parameters"), ASKED)
def test_what_is_asked(xl: Xl, xend: FakeXend, words: str, method: str, parameters: dict[str, Any]) -> None:
    assert xl(*words.split()) == (0, "", "")
    assert xend.asked == [(method, parameters)]


PLANNED = [
    ("debug-keys -N qw", "send the debug keys qw to the hypervisor"),
    ("-N set-parameters loglvl=all no-x", "set the hypervisor's parameters loglvl=all no-x"),
    ("setenforce -N Permissive", "set the mode of FLASK to Permissive"),
    ("xenstore-quota-set -N d1 nodes=5 watches=6", "set what d1 may take of the store: nodes=5 watches=6"),
    ("xenstore-quota-set -N -g nodes=5", "set what all domains may take of the store: nodes=5"),
    ("sched-credit2 -N -s -r 2000", "set how the CPU pool 0 is scheduled: ratelimit_us=2000"),
]


@pytest.mark.parametrize(("words", "step"), PLANNED)
def test_a_dry_run_prints_what_would_be_done(xl: Xl, xend: FakeXend, words: str, step: str) -> None:
    assert xl(*words.split()) == (0, f"{step}\n", "")
    assert [parameters["dry_run"] for _, parameters in xend.asked] == [True]


def test_several_domains(xl: Xl, xend: FakeXend) -> None:
    for command, method in (("pause", "domain.pause"), ("destroy", "domain.destroy")):
        xend.asked.clear()
        status, text, errors = xl(command, "d1", "nobody", "d2")
        assert (status, text, errors.count("nobody")) == (1, "", 1)
        assert [given["domain"] for _, given in xend.asked] == ["d1", "nobody", "d2"]
        assert {each for each, _ in xend.asked} == {method}


def test_a_relative_core_file(xl: Xl, xend: FakeXend, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    xl("dump-core", "d1", "core")
    assert xend.asked == [("domain.dump_core", {"domain": "d1", "path": os.fspath(tmp_path / "core")})]


def test_button_press_says_that_it_is_old(xl: Xl, xend: FakeXend) -> None:
    warning = 'WARNING: "button-press" is deprecated. Please use "trigger"\n'
    assert xl("button-press", "d1", "power") == (0, "", warning)
    assert xend.asked == [("domain.trigger", {"domain": "d1", "trigger": "power"})]


def test_another_configuration(xl: Xl, xend: FakeXend, tmp_path: Path) -> None:
    file = tmp_path / "d1"
    file.write_text("memory = 32\n")
    assert xl("config-update", "-d", "d1", str(file), "vcpus=2")[0] == 0
    ((method, parameters),) = xend.asked
    assert method == "domain.update_config"
    assert [parameters[key] for key in ("domain", "text", "name", "extra")] == [
        "d1", "memory = 32\n", "d1", ["vcpus=2"],
    ]  # fmt: skip


LIST = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
PRINTED = [
    ("-N vcpu-pin d1 0 0-1,3", "cpumap: 0-1,3\n"),
    ("-N vcpu-pin d1 all - 0-1,3", "cpumap: - 0-1,3\n"),
    ("vcpu-pin d1 0 1 --dry-run", "first step\nsecond step\n"),
    ("getenforce", "Flask XSM Disabled\n"),
    (
        "xenstore-quota-get d1",
        "Quota name           Quota value\n--------------------------------\n"
        "nodes                    1000\nwatches                   128\n",
    ),
    (
        "sharing d1",
        "Name                                        ID   Mem Shared\n"
        "d1                                           1   128      3\n",
    ),
    (
        "claims",
        LIST.replace("\n", "  Claimed\n")
        + "Domain-0                                     0   512     4     r-----      61.3     0\n"
        "d1                                           1   144     1     -b----       1.2    16\n"
        "d2                                           2    63     1     ---s--       1.2     0\n",
    ),
    (
        "list -c -n d1",
        LIST.replace("\n", "         Cpupool NODE Affinity\n")
        + f"{'d1':<40}     1   144     1     -b----       1.2          Pool-0 all\n",
    ),
]


@pytest.mark.parametrize(("words", "text"), PRINTED)
def test_what_is_printed(xl: Xl, xend: FakeXend, words: str, text: str) -> None:
    xend.domains[1].update(shared_kib=3 << 10, cpupool="Pool-0", node_affinity=[0])
    if words != "sharing d1":
        xend.domains[1].update(outstanding_kib=16 << 10)
    assert xl(*words.split()) == (0, text, "")


def test_modes_of_flask(xl: Xl, xend: FakeXend) -> None:
    for mode, word in ((True, "Enforcing\n"), (False, "Permissive\n")):
        xend.enforcing = mode
        assert xl("getenforce") == (0, word, "")


def test_a_policy(xl: Xl, xend: FakeXend, tmp_path: Path) -> None:
    file = tmp_path / "policy"
    file.write_bytes(b"\x8c\xff\x7c\xf9")
    assert xl("loadpolicy", str(file)) == (0, "Successfully loaded policy.\n", "")
    assert xend.asked == [("security.load_policy", {"policy": b"\x8c\xff\x7c\xf9", "dry_run": None})]
    assert xl("loadpolicy", "-N", str(file)) == (0, "give FLASK this policy\n", "")


WRONG = [
    ("vcpu-set d1 many", "NUMBER 'many' is not a number"),
    ("vcpu-pin d1 0 -", "neither HARD nor SOFT"),
    ("vcpu-pin -f d1 all 0", "not for all"),
    ("vcpu-pin d1 x 0", "VCPU 'x'"),
    ("trigger d1 bell", "none of nmi"),
    ("button-press d1 reset", "none of power, sleep"),
    ("setenforce 2", "none of 1, 0"),
    ("loadpolicy /none", "cannot read /none"),
    ("xenstore-quota-get", "needs a domain, or -g"),
    ("xenstore-quota-get -g d1", "too much"),
    ("xenstore-quota-set -g nodes", "not NAME=VALUE"),
    ("xenstore-quota-set d1", "needs NAME=VALUE"),
    ("config-update d1", "one configuration file"),
    *((name, reason) for name, reason in NEVER.items()),
    *((name, "it comes with") for name in LATER if name != "top"),
]


@pytest.mark.parametrize(("words", "error"), WRONG)
def test_what_is_refused(xl: Xl, xend: FakeXend, words: str, error: str) -> None:
    status, text, errors = xl(*words.split())
    assert (status != 0, text) == (True, "")
    assert error in errors
    assert xend.asked == []


TOPOLOGY = {
    "cpus": [
        {"number": 0, "core": 0, "socket": 0, "node": 0},
        {"number": 1, "core": 0, "socket": 0, "node": 1},
        {"number": 2, "core": None, "socket": None, "node": None},
    ],
    "nodes": [
        {"number": 0, "memory": 1 << 30, "free": 1 << 29, "distances": [10, 21]},
        {"number": 1, "memory": 2 << 30, "free": 3 << 20, "distances": [21, 10]},
    ],
    "devices": [{"address": "0000:03:00.0", "node": 1}],
}
TABLES = """\
cpu_topology           :
cpu:    core    socket     node
  0:       0        0        0
  1:       0        0        1
device topology        :
device           node
0000:03:00.0      1
numa_info              :
node:    memsize    memfree    distances
   0:      1024        512      10,21
   1:      2048          3      21,10
"""


def test_where_everything_is(xl: Xl, xend: FakeXend) -> None:
    xend.topology = TOPOLOGY
    before, middle, after = xl("info", "-n")[1].partition(TABLES)
    assert middle == TABLES
    assert before.splitlines()[-1] == "free_cpus              : 0"
    assert after.splitlines()[0] == "xen_major              : 4"
    xend.topology = {**TOPOLOGY, "devices": []}
    assert "device           node\nNo device topology data available\nnuma_info" in xl("info", "-n")[1]


def test_features_of_the_store(xl: Xl, xend: FakeXend) -> None:
    xend.host["xenstore_features"] = 0x1F
    lines = xl("info", "-x")[1].splitlines()
    assert lines[-2:] == ["xenstore_features      : 0x0000001f", "xend_config_format     : 4"]
    assert "xenstore_features" not in xl("info")[1]


def test_devd_beside_xend(xl: Xl) -> None:
    status, text, errors = xl("devd", "-F")
    assert (status, text) == (1, "")
    assert "xend runs here" in errors
