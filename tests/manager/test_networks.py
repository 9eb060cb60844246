"""Interfaces of domains on Linux for real: xend itself runs our scripts, in a network of its own.

Only the hypervisor, its guests and dom0's drivers are simulated.  The interface that the backend's driver
would make of the first domain's first vif is one end of a pair that the test makes.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.manager.place import Place
from tests.manager.raw import Raw
from tests.peers.daemons import need
from tests.scripts.linux_vif import addresses, master, routes, translated
from tests.scripts.namespace import Namespace, can, namespace, need_translation
from tests.scripts.world import SCRIPTS

VIF = "vif1.0"
BACKEND = "/local/domain/0/backend/vif/1/0"
DOMAIN = """
name = "web"
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 32
vif = [ {vif!r} ]
"""
#: A /var/run of its own, as what scripts remember of this host's domains is there.
OWN_RUN = """
set -e
mount -t tmpfs tmpfs /var/run
mkdir /var/run/xen-hotplug
mount --bind "$1" /var/run/xen-hotplug
shift
exec "$@"
"""


@attrs.frozen
class Made:
    """What there is of an interface."""

    master: str | None = None
    is_up: bool = True
    address: tuple[str, str] | None = None
    routes: frozenset[str] = frozenset()
    translated: tuple[str, ...] = ()


@attrs.frozen
class Case:
    """A vif's specification, and what becomes of it.

    name: the interface's.
    """

    vif: str
    made: Made
    name: str = VIF

    @property
    def translates(self) -> bool:
        return bool(self.made.translated)


CASES = [
    Case("", Made(master="xenbr0")),
    Case("bridge=br1", Made(master="br1")),
    Case("bridge=br1,vifname=web0", Made(master="br1"), name="web0"),
    Case("script=vif-route,ip=10.9.0.2 10.8.0.0/24", Made(routes=frozenset({"10.9.0.2", "10.8.0.0/24"}))),
    Case(
        "script=vif-nat",
        Made(address=("10.0.1.1", "10.0.1.2"), routes=frozenset({"10.0.1.2"}), translated=("10.0.1.2",)),
    ),
    Case(
        "script=vif-nat,ip=172.16.5.7/24,vifname=nat0",
        Made(
            address=("172.16.5.1", "172.16.5.7"), routes=frozenset({"172.16.5.7"}), translated=("172.16.5.7",)
        ),
        name="nat0",
    ),
]
BRIDGED, NAT = CASES[0], CASES[4]
#: For those that say nothing: options of xend's, and what becomes of them.
DEFAULTS = [
    (("--vif-script=vif-nat",), NAT.made),
    (("--bridge=br1",), Made(master="br1")),
]

each_case = pytest.mark.parametrize("case", CASES, ids=[case.vif or "nothing" for case in CASES])


class Dom0:
    """A host with xend, and the network that it is in.

    Attributes:
        remembered: the directory of what scripts remember.
    """

    def __init__(self, place: Place, network: Namespace) -> None:
        self.place = place
        self.network = network
        self.remembered = place.top / "hotplug"
        self.remembered.mkdir()
        for script in SCRIPTS.iterdir():
            shutil.copy(script, place.scripts)
        inside = ["ip", "netns", "exec", network.name, "sh", "-c", OWN_RUN, "own-run", str(self.remembered)]
        place.xend.argv = [*inside, *place.xend.argv]

    def made(self, name: str, translates: bool) -> Made:
        """What there is of an interface of this name."""
        port, is_up = master(self.network, name)
        found = [(str(each["local"]), str(each.get("address"))) for each in addresses(self.network, name)]
        assert len(found) < 2
        return Made(
            master=port,
            is_up=is_up,
            address=found[0] if found else None,
            routes=frozenset(routes(self.network, name)),
            translated=tuple(translated(self.network)) if translates else (),
        )

    def check_made(self, case: Case) -> None:
        """It is as the specification has it, and the backend is connected."""
        self.place.await_node(f"{BACKEND}/state", b"4")
        assert self.made(case.name, case.translates) == case.made
        assert [path.name for path in self.remembered.iterdir()] == ["vif-1-0.vif-nat"] * case.translates

    def check_gone(self, case: Case) -> None:
        """Nothing of it is there any more but the interface, which is the driver's to remove."""
        assert self.made(case.name, case.translates) == Made(is_up=False)
        assert list(self.remembered.iterdir()) == []

    def create(self, vif: str) -> None:
        with self.place.client() as client:
            client.create(DOMAIN.format(vif=vif))

    def destroy(self) -> None:
        assert self.place.said("xl", "destroy", "web") == ""


