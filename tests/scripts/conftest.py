"""What tests of scripts share: the shells, the store's command lines, a world."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.daemons import Daemon, need
from tests.scripts.linux_vif import vif
from tests.scripts.namespace import Namespace, can, lacking, namespace, need_translation
from tests.scripts.world import World

SHELLS = ("dash", "mksh")
OURS = Path(sys.executable).parent

MakeWorld = Callable[..., World]


def fastest_tools() -> Path:
    """Where command lines of the store are: Debian's, which start in a millisecond, or ours."""
    found = shutil.which("xenstore-ls", path="/usr/bin:/usr/sbin:/usr/local/bin")
    return Path(found).parent if found else OURS


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """The path of a POSIX shell."""
    need(Path(request.param))
    path: str | None = shutil.which(request.param)
    assert path is not None
    return path


@pytest.fixture
def make_world(tmp_path: Path, our_xenstored: Daemon, shell: str) -> Iterator[MakeWorld]:
    """Makes worlds: (kind, system="NetBSD", tools=...)."""
    with ExitStack() as stack:

        def make(kind: str, system: str = "NetBSD", tools: Path | None = None) -> World:
            top = tmp_path / f"world{len(list(tmp_path.iterdir()))}"
            world = World(top, kind, our_xenstored.socket, tools or fastest_tools(), shell, system)
            stack.callback(world.close)
            return world

        yield make


@pytest.fixture(scope="session")
def loops(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips the test where there are no loop devices."""
    if os.geteuid() != 0:
        lacking("loop devices are root's to use")
    if shutil.which("losetup") is None:
        lacking("not installed: losetup (Debian: mount)")
    image = tmp_path_factory.mktemp("loop") / "image"
    image.write_bytes(bytes(4096))
    done = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        lacking(f"this kernel has no loop devices: {done.stderr.strip()}")
    subprocess.run(["losetup", "-d", done.stdout.strip()], check=True, timeout=30)


# --- networks of Linux -------------------------------------------------------------------------------------


@pytest.fixture
def dom0() -> Iterator[Namespace]:
    """A network with a bridge, xenbr0."""
    with namespace("dom0") as space:
        can(space, "bridge", "link add xenbr0 type bridge")
        can(space, "pair of interfaces", "link add probe0 type veth peer name probe1")
        space.ip("link del probe0")
        space.ip("link set lo up")
        yield space


@pytest.fixture
def world(make_world: MakeWorld, dom0: Namespace) -> World:
    """A host whose network is dom0's, and whose vif is one end of a pair."""
    world = make_world("vif", "Linux")
    world.namespace = dom0.name
    dom0.ip(f"link add {vif(world)} type veth peer name guest")
    world.say({
        "frontend": "/local/domain/{D}/device/vif/0", "frontend-id": "{D}", "state": "2",
        "hotplug-status": "", "bridge": "xenbr0",
    })  # fmt: skip
    return world


@pytest.fixture
def nft(dom0: Namespace) -> None:
    """Skips the test where the kernel does not translate."""
    need_translation(dom0)
