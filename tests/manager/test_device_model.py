"""A device model as a process below the real xend on a simulated host: kills of xend, and of itself."""

import os
import signal

import pytest

from tests.manager.place import TOPS, Place
from tests.manager.test_killed import die
from xend.model import pids

CONFIG = """
name = "foo"
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 32
disk = [ '/n0/xen/disk.qcow2,qcow2,xvda,w' ]
"""
MACHINE = """
name = "foo"
type = "hvm"
memory = 32
maxvcpus = 3
vnc = 0
kernel = "/netbsd-XEN3_DOMU.gz"
extra = "sim=no-drivers"
"""
_LEFT = {f"/local/domain/0/{name}" for name in ("backend/qdisk", "backend/vkbd", "device-model")} | TOPS


@pytest.fixture
def modelled(place: Place) -> Place:
    """A host that has a domain's image of qcow2."""
    (place.top / "root/n0/xen/disk.qcow2").write_bytes(b"QFI\xfb" + bytes(508))
    place.start()
    return place


def create(place: Place, *extra: str) -> tuple[int, int]:
    """The domid of a domain whose disk is connected, and the pid of its device model."""
    with place.client() as client:
        domid: int = client.create(CONFIG, extra=extra)["domid"]
    place.await_node(f"/local/domain/0/backend/qdisk/{domid}/51712/state", b"4")
    with place.store() as store:
        pid = int(store.read(f"/local/domain/{domid}/image/device-model-pid"))
    return domid, pid


def left(place: Place) -> list[object]:
    """Everything that a domain could leave behind, device models included."""
    files = sorted(os.listdir(place.top / "models"))
    return [each for each in place.snapshot() if str(each).split(" =")[0] not in _LEFT] + files


def test_it_outlives_a_kill_of_xend_and_goes_with_its_domain(modelled: Place) -> None:
    before = left(modelled)
    _, pid = create(modelled)
    modelled.restart()
    modelled.settle()
    assert pids.started(pid) is not None
    modelled.said("xl", "destroy", "foo")
    assert pids.started(pid) is None
    assert left(modelled) == before
    assert (modelled.top / "log/qemu-dm-foo.log").exists()


def test_its_death_is_told_at_once_by_the_xend_that_found_it(modelled: Place) -> None:
    before = left(modelled)
    domid, pid = create(modelled)
    modelled.restart()
    with modelled.client() as client, client.events() as events:
        os.kill(pid, signal.SIGKILL)
        died = next(event for event in events if event["what"] == "device_model_died")
    assert died["domid"] == domid
    assert "dead devices: vbd xvda" in died["reason"]
    assert "the device model of foo" in modelled.said("xl", "device-explain", "foo", "xvda")
    modelled.said("xl", "destroy", "foo")
    assert left(modelled) == before


@pytest.mark.parametrize("step", ["model.start", "model.await", "vbd/51712.await-backend"])
def test_a_kill_of_xend_as_it_starts_leaves_nothing(modelled: Place, step: str) -> None:
    before = left(modelled)
    modelled.restart(failpoint=f"domain.create:{step}")
    die(modelled, "domain.create", text=CONFIG)
    modelled.start()
    modelled.settle()
    assert left(modelled) == before


def test_what_it_said_as_it_failed_is_in_the_error(modelled: Place) -> None:
    before = left(modelled)
    (modelled.top / "etc/foo").write_text(CONFIG + "device_model_args = [ '-sim', 'exit=no such machine' ]\n")
    done = modelled.tool("xl", "create", str(modelled.top / "etc/foo"))
    assert done.returncode != 0
    assert "has ended with exit status 1 as it started: no such machine" in done.stderr
    assert left(modelled) == before


def test_the_state_of_a_machine_goes_with_its_domain(modelled: Place) -> None:
    """By descriptors of processes, as a model that is shut in opens no file."""
    before = left(modelled)
    (modelled.top / "etc/foo").write_text(MACHINE)
    modelled.said("xl", "create", "-q", str(modelled.top / "etc/foo"))
    modelled.said("xl", "vcpu-set", "--ignore-host", "foo", "2")
    file = str(modelled.top / "saved")
    modelled.said("xl", "save", "-c", "foo", file)
    modelled.said("xl", "suspend", "foo")
    modelled.said("xl", "resume", "foo")
    modelled.said("xl", "save", "foo", file)
    assert left(modelled) == before
    modelled.said("xl", "restore", file)
    modelled.restart()
    modelled.settle()
    assert "foo" in modelled.said("xl", "list")
    modelled.said("xl", "destroy", "foo")
    assert left(modelled) == before
