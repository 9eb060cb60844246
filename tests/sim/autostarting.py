"""Configurations in a world, and what became of the domains they describe."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.sim.world import World

BASE = """
kernel = "/netbsd"
memory = 32
vif = [ 'bridge=bridge0' ]
disk = [ 'file:/disk.img,0x0,w!' ]
"""
HANGS = 'extra="sim=hang-shutdown"'


def put(world: World, name: str, *lines: str, auto: bool = False) -> None:
    """A configuration; auto: a link to it stands in auto/."""
    path = world.directory / name
    path.write_text(BASE + "\n".join(lines) + "\n")
    path.chmod(0o644)
    if auto:
        (world.directory / "auto").mkdir(mode=0o755, exist_ok=True)
        (world.directory / "auto" / name).symlink_to(f"../{name}")


def told(world: World, *whats: str) -> list[tuple[str, str]]:
    """What was told since the beginning, (name, what), of some whats or all."""
    found = [re.fullmatch(r"autostart (\S+): ([\w-]+)(: .*)?", line) for line in world.logged]
    pairs = [(match[1], match[2]) for match in found if match]
    return [pair for pair in pairs if not whats or pair[1] in whats]


def moment(world: World, line: str) -> float:
    """When the last line that ends so was logged, seconds since the beginning."""
    return float([each for each in world.trace if each.endswith(line)][-1].split()[0])


async def start(world: World, *names: str, **params: Any) -> dict[str, tuple[str, str | None]]:
    """By name: outcome and reason."""
    rows = await world.call("autostart.start", names=list(names) or None, **params)
    return outcomes(rows)


async def stop(world: World, *names: str, **params: Any) -> dict[str, tuple[str, str | None]]:
    """By name: outcome and reason."""
    rows = await world.call("autostart.stop", names=list(names) or None, **params)
    return outcomes(rows)


def outcomes(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str | None]]:
    return {row["name"]: (row["outcome"], row["reason"]) for row in rows}


UP = ("up", None)
ALREADY = ("already-running", None)
DOWN = ("down", None)


def three(world: World) -> None:
    """Domains that need each other: db, then app, then web."""
    put(world, "app", 'autostart_after=["db"]', "autostart_delay=2", auto=True)
    put(world, "db", "autostart_delay=3", 'on_poweroff="restart"', auto=True)
    put(world, "web", 'autostart_after=["app"]', auto=True)
