"""Units of vnd: which one a file gets, and that it is given back whatever happens."""

import os

import pytest

from tests.scripts.conftest import MakeWorld
from tests.scripts.netbsd_table import BASE
from tests.scripts.world import World


def disk(make_world: MakeWorld, **nodes: str) -> World:
    world = make_world("vbd")
    world.say({**BASE, "params": "{image}", "mode": "w", **nodes})
    return world


def test_a_unit_that_somebody_takes_meanwhile_is_passed_over(make_world: MakeWorld) -> None:
    world = disk(make_world)
    world.put("taken/vnd0")
    assert world.run("block", "2").returncode == 0
    assert world.nodes()["vnd"] == f"{world.dev}/vnd1d"
    assert world.run("block", "6").returncode == 0
    assert world.left() == {"disks/vnd0": "theirs"}


def test_a_unit_that_another_script_is_about_to_take_is_passed_over(make_world: MakeWorld) -> None:
    world = disk(make_world)
    world.put("state/unit-vnd0", "vbd-7-0\n")
    assert world.run("block", "2").returncode == 0
    assert world.nodes()["vnd"] == f"{world.dev}/vnd1d"


def test_more_units_are_made_when_all_are_in_use(make_world: MakeWorld) -> None:
    world = disk(make_world)
    for unit in range(2):
        world.put(f"disks/vnd{unit}")
    assert world.run("block", "2").returncode == 0
    assert world.nodes()["vnd"] == f"{world.dev}/vnd2d"
    assert (world.dev / "vnd2d").exists()


def test_that_no_more_can_be_made_is_told(make_world: MakeWorld) -> None:
    world = disk(make_world)
    for unit in range(2):
        world.put(f"disks/vnd{unit}")
    (world.dev / "MAKEDEV").write_text("echo $1: no such device >&2; exit 1\n")
    assert world.run("block", "2").returncode == 1
    assert world.nodes()["hotplug-error"] == f"block: {world.image}: vnd2: vnd2: no such device"
    assert world.left().keys() == {"disks/vnd0", "disks/vnd1"}


def test_a_unit_that_the_kernel_has_not_closed_yet_is_waited_for(make_world: MakeWorld) -> None:
    world = disk(make_world)
    assert world.run("block", "2").returncode == 0
    world.put("busy/vnd0")
    done = world.run("block", "6")
    assert (done.returncode, done.stderr) == (
        1,
        "block: vnd0 is still in use: vnconfig: VNDIOCCLR: Device busy\n",
    )
    assert world.calls().count("sleep 1") == 4
    world.take("busy/vnd0")
    assert world.run("block", "6").returncode == 0
    assert world.left() == {}


def test_what_xen_s_own_script_has_configured_is_released(make_world: MakeWorld) -> None:
    for written in ("vnd1", "/dev/vnd1d"):
        world = disk(make_world, vnd=written)
        world.put("disks/vnd1")
        assert world.run("block", "6").returncode == 0
        assert world.left() == {}


def test_a_unit_that_is_another_domain_s_by_now_is_left_alone(make_world: MakeWorld) -> None:
    world = disk(make_world, vnd="/dev/vnd1d")
    world.put("disks/vnd1")
    world.put("state/unit-vnd1", "vbd-7-0\n")
    for remembered in (False, True):
        if remembered:
            world.put(f"state/vbd-{world.domid}-0.block", "1\n")
        assert world.run("block", "6").returncode == 0
        assert world.left().keys() == {"disks/vnd1", "state/unit-vnd1"}


def test_one_that_was_killed_half_way_is_taken_out(make_world: MakeWorld) -> None:
    """After the claim, before or after vnconfig."""
    for configured in (False, True):
        world = disk(make_world)
        world.put("state/unit-vnd0", f"vbd-{world.domid}-0\n")
        world.put(f"state/vbd-{world.domid}-0.block", "0\n")
        if configured:
            world.put("disks/vnd0")
        assert world.run("block", "6").returncode == 0
        assert world.left() == {}


def test_sparse_files_are_warned_of(make_world: MakeWorld) -> None:
    world = disk(make_world)
    with open(world.image, "r+b") as image:
        image.truncate(1 << 20)
    done = world.run("block", "2")
    assert done.returncode == 0
    assert f"block: {world.image} is sparse" in done.stderr
    world.run("block", "6")
    world.vanish()
    world.say({**BASE, "params": "{image}", "mode": "w"})
    world.image.write_bytes(b"x" * (1 << 20))
    os.sync()  # blocks may be given to it when it is written out
    done = world.run("block", "2")
    assert (done.returncode, "is sparse" in done.stderr) == (0, False)


REFUSED = [
    ("{top}/nothing", "{top}/nothing does not exist"),
    ("/dev/null", "/dev/null is a character device"),
    ("{top}/dev", "{top}/dev is neither a file nor a block device"),
    ("no/such", "{dev}/no/such does not exist"),
    ('{top}/odd \\ "name" = x', '{top}/odd \\ "name" = x does not exist'),
]


@pytest.mark.parametrize(("params", "why"), REFUSED)
def test_disks_that_cannot_be(make_world: MakeWorld, params: str, why: str) -> None:
    world = disk(make_world, params=params)
    assert world.run("block", "2").returncode == 1
    assert world.nodes()["hotplug-error"].startswith(f"block: {world.filled(why)}")
    assert not any(call.startswith("vnconfig") for call in world.calls())


def test_names_may_be_odd(make_world: MakeWorld) -> None:
    world = disk(make_world)
    odd = world.top / 'odd \\x41 "name" = $HOME * ä'
    odd.write_bytes(bytes(4096))
    world.say({"params": str(odd)})
    assert world.run("block", "2").returncode == 0
    assert world.left()["disks/vnd0"] == f"{odd} w"


def test_one_that_is_in_is_not_put_in_again(make_world: MakeWorld) -> None:
    world = disk(make_world)
    assert world.run("block", "2").returncode == 0
    once = world.left()
    assert world.run("block", "2").returncode == 0
    assert world.left() == once
    assert not any(call.startswith("vnconfig") for call in world.calls())


def test_nothing_is_reclaimed_while_the_store_does_not_answer(make_world: MakeWorld) -> None:
    world = disk(make_world)
    assert world.run("block", "2").returncode == 0
    kept = world.left()
    world.take("bin/xenstore-exists")
    world.put("bin/xenstore-exists", "#!/bin/sh\nexit 1\n")
    (world.top / "bin/xenstore-exists").chmod(0o755)
    assert world.reclaim().returncode == 0
    assert world.left() == kept
