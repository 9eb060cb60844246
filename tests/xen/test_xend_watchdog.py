"""Xen resets a host whose watchdog daemon was killed.  The last test of its boot."""

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0

pytestmark = pytest.mark.xen

TIMEOUT_S = 8


def test_the_host_is_reset(managed: Dom0) -> None:
    managed.must(f"{manager.BIN}/xenwatchdogd --pid-file /run/watchdog.pid {TIMEOUT_S} 2", 60)
    managed.must(f"sleep {2 * TIMEOUT_S}", 60)  # it is alive, and so is the host
    manager.kill(managed, "/run/watchdog.pid")
    # QEMU ends where a machine is reset; what Xen says last is lost with the serial line of 4.20.
    was_reset = managed.machine.wait(120)
    managed.machine.kill()
    assert was_reset, managed.machine.last_lines()
