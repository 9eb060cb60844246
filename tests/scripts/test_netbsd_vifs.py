"""Interfaces on NetBSD that cannot be, and which addresses they get."""

import pytest

from tests.scripts.conftest import MakeWorld
from tests.scripts.netbsd_table import BASE

BROKEN = [
    (
        "vif-bridge",
        {"bridge": "bridge7"},
        "bridge bridge7 does not exist: ifconfig bridge7 create && brconfig bridge7 up",
    ),
    ("vif-bridge", {"bridge": ""}, "no bridge is given"),
    ("vif-bridge", {"bridge": "bridge0", "vifname": "xvif7i7"}, "ifconfig xvif7i7 up: ifconfig: xvif7i7: "),
    ("vif-route", {}, "no ip= is given"),
    ("vif-route", {"ip": "2001:db8::1"}, "ip=2001:db8::1: IPv6 is not routed here"),
    ("vif-nat", {"ip": "10.0.0.256"}, "10.0.0.256 is no IPv4 address"),
    ("vif-nat", {"ip": "10.0.0"}, "10.0.0 is no IPv4 address"),
    ("vif-nat", {"ip": "10.0.0.010"}, "10.0.0.010 is no IPv4 address"),
    ("vif-nat", {"ip": "10.0.0.4"}, "10.0.0.4 is the first or last address of its network"),
    ("vif-nat", {"ip": "10.0.3.255/22"}, "10.0.3.255/22 is the first or last address of its network"),
    ("vif-nat", {"ip": "10.0.0.4/31"}, "10.0.0.4/31: the prefix is one of 8 to 30"),
]


@pytest.mark.parametrize(("script", "nodes", "why"), BROKEN)
def test_interfaces_that_cannot_be(
    make_world: MakeWorld, script: str, nodes: dict[str, str], why: str
) -> None:
    world = make_world("vif")
    world.say({**BASE, **nodes})
    assert world.run(script, "2").returncode == 1
    assert world.nodes()["hotplug-status"] == "error"
    assert world.nodes()["hotplug-error"].startswith(f"{script}: {world.filled(why)}")
    assert world.left() == {}


ENDS = [
    ("10.0.0.2", "10.0.0.1/30"),
    ("10.0.0.1", "10.0.0.2/30"),
    ("192.168.7.200/24", "192.168.7.1/24"),
    ("192.168.7.1/24", "192.168.7.2/24"),
    ("10.20.35.7/19", "10.20.32.1/19"),
    ("10.20.30.40/8", "10.0.0.1/8"),
    ("10.0.0.5/30 10.0.0.9", "10.0.0.6/30"),
]


@pytest.mark.parametrize(("ip", "dom0"), ENDS)
def test_dom0_s_end_is_the_first_address(make_world: MakeWorld, ip: str, dom0: str) -> None:
    world = make_world("vif")
    world.say({**BASE, "ip": ip})
    assert world.run("vif-nat", "2").returncode == 0
    assert world.left()[f"addresses/{dom0.split('/')[0]}"] == dom0
