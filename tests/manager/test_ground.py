"""Daemons on ground that somebody else prepared: one line with owner, mode and remedy, and nothing done."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.snapshot import snapshot
from tests.unit.server.program import NOBODY, as_root
from xenstore.daemon import trusted

pytestmark = as_root
STRANGER = 4321
SIM = "--hypervisor=sim"


def give_away(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def widen(path: Path) -> None:
    path.chmod(0o777)


def link(path: Path) -> None:
    """The same, by way of a stranger's link."""
    other = path.with_name(path.name + "-real")
    path.rename(other)
    path.symlink_to(other)
    give_away(path)


HARMS = {"another's": give_away, "too wide": widen, "another's link": link}
SAID = {
    "another's": f"belongs to user {STRANGER}, mode 0",
    "too wide": "mode 0777: anybody may write to it: chmod o-w ",
    "another's link": f"is a link that belongs to user {STRANGER}",
}


WHAT = ("run", "log", "sim", "domains", "operations", "xenstored", "journal", "console")


@pytest.mark.parametrize(
    ("what", "harm"),
    [*((what, "another's") for what in WHAT), ("run", "too wide"), ("log", "another's link")],
)
def test_xend(what: str, harm: str, place: Place) -> None:
    top = place.top / "x"
    places = {
        "run": top / "run",
        "log": top / "log",
        "sim": top / "run/sim",
        "domains": top / "run/domains",
        "operations": top / "run/operations",
        "xenstored": top / "run/xenstored",
        "journal": top / "run/xenstored/journal",
        "console": top / "log/console",
    }
    for each in places.values():
        each.mkdir(parents=True, exist_ok=True)
    HARMS[harm](places[what])
    done = xend(place)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("xend: ")]
    assert SAID[harm] in line
    assert str(places[what]) in line
    assert "internal error" not in done.stderr
    if what == "run":
        assert not (top / "log/xend.log").exists()


def xend(place: Place) -> subprocess.CompletedProcess[str]:
    top = place.top / "x"
    words = ["--no-fork", SIM, f"--rundir={top}/run", f"--log-dir={top}/log"]
    return subprocess.run(
        [place.python, "-m", "xend", *words], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("name", ["run/domains/1", "run/operations/1", "run/xenstored/journal/log.1"])
def test_a_file_of_somebody_elses(name: str, place: Place) -> None:
    path = place.top / "x" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    give_away(path)
    done = xend(place)
    assert done.returncode == 1
    assert f"{path}: belongs to user {STRANGER}" in done.stderr


def test_a_log_that_is_a_link(place: Place) -> None:
    log = place.top / "x/log"
    log.mkdir(parents=True)
    precious = place.top / "precious"
    precious.write_text("precious")
    (log / "xend.log").symlink_to(precious)
    done = xend(place)
    assert (done.returncode, precious.read_text()) == (1, "precious")
    assert (
        f"{log}/xend.log: is a link, and none is followed here: name what it leads to, or remove it"
        in done.stderr
    )


SMALL = {
    "xenconsoled": "xend.console -i --log=all --hypervisor sim:{top}/h --log-dir {top}/ground",
    "xenbackendd": "xend.backendd -f -l {top}/ground/log",
    "xenwatchdogd": "xend.watchdog -F -p {top}/ground/pid --hypervisor sim:{top}/h 30",
    "xenstored": "xenstore.server -N --rundir {top}/ground",
    "xend-simulator": "xend.simulator --no-fork {top}/ground",
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("program", SMALL)
def test_the_other_daemons(program: str, harm: str, place: Place) -> None:
    path = place.top / "ground"
    path.mkdir()
    HARMS[harm](path)
    before = snapshot(path)
    words = SMALL[program].format(top=place.top).split()
    done = subprocess.run(
        [place.python, "-m", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"{program}: ")
    assert SAID[harm] in done.stderr
    assert snapshot(path) == before


@pytest.mark.parametrize("what", ["-T", "-F"])
def test_files_of_xenstored(what: str, place: Place) -> None:
    """In a sticky directory, where anybody may have made them."""
    sticky = place.top / "tmp"
    sticky.mkdir()
    sticky.chmod(0o1777)
    path = sticky / "file"
    path.write_text("here before")
    give_away(path)
    words = ["-m", "xenstore.server", "-N", "--rundir", str(place.top / "r"), what, str(path)]
    done = subprocess.run([place.python, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"{path}: belongs to user {STRANGER}" in done.stderr
    assert path.read_text() == "here before"


def test_a_state_of_somebody_elses(place: Place) -> None:
    state = place.top / "state"
    state.write_bytes(b"")
    give_away(state)
    done = subprocess.run(
        [place.python, "-m", "xenstore.server", "--check-state", str(state)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"{state}: belongs to user {STRANGER}" in done.stderr


def test_nobody_is_somebody_else(place: Place) -> None:
    """What a daemon of another user left is not gone on with."""
    rundir = place.top / "r"
    rundir.mkdir()
    os.chown(rundir, NOBODY, NOBODY)
    with pytest.raises(trusted.Untrusted, match="belongs to nobody"):
        trusted.make_directory(rundir)
