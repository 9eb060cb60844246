"""Ganeti's hv_xen with its own default parameters, through the life of an instance."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place
from tests.peers.daemons import lacking

LIFE = Path(__file__).with_name("ganeti_life.py")
PYTHON = "/usr/bin/python3"
#: As its HvInstanceState numbers them.
RUNNING = 0


def packages() -> str:
    """Where Debian's Ganeti has its Python modules."""
    found = sorted(Path("/usr/share/ganeti").glob("*/ganeti/hypervisor/hv_xen.py"))
    return str(found[-1].parents[2]) if found else lacking("not installed: ganeti")


@pytest.mark.parametrize("command", ["xm", "xl"])
def test_the_life_of_an_instance(host: Place, command: str) -> None:
    done = subprocess.run(
        [PYTHON, LIFE, packages(), host.top / "etc", command],
        env=host.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr + host.log()[-4000:]
    found = json.loads(done.stdout)
    name = "inst1.example.com"
    assert found.pop("default_command") == "xm"
    node = found.pop("node")
    assert (node["cpu_total"], node["hv_version"], node["memory_dom0"]) == (4, [4, 17], 512)
    assert node["memory_total"] >= node["memory_free"] + 128 + 512
    domid = found["started"][1]
    assert found == {
        "verify": None,
        "none": [],
        "started": [name, domid, 128, 2, RUNNING],
        "all": [name],
        "list": [name],
        "ballooned": 96,
        "rebooted": [name, domid + 1],
        "stopped": None,
        "paused": RUNNING,
        "forced": [],
    }
    assert not (host.top / "etc" / name).exists()


def test_it_neither_saves_nor_restores() -> None:
    """It moves instances by xl migrate alone; a release that does more has to be tried here."""
    text = (Path(packages()) / "ganeti/hypervisor/hv_xen.py").read_text()
    called = set(re.findall(r"[\[(]\"([a-z-]+)\"[\],]", text))
    assert {"list", "migrate", "rename", "shutdown"} <= called
    assert not {"save", "restore", "suspend", "resume"} & called
