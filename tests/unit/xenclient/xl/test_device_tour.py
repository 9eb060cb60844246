"""README.md's tour of devices on a real xend with a simulated host: each command prints what stands there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.manager.conftest import place, programs
from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place

__all__ = ["place", "programs"]

ROOT = Path(__file__).parents[4]
#: Where the README says that it is.
SHOWN = "/home/me/xend"
PROMPT = "$ "
#: Event channels and pages, which other events of the host decide about; and blanks at ends of lines.
NUMBERS = re.compile(r"(?<= 4 ) +\d+ +[\d/]+ +(?=/local)")


def tour() -> list[tuple[str, str]]:
    """Commands, and what they print."""
    section = (ROOT / "README.md").read_text().split("\n## Devices\n")[1].split("\n## ")[0]
    block = "".join(f"{line[4:]}\n" for line in section.splitlines() if line.startswith("    "))
    commands = block.split(f"\n{PROMPT}")
    commands[0] = commands[0].removeprefix(PROMPT)
    pairs = (each.removesuffix("\n").partition("\n") for each in commands)
    return [(command, printed) for command, _, printed in pairs]


def await_devices(place: Place, domid: int) -> None:
    """Returns once all its devices are connected: a guest connects after the command that attached one."""
    with place.store() as store:
        for kind in ("vbd", "vif"):
            for devid in store.directory(f"/local/domain/0/backend/{kind}/{domid}"):
                name = devid.decode() if isinstance(devid, bytes) else devid
                place.await_node(f"/local/domain/0/backend/{kind}/{domid}/{name}/state", b"4")


@pytest.fixture
def example(place: Place, tmp_path: Path) -> tuple[Place, Path]:
    """A host as `make run` leaves it, and the directory in which it is `run`."""
    place.start("--platform=linux")
    place.said("xl", "create", "-q", "example")
    (tmp_path / "run").symlink_to(place.top)
    return place, tmp_path


def test_the_tour_prints_what_the_readme_says(example: tuple[Place, Path]) -> None:
    place, directory = example
    commands = tour()
    assert len(commands) > 15
    for command, expected in commands:
        await_devices(place, 1)
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=directory,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        printed = done.stdout.replace(str(place.top), f"{SHOWN}/run")
        assert comparable(printed) == comparable(expected), command
        assert (done.returncode != 0) == expected.startswith("xl: "), command
    assert place.said("xl", "block-list", "example").count("/backend/vbd/1/") == 2
    assert place.said("xl", "network-list", "example").count("/backend/vif/1/") == 1


def comparable(printed: str) -> list[str]:
    """The lines, without what may differ."""
    return [NUMBERS.sub(" # ", line.rstrip()) for line in printed.splitlines()]


def test_explain_tells_what_was_awaited_and_what_happened(example: tuple[Place, Path]) -> None:
    place, _ = example
    await_devices(place, 1)
    told = place.said("xl", "device-explain", "example", "vif", "0").splitlines()
    assert told[0] == "vif 0 of example (domain 1): backend Connected (4), frontend Connected (4)"
    assert told[1].endswith(" 0.000 s  nodes written")
    texts = [line.split(" s  ")[1] for line in told[1:]]
    assert texts.index("backend: InitWait (2)") < texts.index("backend: Connected (4)")
    place.said("xl", "create", "-q", "foo", 'extra="sim=never-answer"')
    silent = place.said("xl", "device-explain", "foo", "0x0").splitlines()
    assert silent[-2].startswith("awaited: backend and frontend to be Connected (4), ")
    assert silent[-1].startswith("likely cause: the guest's kernel has no driver for a vbd")