@pytest.fixture
def dom0(place: Place) -> Iterator[Dom0]:
    need(Path("xenstore-read"))  # where xend's own PATH leads its scripts to
    with namespace("manager") as network:
        can(network, "bridge", "link add xenbr0 type bridge")
        can(network, "bridge", "link add br1 type bridge")
        can(network, "pair of interfaces", f"link add {VIF} type veth peer name guest")
        network.ip("link set lo up")
        network.ip("link set guest up")
        made = Dom0(place, network)
        try:
            yield made
        finally:
            place.clean_up()  # before its network goes


def begin(dom0: Dom0, case: Case, *options: str) -> list[object]:
    """xend, without a domain; what is there then."""
    if case.translates:
        need_translation(dom0.network)
    dom0.place.start(*options)
    return dom0.place.snapshot()


@each_case
def test_a_domain_s_interface_is_set_up_and_taken_down(dom0: Dom0, case: Case) -> None:
    before = begin(dom0, case)
    dom0.create(case.vif)
    dom0.check_made(case)
    dom0.destroy()
    dom0.check_gone(case)
    assert dom0.place.snapshot() == before


@pytest.mark.parametrize(("options", "made"), DEFAULTS, ids=["script", "bridge"])
def test_what_says_nothing_gets_what_xend_was_told(dom0: Dom0, options: tuple[str, ...], made: Made) -> None:
    case = Case("", made)
    before = begin(dom0, case, *options)
    dom0.create(case.vif)
    dom0.check_made(case)
    dom0.destroy()
    dom0.check_gone(case)
    assert dom0.place.snapshot() == before


@each_case
def test_so_is_one_that_is_attached(dom0: Dom0, case: Case) -> None:
    begin(dom0, case)
    with dom0.place.client() as client:
        client.create(DOMAIN.format(vif="").replace("vif = [ '' ]\n", ""))
    before = dom0.place.snapshot()
    assert dom0.place.said("xl", "network-attach", "web", *filter(None, [case.vif])) == ""
    dom0.check_made(case)
    assert dom0.place.said("xl", "network-detach", "web", "0") == ""
    dom0.check_gone(case)
    assert dom0.place.snapshot() == before


@pytest.mark.parametrize("case", [BRIDGED, NAT], ids=["bridged", "nat"])
def test_xend_killed_and_started_leaves_it_as_it_is(dom0: Dom0, case: Case) -> None:
    before = begin(dom0, case)
    dom0.create(case.vif)
    dom0.check_made(case)
    dom0.place.restart()
    dom0.check_made(case)
    dom0.destroy()
    dom0.check_gone(case)
    assert dom0.place.snapshot() == before


@pytest.mark.parametrize("case", [BRIDGED, NAT], ids=["bridged", "nat"])
def test_xend_killed_after_the_script_takes_it_down_when_it_is_back(dom0: Dom0, case: Case) -> None:
    before = begin(dom0, case)
    dom0.place.restart("domain.create:start")
    with Raw(dom0.place.socket) as client:
        client.send("domain.create", text=DOMAIN.format(vif=case.vif))
        client.until_loss()
    dom0.place.xend.await_end()
    assert dom0.made(case.name, case.translates) == case.made
    dom0.place.start()
    dom0.place.settle()
    dom0.check_gone(case)
    assert dom0.place.snapshot() == before


def test_a_bridge_that_is_not_there_is_told_with_its_remedy(dom0: Dom0) -> None:
    before = begin(dom0, BRIDGED)
    config = dom0.place.top / "web"
    config.write_text(DOMAIN.format(vif="bridge=xenbr7"))
    done = dom0.place.tool("xl", "create", str(config))
    assert done.returncode == 1
    assert "bridge xenbr7 does not exist: ip link add xenbr7 type bridge" in done.stderr
    dom0.check_gone(BRIDGED)
    assert dom0.place.snapshot() == before
