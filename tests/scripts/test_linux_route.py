"""vif-route and vif-nat on Linux for real, as vif-bridge."""

import sys

import pytest

from tests.scripts.conftest import MakeWorld
from tests.scripts.linux_vif import (
    addresses,
    connected,
    master,
    offline,
    online,
    routes,
    rules,
    translated,
    vif,
)
from tests.scripts.namespace import Namespace, namespace
from tests.scripts.world import World

# --- vif-route --------------------------------------------------------------------------------------------


def test_dom0_routes_to_it(world: World, dom0: Namespace) -> None:
    name = vif(world)
    dom0.ip("link set xenbr0 up")
    dom0.ip("addr add 192.0.2.1/24 dev xenbr0")
    dom0.ip("link set guest up")
    world.say({"ip": "10.9.0.2 198.51.100.0/24 2001:db8::/64", "gatewaydev": "xenbr0"})
    connected(world, "vif-route")
    assert routes(dom0, name) == {
        "10.9.0.2": "192.0.2.1",
        "198.51.100.0/24": "192.0.2.1",
        "2001:db8::/64": None,
    }
    assert dom0.exec("cat", f"/proc/sys/net/ipv4/conf/{name}/proxy_arp") == "1\n"
    connected(world, "vif-route")
    world.vanish()
    offline(world, "vif-route")
    assert routes(dom0, name) == {}


UNROUTED = [
    ({}, "no ip= is given"),
    ({"ip": "10.9.0.2", "gatewaydev": "xenbr0"}, "gatewaydev xenbr0 has no IPv4 address"),
    ({"ip": "10.9.0.2", "gatewaydev": "eth7"}, "ip -4 -o addr show dev eth7: "),
    ({"ip": "10.9.0.2 10.9.0.3/8"}, "ip route replace 10.9.0.3/8 dev vif{D}.0: "),
]


@pytest.mark.parametrize(("nodes", "why"), UNROUTED)
def test_routes_that_cannot_be(world: World, dom0: Namespace, nodes: dict[str, str], why: str) -> None:
    world.say(nodes)
    assert online(world, "vif-route").returncode == 1
    assert world.nodes()["hotplug-error"].startswith(f"vif-route: {world.filled(why)}")
    assert routes(dom0, vif(world)) == {}


# --- vif-nat ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nft")
def test_it_has_an_address_behind_dom0_s(world: World, dom0: Namespace) -> None:
    name, net = vif(world), world.filled("10.{a}.{b}")
    dom0.ip("link set guest up")
    for _ in range(2):
        connected(world, "vif-nat")
        (address,) = addresses(dom0, name)
        assert (address["local"], address["address"], address["prefixlen"]) == (f"{net}.1", f"{net}.2", 32)
        assert (translated(dom0), rules(dom0)) == ([f"{net}.2"], 1)
    world.vanish()
    offline(world, "vif-nat")
    assert addresses(dom0, name) == []
    assert (translated(dom0), rules(dom0)) == ([], 1), "the rule is for the next one"
    assert world.left() == {}


@pytest.mark.usefixtures("nft")
def test_guests_of_several_are_translated_each_for_itself(
    world: World, dom0: Namespace, make_world: MakeWorld
) -> None:
    other = make_world("vif", "Linux")
    other.namespace = dom0.name
    dom0.ip(f"link add {vif(other)} type veth peer name guest1")
    other.say({"ip": "172.16.0.2/24"})
    connected(world, "vif-nat")
    connected(other, "vif-nat")
    assert "ip daddr != @guests masquerade" in dom0.exec("nft", "list", "ruleset"), (
        "among guests, none is dom0"
    )
    assert (sorted(translated(dom0)), rules(dom0)) == ([world.filled("10.{a}.{b}.2"), "172.16.0.2"], 1)
    offline(world, "vif-nat")
    assert translated(dom0) == ["172.16.0.2"]
    offline(other, "vif-nat")
    assert translated(dom0) == []


SERVER = """
import socket
server = socket.create_server(("203.0.113.9", 80))
print("ready", flush=True)
print(server.accept()[1][0], flush=True)
"""


@pytest.mark.usefixtures("nft")
def test_a_guest_reaches_the_world_as_dom0(world: World, dom0: Namespace) -> None:
    """Packets, for once: guest, dom0 and the world are three namespaces."""
    net = world.filled("10.{a}.{b}")
    with namespace("guest") as guest, namespace("world") as outside:
        dom0.ip(f"link set guest netns {guest.name}")
        dom0.ip(f"link add eth0 type veth peer name eth0 netns {outside.name}")
        dom0.ip("addr add 203.0.113.1/24 dev eth0")
        dom0.ip("link set eth0 up")
        outside.ip("addr add 203.0.113.9/24 dev eth0")
        outside.ip("link set eth0 up")
        dom0.exec("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        done = online(world, "vif-nat")
        assert (done.returncode, "forward" in done.stderr) == (0, False), done.stderr
        guest.ip(f"addr add {net}.2/30 dev guest")
        guest.ip("link set guest up")
        guest.ip(f"route add default via {net}.1")
        server = outside.popen(sys.executable, "-c", SERVER)
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            connect = "import socket; socket.create_connection(('203.0.113.9', 80), 20)"
            guest.exec(sys.executable, "-c", connect)
            assert server.stdout.readline() == "203.0.113.1\n"
        finally:
            server.kill()
            server.communicate()


# --- every call may fail ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("nft")
@pytest.mark.parametrize("script", ["vif-bridge", "vif-route", "vif-nat"])
def test_every_call_may_fail(world: World, dom0: Namespace, script: str) -> None:
    name = vif(world)
    world.say({"ip": "10.9.0.2"})
    nodes = world.nodes()
    connected(world, script)
    calls = world.calls()
    offline(world, script)
    for k, call in enumerate(calls, 1):
        world.vanish()
        world.say(nodes)
        if (world.top / "state").exists():
            world.take("state")
        assert online(world, script, FAIL_AT=str(k)).returncode == 1, call
        assert world.nodes()["hotplug-status"] == "error", call
        assert master(dom0, name) == (None, False), call
        assert routes(dom0, name) == {}, call
        assert addresses(dom0, name) == [], call
        assert translated(dom0) == [], call
        assert world.left() == {}, call
    connected(world, script)
