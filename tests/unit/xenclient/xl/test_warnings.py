"""What went wrong and did not stop an operation: a line on standard error, whatever the command was."""

import json
from pathlib import Path

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.xend.errors import BusError

WARNING = {
    "code": "script_failed",
    "message": "vbd xvda: /scripts/block exited with status 1 as it took it out; /dev/loop7 may be left",
    "cause": "loop7: busy",
    "hint": "see losetup -a",
    "script_output": "detaching\nloop7: busy",
    "device": "vbd xvda",
    "domain": "d1",
}
TOLD = (
    "xl: warning: vbd xvda: /scripts/block exited with status 1 as it took it out; /dev/loop7 may be left: "
    "loop7: busy (see losetup -a)\n    detaching\n"
)
COMMANDS = [
    "destroy d1",
    "shutdown d1",
    "shutdown -w d1",
    "reboot d1",
    "pause d1",
    "unpause d1",
    "rename d1 d3",
    "mem-set d1 64",
    "sysrq d1 h",
    "network-attach d1",
    "network-detach d1 0",
    "block-attach d1 phy:sd0e,xvdb,w",
    "block-detach d1 xvdb",
    "cd-insert d1 xvdc /disc.iso",
    "cd-eject d1 xvdc",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_told_and_the_command_has_succeeded(xl: Xl, xend: FakeXend, command: str) -> None:
    xend.warnings = [WARNING]
    assert xl(*command.split()) == (0, "", TOLD)
    xend.warnings = []
    assert xl(*command.split()) == (0, "", "")


def test_of_a_creation(xl: Xl, xend: FakeXend, tmp_path: Path) -> None:
    xend.warnings = [WARNING]
    assert xl("create", "-q", "/dev/null") == (0, "", TOLD)


def test_of_each_domain_that_is_shut_down(xl: Xl, xend: FakeXend) -> None:
    xend.warnings = [WARNING]
    assert xl("shutdown", "-a") == (0, "", TOLD)


def test_json_has_it_too(xl: Xl, xend: FakeXend) -> None:
    xend.warnings = [WARNING]
    status, out, err = xl("block-detach", "--json", "d1", "xvdb")
    assert (status, err) == (0, TOLD)
    assert json.loads(out)["warnings"] == [WARNING]


def test_with_an_error_it_is_told_first(xl: Xl, xend: FakeXend) -> None:
    xend.fails["domain.destroy"] = BusError("internal", "a fault", {"warnings": [WARNING]})
    assert xl("destroy", "d1") == (1, "", f"{TOLD}xl: a fault\n")


def test_a_dry_run_tells_those_of_what_it_read(xl: Xl, xend: FakeXend) -> None:
    xend.warnings = [WARNING]
    assert xl("destroy", "--dry-run", "d1") == (0, "first step\nsecond step\n", TOLD)
