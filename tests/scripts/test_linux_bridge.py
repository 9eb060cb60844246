"""vif-bridge on Linux for real: in a network namespace, a veth in the vif's place."""

from pathlib import Path

import pytest

from tests.scripts.linux_vif import connected, master, offline, online, vif
from tests.scripts.namespace import Namespace, can
from tests.scripts.world import World


def test_it_joins_the_bridge_and_leaves(world: World, dom0: Namespace) -> None:
    name = vif(world)
    connected(world, "vif-bridge")
    assert master(dom0, name) == ("xenbr0", True)
    link = dom0.shown(f"addr show dev {name}")[0]
    assert link.get("addr_info", []) == [], "dom0 itself has none there"
    calls = [call.split()[0] for call in world.calls()]
    assert calls == ["uname", "xenstore-ls", "ip", "xenstore-write"]
    connected(world, "vif-bridge")
    world.vanish()
    offline(world, "vif-bridge")
    assert master(dom0, name) == (None, False)
    assert [call.split()[0] for call in world.calls()] == ["uname", "ip"]
    dom0.ip(f"link del {name}")
    offline(world, "vif-bridge")
    assert world.nodes() == {}


@pytest.mark.parametrize(
    ("node", "bridge", "expected"), [("", 1500, 1500), ("", 9000, 9000), ("1400", 9000, 1400)]
)
def test_its_mtu_is_the_bridge_s_unless_one_is_given(
    world: World, dom0: Namespace, node: str, bridge: int, expected: int
) -> None:
    dom0.ip(f"link set xenbr0 mtu {bridge}")
    if node:
        world.say({"mtu": node})
    connected(world, "vif-bridge")
    link = dom0.link(vif(world))
    assert link is not None
    assert link["mtu"] == expected
    path = f"/local/domain/{world.domid}/device/vif/0/mtu"
    assert world.read(path) == (None if expected == 1500 else str(expected)), "what the guest is told"


def test_a_device_model_s_tap_joins_too(world: World, dom0: Namespace) -> None:
    tap = f"{vif(world)}-emu"
    can(dom0, "tap", f"tuntap add dev {tap} mode tap")
    done = world.run("vif-bridge", "add", "type_if=tap", vif=vif(world), INTERFACE=tap)
    assert done.returncode == 0, done.stderr
    assert master(dom0, tap) == ("xenbr0", True)
    assert master(dom0, vif(world)) == (None, False)
    assert world.nodes()["hotplug-status"] == "", "that is for the vif to tell"
    done = world.run("vif-bridge", "remove", "type_if=tap", vif=vif(world), INTERFACE=tap)
    assert done.returncode == 0
    assert master(dom0, tap) == (None, False)


@pytest.mark.parametrize("told", ["vif{D}.0", "web0"])
def test_it_is_called_as_the_configuration_says(world: World, dom0: Namespace, told: str) -> None:
    """Whether the toolstack passes the kernel's name, as libxl does, or the wanted one."""
    world.say({"vifname": "web0"})
    told = world.filled(told)
    for _ in range(2):  # the second finds it renamed
        done = world.run("vif-bridge", "online", "type_if=vif", vif=told)
        assert done.returncode == 0, done.stderr
        assert master(dom0, "web0") == ("xenbr0", True)
    assert dom0.link(vif(world)) is None
    done = world.run("vif-bridge", "offline", "type_if=vif", vif=told)
    assert done.returncode == 0, done.stderr
    assert master(dom0, "web0") == (None, False)


def test_it_waits_for_the_kernel_s_interface(world: World, dom0: Namespace) -> None:
    """netback says InitWait before it makes the interface."""
    name = vif(world)
    dom0.ip(f"link del {name}")
    world.take("bin/sleep")
    world.put("bin/sleep", f"#!/bin/sh\nexec ip link add {name} type veth peer name late\n")
    Path(world.top, "bin/sleep").chmod(0o755)
    connected(world, "vif-bridge")
    assert master(dom0, name) == ("xenbr0", True)


BROKEN = [
    ({"bridge": "br7"}, "bridge br7 does not exist"),
    ({"bridge": "lo"}, "lo is not a bridge"),
    ({"bridge": ""}, "no bridge is given"),
    ({"vifname": "lo"}, "vifname=lo: there is an interface of that name already"),
    ({"mtu": "70000"}, "ip link set dev vif{D}.0 mtu 70000 arp off"),
]


@pytest.mark.parametrize(("nodes", "why"), BROKEN)
def test_bridges_that_cannot_be(world: World, dom0: Namespace, nodes: dict[str, str], why: str) -> None:
    world.say(nodes)
    assert online(world, "vif-bridge").returncode == 1
    assert world.nodes()["hotplug-status"] == "error"
    assert world.nodes()["hotplug-error"].startswith(f"vif-bridge: {world.filled(why)}")
    assert master(dom0, vif(world)) == (None, False)


def test_an_interface_that_is_not_there_is_told(world: World, dom0: Namespace) -> None:
    dom0.ip(f"link del {vif(world)}")
    assert online(world, "vif-bridge").returncode == 1
    assert world.nodes()["hotplug-error"] == f"vif-bridge: there is no interface {vif(world)} after 5 s"
