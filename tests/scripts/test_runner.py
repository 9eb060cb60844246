"""Scripts as xend itself runs them: ours, and those of Xen 4.17 as Debian ships them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.peers.daemons import Daemon, need
from tests.scripts.namespace import Namespace, can, lacking, namespace
from tests.scripts.test_linux_block import loops_of
from tests.scripts.world import SCRIPTS
from xenclient.store.blocking import Client
from xend.config.disk import DiskConfig
from xend.config.vif import VifConfig
from xend.device.device import Device
from xend.device.runner import run_script
from xend.device.scripts import command
from xend.device.vbd import vbd_device
from xend.device.vif import vif_device
from xend.host import ScriptOutcome
from xend.settings import Settings
from xenstore.errors import ENOENT

pytestmark = pytest.mark.trio

XEN = Path("/etc/xen/scripts")
DOMID = 77
#: Xen's scripts log to /var/log/xen and lock in /var/lock; both are this test's own.
OWN_LOG = 'mount -t tmpfs tmpfs /var/log && mkdir /var/log/xen && mount -t tmpfs tmpfs /run/lock && exec "$@"'


@pytest.fixture(params=[SCRIPTS, XEN], ids=["ours", "xen"])
def directory(request: pytest.FixtureRequest) -> Path:
    """Of scripts."""
    if request.param is XEN:
        if not (XEN / "vif-bridge").exists():
            lacking(f"there is no {XEN}/vif-bridge (Debian: xen-utils-common)")
        need(Path("bash"))
    need(Path("xenstore-read"))  # where xend's own PATH leads to
    found: Path = request.param
    return found


@pytest.fixture
def dom0() -> Iterator[Namespace]:
    with namespace("runner") as space:
        can(space, "bridge", "link add xenbr0 type bridge")
        can(space, "pair of interfaces", f"link add vif{DOMID}.0 type veth peer name guest")
        yield space


@pytest.fixture
def store(our_xenstored: Daemon) -> Iterator[Client]:
    with Client(str(our_xenstored.socket)) as client:
        yield client
        for path in (f"/local/domain/0/backend/{kind}/{DOMID}" for kind in ("vif", "vbd")):
            with suppress(ENOENT):
                client.rm(path)


def settings(directory: Path, daemon: Daemon) -> Settings:
    return Settings(
        platform="linux",
        script_directory=directory,
        dump_directory=Path("/"),
        store_socket=str(daemon.socket),
    )


def write(store: Client, device: Device) -> None:
    """The backend's nodes, and that its driver has appeared."""
    for key, value in {**device.backend, "state": "2"}.items():
        store.write(f"{device.backend_path}/{key}", value.encode())


def read(store: Client, device: Device, key: str) -> str | None:
    try:
        return store.read(f"{device.backend_path}/{key}").decode()
    except ENOENT:
        return None


async def run(device: Device, given: Settings, put_in: bool, dom0: Namespace | None) -> ScriptOutcome:
    """As xend runs it, but in this network."""
    argv, environment = command(device, given, put_in)
    environment["XEN_HOTPLUG_STATE"] = f"{given.store_socket}.state"
    space = ["ip", "netns", "exec", dom0.name] if dom0 else ["unshare", "--mount"]
    return await run_script([*space, "sh", "-c", OWN_LOG, "own-log", *argv], environment, 40)


async def test_vif_bridge(directory: Path, our_xenstored: Daemon, store: Client, dom0: Namespace) -> None:
    given = settings(directory, our_xenstored)
    device = vif_device(DOMID, VifConfig(mac="00:16:3e:00:00:01", devid=0, bridge="xenbr0"), given)
    write(store, device)
    outcome = await run(device, given, True, dom0)
    assert outcome.status == 0, outcome.output
    assert read(store, device, "hotplug-status") == "connected"
    assert device.interface is not None
    link = dom0.link(device.interface)
    assert link is not None
    assert (link.get("master"), "UP" in link["flags"]) == ("xenbr0", True)

    outcome = await run(device, given, False, dom0)
    assert outcome.status == 0, outcome.output
    link = dom0.link(device.interface)
    assert link is not None
    assert "master" not in link


async def test_vif_bridge_without_its_bridge(
    directory: Path, our_xenstored: Daemon, store: Client, dom0: Namespace
) -> None:
    given = settings(directory, our_xenstored)
    device = vif_device(DOMID, VifConfig(mac="00:16:3e:00:00:01", devid=0, bridge="xenbr7"), given)
    write(store, device)
    outcome = await run(device, given, True, dom0)
    assert outcome.status == 1
    assert read(store, device, "hotplug-status") == "error"
    assert "xenbr7" in (read(store, device, "hotplug-error") or "")


@pytest.mark.usefixtures("loops")
async def test_block(directory: Path, our_xenstored: Daemon, store: Client, tmp_path: Path) -> None:
    given = settings(directory, our_xenstored)
    image = tmp_path / "image"
    image.write_bytes(bytes(4096))
    config = DiskConfig(target=str(image), vdev="xvda", devid=51712, name="xvda")
    device = vbd_device(DOMID, config, given)
    write(store, device)
    outcome = await run(device, given, True, None)
    try:
        assert outcome.status == 0, outcome.output
        assert read(store, device, "hotplug-status") == "connected"
        node = read(store, device, "node")
        assert node is not None
        assert loops_of(image) == [(node, False)]
        number = os.stat(node).st_rdev
        assert read(store, device, "physical-device") == f"{os.major(number):x}:{os.minor(number):x}"
    finally:
        outcome = await run(device, given, False, None)
    assert outcome.status == 0, outcome.output
    assert loops_of(image) == []
