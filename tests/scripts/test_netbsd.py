"""The scripts under NetBSD's conventions, with stand-ins for its programs and a real store."""

import stat
from pathlib import Path

import pytest

from tests.scripts.conftest import OURS, MakeWorld
from tests.scripts.netbsd_table import BASE, BLOCK_DEVICE, ROWS, Row
from tests.scripts.world import World

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def prepared(make_world: MakeWorld, row: Row, tools: Path | None = None) -> World:
    if row.nodes.get("params") == BLOCK_DEVICE and not is_block_device(BLOCK_DEVICE):
        pytest.skip(f"there is no block device {BLOCK_DEVICE} here")
    world = make_world(row.kind, tools=tools)
    for name in row.files:
        world.put(name)
    world.say({**BASE, **row.nodes})
    return world


def is_block_device(path: str) -> bool:
    return Path(path).exists() and stat.S_ISBLK(Path(path).stat().st_mode)


def left(world: World, row: Row) -> dict[str, str]:
    """What is left after the kernel has taken the interface away, as it does when the backend's nodes go."""
    if row.kind == "vif":
        for name in ("up", "addresses", "routes", "members/bridge0"):
            for path in (world.top / name).glob("*"):
                path.unlink()
    return {name: text for name, text in world.left().items() if name not in row.files}


@rows
def test_in_and_out(make_world: MakeWorld, row: Row) -> None:
    world = prepared(make_world, row)
    before = world.nodes()
    done = world.run(row.script, "2")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    written = {key: world.filled(value) for key, value in row.written.items()}
    pairs = [f"{world.backend}/{key} {value}" for key, value in written.items()]
    assert world.calls() == [
        "uname -s",
        f"xenstore-ls -f {world.backend}",
        *map(world.filled, row.calls),
        " ".join(["xenstore-write", *pairs, f"{world.backend}/hotplug-status connected"]),
    ]
    assert world.nodes() == before | written | {"hotplug-status": "connected"}
    nodes = world.nodes()

    done = world.run(row.script, "6")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert world.calls() == ["uname -s", *map(world.filled, row.out)]
    assert left(world, row) == {}
    assert world.nodes() == nodes, "the nodes are the toolstack's to remove"


@rows
def test_the_backend_s_nodes_may_go_first(make_world: MakeWorld, row: Row) -> None:
    world = prepared(make_world, row)
    assert world.run(row.script, "2").returncode == 0
    world.vanish()
    done = world.run(row.script, "6")
    assert done.returncode == 0, done.stderr
    assert left(world, row) == {}
    assert world.nodes() == {}, "they have come back"


@rows
def test_every_call_may_fail(make_world: MakeWorld, row: Row) -> None:
    """The k-th call fails: nothing is left, and the store says why, except where it does not matter."""
    world = prepared(make_world, row)
    assert world.run(row.script, "2").returncode == 0
    calls = world.calls()
    assert world.run(row.script, "6").returncode == 0
    left(world, row)
    for k, call in enumerate(calls, 1):
        world.vanish()
        world.say({**BASE, **row.nodes})
        if (world.top / "state").exists():
            world.take("state")
        done = world.run(row.script, "2", FAIL_AT=str(k))
        assert world.calls()[: k - 1] == calls[: k - 1]
        nodes = world.nodes()
        if call.startswith(row.optional or ("none",)):
            assert (done.returncode, nodes["hotplug-status"]) == (0, "connected"), call
            world.run(row.script, "6")
            left(world, row)
            continue
        assert done.returncode == 1, call
        assert world.left().keys() == set(row.files), f"left by a failure of {call}: {world.left()}"
        assert nodes["hotplug-status"] == "error", call
        assert nodes["hotplug-error"].startswith(f"{row.script}: "), nodes
        assert nodes["hotplug-error"].partition(": ")[2] in done.stderr
        assert ("broken" in nodes["hotplug-error"]) == (k > 1), nodes
        assert "physical-device" not in nodes
    # It is mended, and tried again.
    assert world.run(row.script, "2").returncode == 0
    assert world.nodes()["hotplug-status"] == "connected"
    assert world.run(row.script, "6").returncode == 0
    assert left(world, row) == {}


@rows
def test_taking_out_can_be_repeated_until_it_works(make_world: MakeWorld, row: Row) -> None:
    for call in row.out:
        if call.startswith("xenstore"):
            continue
        world = prepared(make_world, row)
        assert world.run(row.script, "2").returncode == 0
        done = world.run(row.script, "6", FAIL_ON=world.filled(call))
        assert done.returncode == 1
        assert done.stderr.startswith(f"{row.script}: ")
        assert world.nodes()["hotplug-status"] == "connected", "no error is told to a device that leaves"
        assert world.run(row.script, "6").returncode == 0
        assert left(world, row) == {}


@rows
def test_putting_in_twice_is_the_same(make_world: MakeWorld, row: Row) -> None:
    """Whatever an earlier run has left that was killed before it said so."""
    world = prepared(make_world, row)
    assert world.run(row.script, "2").returncode == 0
    once = world.left()
    world.vanish()
    world.say({**BASE, **row.nodes})
    if row.script in ("vif-route", "vif-nat"):
        for name in (
            "addresses",
            "routes",
        ):  # ifconfig and route themselves say nothing when it is the same again
            for path in (world.top / name).glob("*"):
                path.unlink()
    done = world.run(row.script, "2")
    assert done.returncode == 0, done.stderr
    assert world.left() == once
    assert world.nodes()["hotplug-status"] == "connected"


@pytest.mark.parametrize("script", ["block", "vif-bridge"])
def test_our_own_command_lines_do(make_world: MakeWorld, script: str) -> None:
    row = next(row for row in ROWS if row.script == script)
    world = prepared(make_world, row, OURS)
    assert world.run(script, "2").returncode == 0
    assert world.nodes()["hotplug-status"] == "connected"
    assert world.run(script, "2", FAIL_ON="ifconfig").returncode == (script == "vif-bridge")
    assert world.run(script, "6").returncode == 0
    assert left(world, row) == {}


@rows
def test_what_vanished_is_reclaimed(make_world: MakeWorld, row: Row) -> None:
    world = prepared(make_world, row)
    assert world.run(row.script, "2").returncode == 0
    kept = world.left()
    done = world.reclaim()
    assert (done.returncode, world.left()) == (0, kept), "it is in use"
    world.vanish()
    done = world.reclaim()
    assert done.returncode == 0, done.stderr
    assert left(world, row) == {}
