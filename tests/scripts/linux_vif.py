"""A vif of a world on Linux, and what dom0's network makes of it."""

import json
import subprocess
from typing import Any

from tests.scripts.namespace import Namespace
from tests.scripts.world import World


def vif(world: World) -> str:
    return f"vif{world.domid}.0"


def online(world: World, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return world.run(script, "online", "type_if=vif", vif=vif(world), **environment)


def offline(world: World, script: str) -> None:
    done = world.run(script, "offline", "type_if=vif", vif=vif(world))
    assert done.returncode == 0, done.stderr


def connected(world: World, script: str, **environment: str) -> None:
    done = online(world, script, **environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert world.nodes()["hotplug-status"] == "connected"


def addresses(dom0: Namespace, name: str) -> list[dict[str, Any]]:
    """What dom0 has on an interface."""
    return [address for link in dom0.shown(f"addr show dev {name}") for address in link.get("addr_info", [])
            if address["local"][:4] != "fe80"]  # fmt: skip


def master(dom0: Namespace, name: str) -> tuple[str | None, bool]:
    """The bridge an interface is on, and whether it is up."""
    link = dom0.link(name)
    assert link is not None
    return link.get("master"), "UP" in link["flags"]


def routes(dom0: Namespace, name: str) -> dict[str, str | None]:
    """Where dom0 sends by an interface, each with its source address."""
    shown = dom0.shown(f"route show dev {name}") + dom0.shown(f"-6 route show dev {name}")
    return {route["dst"]: route.get("prefsrc") for route in shown if not route["dst"].startswith("fe80")}


def translated(dom0: Namespace) -> list[str]:
    """Guests' addresses that are dom0's to the world."""
    ruleset = json.loads(dom0.exec("nft", "-j", "list", "ruleset"))["nftables"]
    return [each for entry in ruleset if "set" in entry for each in entry["set"].get("elem", [])]


def rules(dom0: Namespace) -> int:
    return sum("rule" in each for each in json.loads(dom0.exec("nft", "-j", "list", "ruleset"))["nftables"])
