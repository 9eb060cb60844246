"""block on Linux for real, with the kernel's loop devices; block-iscsi with a stand-in for iscsiadm."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.scripts.conftest import MakeWorld
from tests.scripts.world import World


def disk(make_world: MakeWorld, **nodes: str) -> World:
    world = make_world("vbd", "Linux")
    world.say({"state": "2", "hotplug-status": "", "params": "{image}", "mode": "w", **nodes})
    return world


def loops_of(path: Path) -> list[tuple[str, bool]]:
    """The loop devices of a file: path, whether it is read only."""
    argv = ["losetup", "--noheadings", "--raw", "--output", "NAME,RO", "-j", os.fspath(path)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    return [(line.split()[0], line.split()[1] == "1") for line in shown.splitlines()]


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("mode", ["w", "r"])
def test_a_file_gets_a_loop_device(make_world: MakeWorld, mode: str) -> None:
    world = disk(make_world, mode=mode)
    try:
        done = world.run("block", "add")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        calls = [call.split()[0] for call in world.calls()]
        assert calls == [
            "uname",
            "xenstore-ls",
            "stat",
            "xenstore-list",
            "xenstore-ls",
            "mkdir",
            "losetup",
            "stat",
            "xenstore-write",
        ]
        nodes = world.nodes()
        assert loops_of(world.image) == [(nodes["node"], mode == "r")]
        assert nodes["physical-device-path"] == nodes["node"]
        assert nodes["hotplug-status"] == "connected"
        number = os.stat(nodes["node"]).st_rdev
        assert nodes["physical-device"] == f"{os.major(number):x}:{os.minor(number):x}"
        world.vanish()
    finally:
        done = world.run("block", "remove")
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in world.calls()] == ["uname", "losetup"]
    assert loops_of(world.image) == []
    assert (world.left(), world.nodes()) == ({}, {})
    assert world.run("block", "remove").returncode == 0


@pytest.mark.usefixtures("loops")
def test_a_block_device_is_taken_as_it_is(make_world: MakeWorld) -> None:
    world = disk(make_world, params="loop0")
    link = world.dev / "loop0"
    link.symlink_to("/dev/loop0")
    assert world.run("block", "add").returncode == 0
    number = os.stat("/dev/loop0").st_rdev
    nodes = world.nodes()
    assert nodes["physical-device"] == f"{os.major(number):x}:{os.minor(number):x}"
    assert nodes["physical-device-path"] == str(link)
    assert "node" not in nodes
    assert world.run("block", "remove").returncode == 0


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("path", ["vg0/guest", "mapper/vg0-guest"])
def test_a_logical_volume_is_the_device_behind_its_link(make_world: MakeWorld, path: str) -> None:
    """As LVM names volumes: a link to dm-0; no kernel that the tests run on has to have a device mapper."""
    world = disk(make_world, params=path)
    link = world.dev / path
    link.parent.mkdir()
    link.symlink_to("../dm-0")
    (world.dev / "dm-0").symlink_to("/dev/loop0")
    assert world.run("block", "add").returncode == 0
    number = os.stat("/dev/loop0").st_rdev
    assert world.nodes()["physical-device"] == f"{os.major(number):x}:{os.minor(number):x}"
    assert world.nodes()["physical-device-path"] == str(link)
    assert world.run("block", "remove").returncode == 0
    assert world.left() == {}


@pytest.mark.usefixtures("loops")
def test_many_at_once_get_one_each(make_world: MakeWorld) -> None:
    """Of two scripts that want the same unit, one gets it: their claims are in one directory."""
    worlds = [disk(make_world) for _ in range(12)]
    state = {"XEN_HOTPLUG_STATE": str(worlds[0].top / "state")}
    with ThreadPoolExecutor(12) as pool:
        try:
            for done in pool.map(lambda world: world.run("block", "add", **state), worlds):
                assert done.returncode == 0, done.stderr
            nodes = [world.nodes()["node"] for world in worlds]
            assert len(set(nodes)) == 12
            assert [loops_of(world.image) for world in worlds] == [[(node, False)] for node in nodes]
        finally:
            for done in pool.map(lambda world: world.run("block", "remove", **state), worlds):
                assert done.returncode == 0, done.stderr
    assert [loops_of(world.image) for world in worlds] == [[]] * 12
    assert worlds[0].left() == {}


@pytest.mark.usefixtures("loops")
def test_every_call_may_fail(make_world: MakeWorld) -> None:
    world = disk(make_world)
    nodes = world.nodes()
    assert world.run("block", "add").returncode == 0
    calls = world.calls()
    assert world.run("block", "remove").returncode == 0
    for k, call in enumerate(calls, 1):
        world.vanish()
        world.say(nodes)
        world.take("state")
        assert world.run("block", "add", FAIL_AT=str(k)).returncode == 1, call
        assert world.nodes()["hotplug-status"] == "error", call
        assert "physical-device" not in world.nodes(), call
        assert loops_of(world.image) == [], call
        assert world.left() == {}, call
        world.put("state/there")


@pytest.mark.usefixtures("loops")
def test_a_failure_of_losetup_tells_its_words(make_world: MakeWorld) -> None:
    world = disk(make_world)
    assert world.run("block", "add", FAIL_ON="losetup").returncode == 1
    error = world.nodes()["hotplug-error"]
    assert re.fullmatch(rf"block: {world.image}: loop\d+: losetup: broken", error)


# --- iSCSI ------------------------------------------------------------------------------------------------

IQN = "iqn.2001-04.org.example:d1"
PATH = f"disk/by-path/ip-10.0.0.1:3260-iscsi-{IQN}-lun-0"
LOGIN = f"iscsiadm -m node -T {IQN} -p 10.0.0.1:3260 --login"
LOGOUT = f"iscsiadm -m node -T {IQN} -p 10.0.0.1:3260 --logout"
DISCOVERY = "iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260"


def target(make_world: MakeWorld, params: str = f"iqn={IQN},portal=10.0.0.1") -> World:
    world = disk(make_world, params=params)
    world.put("sessions/there")
    world.take("sessions/there")
    path = world.dev / PATH
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/null")
    return world


@pytest.mark.parametrize("known", [True, False])
def test_a_target_is_logged_in_to_and_out_of(make_world: MakeWorld, known: bool) -> None:
    world = target(make_world)
    if known:
        world.put("known")
    assert world.run("block-iscsi", "add", REAL="").returncode == 0
    calls = [call for call in world.calls() if call.startswith("iscsiadm")]
    assert calls == ([LOGIN] if known else [LOGIN, DISCOVERY, LOGIN])
    assert world.nodes()["physical-device"] == "8:10"
    assert world.nodes()["physical-device-path"] == f"{world.dev}/{PATH}"
    world.vanish()
    assert world.run("block-iscsi", "remove").returncode == 0
    assert [call for call in world.calls() if call.startswith("iscsiadm")] == [LOGOUT]
    assert world.left() == {}


def test_one_that_is_logged_in_to_is_not_ours_to_log_out_of(make_world: MakeWorld) -> None:
    world = target(make_world)
    world.put("known")
    world.put("sessions/3")
    assert world.run("block-iscsi", "add").returncode == 1
    assert world.nodes()["hotplug-error"].startswith(f"block-iscsi: there is a session with {IQN} already")
    assert world.run("block-iscsi", "remove").returncode == 0
    assert world.left().keys() == {"sessions/3"}


def test_a_disk_that_does_not_come_is_told(make_world: MakeWorld) -> None:
    world = target(make_world)
    world.take(f"dev/{PATH}")
    assert world.run("block-iscsi", "add").returncode == 1
    assert world.nodes()["hotplug-error"].endswith("-lun-0 has not appeared")
    assert world.left() == {}


def test_every_call_of_it_may_fail(make_world: MakeWorld) -> None:
    world = target(make_world)
    nodes = world.nodes()
    assert world.run("block-iscsi", "add", REAL="").returncode == 0
    calls = world.calls()
    assert world.run("block-iscsi", "remove").returncode == 0
    for k, call in enumerate(calls, 1):
        world.vanish()
        world.say(nodes)
        world.take("known")
        world.take("state")
        done = world.run("block-iscsi", "add", REAL="", FAIL_AT=str(k))
        world.put("state/there")
        world.put("known")
        world.take("state/there")
        # That a first log-in fails, for whatever reason, is what discovery is for.
        harmless = k == calls.index(LOGIN) + 1
        assert done.returncode == (0 if harmless else 1), call
        assert world.nodes()["hotplug-status"] == ("connected" if harmless else "error"), call
        assert harmless or world.left() == {}, call
        assert world.run("block-iscsi", "remove").returncode == 0


TARGETS = [
    ("portal=10.0.0.1", "iqn= names the target"),
    (f"iqn={IQN}", "portal= is the target's address"),
    (f"iqn={IQN},portal=10.0.0.1:x", "portal=10.0.0.1:x: the port is no number"),
    (f"iqn={IQN},portal=fe80::1", "portal=fe80::1: write an IPv6 address in brackets"),
    (f"iqn={IQN},portal=10.0.0.1,lun=a", "lun=a is no number"),
    (f"iqn={IQN},portal=10.0.0.1,colour=red", "'colour=red' is none of iqn="),
    (f"iqn={IQN},portal=10.0.0.1,password=secret", "user and password are not given here"),
    ("", "no target is given"),
]


@pytest.mark.parametrize(("params", "why"), TARGETS)
def test_targets_that_cannot_be(make_world: MakeWorld, params: str, why: str) -> None:
    world = target(make_world, params)
    assert world.run("block-iscsi", "add").returncode == 1
    assert world.nodes()["hotplug-error"].startswith(f"block-iscsi: {why}")
    assert "secret" not in world.nodes()["hotplug-error"]
