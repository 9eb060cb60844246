"""A domain is destroyed, and the helper that builds it is killed, at every stage of its start."""

import json
import sys
from pathlib import Path

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import Devices, linux
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

TOP = Path(__file__).parents[2]
LIMIT_S = 400
#: The steps before there is a domain that could be destroyed: nobody is hit.
BEFORE_IT_IS_THERE = ("check", "create")


def test_nothing_is_left_at_any_of_them(managed: Dom0, empty: Left) -> None:
    config = linux(managed, "staged", Devices("/run/staged.img", "10.0.0.9"))
    managed.must(f"truncate -s 8M /run/staged.img; cat >/run/staged.cfg <<'END'\n{config}END")
    output = managed.must(f"cd {TOP} && {sys.executable} -B -m tests.xen.stages /run/staged.cfg", LIMIT_S)
    rounds = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [each for each in rounds if each["left"]] == [], output
    said = {(each["act"], each["at"]): each["said"] for each in rounds}
    assert said["nothing", ""] == ""
    destroyed = {at: code for (act, at), code in said.items() if act == "destroy"}
    assert {"claim", "write-nodes", "build", "introduce", "start"} < set(destroyed)
    wrong = {at for at, code in destroyed.items() if code not in ("cancelled", "guest_died")}
    assert wrong <= {*BEFORE_IT_IS_THERE, "start"}, output
    killed = [each for each in rounds if each["act"] == "kill"]
    # One that has nothing to do yet is replaced.
    assert {each["said"] for each in killed} == {"", "hypervisor_failed"}, output
    assert all("was ended by SIGKILL" in each["text"] for each in killed if each["said"]), output
    assert any(" while " in each["text"] for each in killed), "none was killed amid its work: " + output
    assert state_of(managed) == empty
