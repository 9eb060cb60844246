"""The programs of examples/ print what they say, against a real store and a simulated host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manager.conftest import place, programs  # noqa: F401  # fixtures
from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import DOMAIN, Place
from tests.peers.daemons import Daemon

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = {path.stem for path in EXAMPLES.glob("*.py")}


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]


def run(name: str, environment: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(
        command(name), env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    return done.returncode, done.stdout, done.stderr


def documented(name: str, first: str) -> str:
    """What the example's documentation says it prints: the indented lines that begin with this one."""
    text = (EXAMPLES / f"{name}.py").read_text().split('"""')[1]
    found = re.search(rf"^    {first}.*\n(?:    .*\n)*", text, re.MULTILINE)
    assert found is not None
    return re.sub("^    ", "", found[0], flags=re.MULTILINE)


@pytest.mark.parametrize(("name", "first"), [("store_watch", "read:"), ("store_transaction", "5 tasks")])
def test_the_store(our_xenstored: Daemon, name: str, first: str) -> None:
    environment = os.environ | {"XENSTORED_PATH": str(our_xenstored.socket)}
    assert run(name, environment) == (0, documented(name, first), "")


def test_domains(place: Place) -> None:  # noqa: F811
    place.start()
    place.create("web")
    status, output, errors = run("domains", place.environment)
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert re.fullmatch(r"0    Domain-0 +\d+ MiB  running", lines[0])
    assert lines[1] == "1    web                32 MiB  running"
    assert sorted(line.split() for line in lines[2:]) == [
        ["vbd", "0x0", "4"],
        ["vif", "0", "4"],
    ]


def test_events(place: Place) -> None:  # noqa: F811
    place.start()
    events = subprocess.Popen(
        command("events", "3"), env=place.environment, stdout=subprocess.PIPE, text=True
    )
    assert events.stdout is not None
    try:
        # It listens from before the domain is created.
        assert re.fullmatch(r"listening after event \d+\n", events.stdout.readline())
        with place.client() as client:
            client.create(DOMAIN.format(name="web"))
        lines, _ = events.communicate(timeout=PATIENCE_SECONDS)
    finally:
        events.kill()
    assert events.returncode == 0
    assert re.fullmatch(r"\d+ domain created web", lines.splitlines()[0])
    assert len(lines.splitlines()) == 3


@pytest.mark.parametrize("name", sorted(NAMES))
def test_without_a_daemon_one_line_says_what_to_do(name: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "socket")
    status, output, errors = run(name, os.environ | {"XENSTORED_PATH": nowhere, "XEND_SOCKET": nowhere})
    assert (status, output) == (1, "")
    assert errors.startswith(f"{name}: no socket at {nowhere}")
    assert errors.count("\n") == 1


def test_the_readme_names_each() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert {name for name in NAMES if f"`examples/{name}.py`" in readme} == NAMES


def test_there_are_some() -> None:
    assert len(NAMES) >= 4
