"""What all scripts do alike: which calls mean something, what they say to others, and their form."""

import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.peers.daemons import need
from tests.scripts.conftest import MakeWorld
from tests.scripts.world import SCRIPTS

VBD, VIF = ("block", "block-iscsi"), ("vif-bridge", "vif-route", "vif-nat")
ALL = (*VBD, *VIF)


#: Not for any script, on either system; nor are the other kind's.
STATES = ("0", "1", "3", "4", "5", "7", "8", "", "22", "add", "online")
VERBS = {
    "vbd": ("online", "offline", "bind", "", "2", "6"),
    "vif": ("add", "remove", "add type_if=vif", "move", "", "2"),
}


def kind(script: str) -> str:
    return "vif" if script in VIF else "vbd"


@pytest.mark.parametrize("script", ALL)
def test_other_states_are_not_for_it(make_world: MakeWorld, script: str) -> None:
    """xenbackendd of old called them for every state."""
    world = make_world(kind(script))
    for state in STATES:
        done = world.run(script, *([state] if state else []))
        assert (done.returncode, done.stdout, done.stderr, world.calls()) == (0, "", "", []), state


@pytest.mark.parametrize("script", ALL)
def test_other_verbs_are_not_for_it(make_world: MakeWorld, script: str) -> None:
    world = make_world(kind(script), "Linux")
    for verb in VERBS[kind(script)]:
        done = world.run(script, *verb.split())
        assert (done.returncode, done.stdout, done.stderr, world.calls()) == (0, "", "", []), verb


MALFORMED = [
    "backend/vif/1", "backend/vif/1/x", "backend/vif//0", "backend/vif/1/", "backend/tap/1/0", "",
    "backend/vif/1/0; rm", "backend/vif/../0", "vif/a1/0",
]  # fmt: skip


@pytest.mark.parametrize("script", ["block", "vif-bridge"])
def test_backends_that_are_none(make_world: MakeWorld, script: str) -> None:
    world = make_world(kind(script), "Linux")
    for backend in MALFORMED:
        world.relative = backend
        done = world.run(script, "add")
        assert (done.returncode, done.stdout, world.calls()) == (1, "", []), backend
        assert done.stderr.startswith(f"{script}: usage: ")


@pytest.mark.parametrize("script", ALL)
def test_a_backend_that_is_gone_is_not_made_again(make_world: MakeWorld, script: str) -> None:
    world = make_world(kind(script))
    done = world.run(script, "2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{script}: {world.backend} cannot be read: ")
    assert world.nodes() == {}


@pytest.mark.parametrize("script", ALL)
def test_it_says_which_systems_it_knows(make_world: MakeWorld, script: str) -> None:
    world = make_world(kind(script), "Plan9")
    world.say({"state": "2"})
    verb = "online" if script in VIF else "add"
    assert world.run(script, verb).returncode == 1
    assert world.nodes()["hotplug-error"] == f"{script}: Plan9 is neither Linux nor NetBSD"


def test_errors_are_one_line_of_bounded_length(make_world: MakeWorld) -> None:
    world = make_world("vif")
    world.say({"bridge": "bridge0"})
    world.take("bin/ifconfig")
    world.put(
        "bin/ifconfig",
        "#!/bin/sh\necho one\necho two >&2\nfor n in 1 2 3 4; do printf '%0999d' 0; done\nexit 1\n",
    )
    (world.top / "bin/ifconfig").chmod(0o755)
    assert world.run("vif-bridge", "2").returncode == 1
    error = world.nodes()["hotplug-error"]
    assert error.startswith(f"vif-bridge: ifconfig {world.interface} up: one; two; 000")
    assert 1000 < len(error) < 1100


def test_a_program_that_is_missing_is_told(make_world: MakeWorld) -> None:
    world = make_world("vif")
    world.say({"bridge": "bridge0"})
    world.take("bin/brconfig")
    assert world.run("vif-bridge", "2").returncode == 1
    error = world.nodes()["hotplug-error"]
    assert re.fullmatch(rf"vif-bridge: brconfig bridge0 add {world.interface}: .*brconfig.*not found", error)
    assert world.left() == {}


def test_the_manual_s_example_works(make_world: MakeWorld) -> None:
    manual = (SCRIPTS.parents[1] / "docs/hotplug.md").read_text()
    found = re.search(r"\n( {4}#!/bin/sh\n(?: {4}.*\n)+)", manual)
    assert found is not None
    world = make_world("vif")
    scripts = world.top / "scripts"
    shutil.copytree(SCRIPTS, scripts)
    (scripts / "vif-mine").write_text(textwrap.dedent(found[1]))
    world.put("bin/logger", "#!/bin/sh\nexit $BROKEN\n")
    (world.top / "bin/logger").chmod(0o755)
    world.say({"bridge": "bridge0"})
    assert world.run(f"{scripts}/vif-mine", "2", BROKEN="1").returncode == 1
    assert world.nodes()["hotplug-error"] == f"vif-mine: logger -t xen {world.interface} joins: "
    assert world.left() == {}
    assert world.run(f"{scripts}/vif-mine", "2", BROKEN="0").returncode == 0
    assert world.nodes()["hotplug-status"] == "connected"
    assert world.run(f"{scripts}/vif-mine", "6").returncode == 0


# --- their form -------------------------------------------------------------------------------------------


def programs() -> list[Path]:
    return [path for path in sorted(SCRIPTS.iterdir()) if path.suffix != ".sh"]


def test_they_are_those_that_are_shipped() -> None:
    assert {path.name for path in programs()} == {*ALL, "hotplug-reclaim", "qemu-ifup"}


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_they_can_be_run(path: Path) -> None:
    assert path.stat().st_mode & 0o111 == 0o111
    assert path.read_text().startswith("#!/bin/sh\n")


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    need(Path("shellcheck"))
    program = shutil.which("shellcheck")
    assert program is not None
    argv = [program, "-s", "sh", "--external-sources", "--check-sourced", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", sorted(SCRIPTS.iterdir()), ids=lambda path: path.name)
def test_shells_can_read_them(path: Path, shell: str) -> None:
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_interface_of_an_emulated_card_goes_on_its_bridge(tmp_path: Path) -> None:
    for name in ("ifconfig", "brconfig"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        program.chmod(0o755)
    words = ["/bin/sh", str(SCRIPTS / "qemu-ifup"), "tap0", "bridge0"]
    done = subprocess.run(words, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert done.stdout == "ifconfig tap0 up\nbrconfig bridge0 add tap0\n"
    done = subprocess.run(words[:3], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a bridge is expected behind the interface" in done.stderr
