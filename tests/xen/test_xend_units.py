"""A host comes up by our units, with its domains, and goes down again: domains first, the store last."""

import sys

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL
from tests.xen.units import CONFIG, PLACE

pytestmark = pytest.mark.xen

UNITS = f"cd {manager.ROOT} && {sys.executable} -m tests.xen.units"
LOG = "/var/log/xen/xend.log"


@pytest.fixture(scope="module")
def down(managed: Dom0) -> None:
    """Nothing of ours runs yet."""
    managed.must(f"kill $(cat {manager.PID})\n{UNTIL}gone() {{ [ ! -e {manager.PID} ]; }}\nuntil_done gone")
    managed.must("kill $(cat /run/xenstored.pid)\nwhile [ -e /run/xenstored.pid ]; do sleep 0.2; done")


def test_a_host_boots_and_shuts_down(managed: Dom0, down: None) -> None:
    managed.must(
        f"mkdir -p {CONFIG}/auto {CONFIG}/scripts\ncp {manager.ROOT}/xend/scripts/* {CONFIG}/scripts\n"
        f"cat >{CONFIG}/auto/first <<'END'\nname = 'first'\nmemory = 160\n"
        f"kernel = '{managed.images.kernel}'\nramdisk = '{managed.images.guest}'\n"
        "extra = 'console=hvc0 quiet address=10.0.0.7'\nvif = ['bridge=xenbr0']\nEND"
    )
    managed.must(f"{UNITS} up || {{ cat {PLACE}/journal; false; }}", 240)
    assert managed.must(f"{OURS.xl} list first").splitlines()[1].split()[0] == "first"
    domid = managed.must(f"{OURS.xl} domid first")
    managed.must(f"{UNTIL}until_done xenstore-read /local/domain/{domid}/data/state", 120)
    managed.must(f"{UNITS} down", 240)
    *before, last = managed.must(f"cat {LOG}").splitlines()
    assert last.endswith("SIGTERM: stopping; domains go on")
    assert before[-1].endswith("autostart first: down")
    assert [line for line in before if line.endswith(f"domain first (domain {domid}): destroyed")]
    assert managed.run(f"ls {PLACE}/running; cat /run/xenstored.pid").status != 0
