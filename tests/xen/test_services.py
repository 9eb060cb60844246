"""Each of our small daemons alone, where Debian's xl does the rest."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import UNTIL, Devices, Guest

pytestmark = [pytest.mark.xen, pytest.mark.ours]

BIN = Path(sys.prefix) / "bin"
CONFIG = "/run/services"
#: Debian's xl reads it from there.
XL_CONF = "/etc/xen/xl.conf"


@pytest.fixture
def no_scripts_by_xl(dom0: Dom0) -> Iterator[None]:
    """xl leaves hotplug scripts to somebody else meanwhile."""
    dom0.must(f"echo run_hotplug_scripts=0 >/run/xl.conf\nmount --bind /run/xl.conf {XL_CONF}")
    yield
    dom0.must(f"umount {XL_CONF}")


def test_our_xenbackendd_runs_the_scripts(dom0: Dom0, no_scripts_by_xl: None) -> None:
    dom0.must(
        f"mkdir -p {CONFIG}/scripts; cp {manager.ROOT}/xend/scripts/* {CONFIG}/scripts\n"
        f"{BIN}/xenbackendd --config-dir {CONFIG} --log-file /run/xenbackendd.log -p /run/xenbackendd.pid",
        60,
    )
    guest = Guest(dom0, "backendd", Devices("/run/backendd.img", "10.0.0.21"))
    guest.must("echo by xenbackendd | dd of=/dev/xvda bs=512 conv=sync && sync")
    assert dom0.must("head -n 1 /run/backendd.img | tr -d '\\0'") == "by xenbackendd"
    assert guest.pings("10.0.0.1")
    dom0.must(f"xl shutdown {guest.name}")
    guest.await_end()
    dom0.must(
        f"{UNTIL}freed() {{ ! losetup -a | grep -q backendd; }}\nuntil_done freed\n"
        "kill $(cat /run/xenbackendd.pid)"
    )


def test_our_xenconsoled_serves_consoles(dom0: Dom0, guest: Guest) -> None:
    """It takes over from Debian's, under a guest that runs, and gives back to it."""
    dom0.must("kill $(cat /run/xenconsoled.pid)\nwhile pgrep xenconsoled; do sleep 0.2; done")
    ours = f"{BIN}/xenconsoled --hypervisor xen --log=guest --log-dir=/run/consoles --pid-file=/run/ours.pid"
    dom0.must(f"mkdir -p /run/consoles; {ours}", 60)
    dom0.must(
        f"setsid script -qfc 'xl console {guest.name}' /run/typescript >/dev/null 2>&1 </run/never &\n"
        f"{UNTIL}until_done xenstore-read {guest.home}/console/tty"
    )
    guest.must("echo by way of ours >/dev/console")
    dom0.must(f"{UNTIL}until_done grep -aq 'by way of ours' /run/typescript", 60)
    assert "by way of ours" in dom0.must("cat /run/consoles/*.log")
    dom0.must(
        "kill $(cat /run/ours.pid)\nwhile [ -e /run/ours.pid ]; do sleep 0.2; done\n"
        "xenconsoled --log=guest --pid-file=/run/xenconsoled.pid"
    )
    guest.must("echo theirs again >/dev/console")
    guest.await_console("theirs again")
