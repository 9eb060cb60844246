"""The start of xend on Xen waits for nothing that only a simulated host or an embedded store needs."""

from pathlib import Path

import trio

from tests.unit.xenclient.test_start_up import imported

UNWANTED = ("xend.simulator", "xend.hypervisor.simulator", "xend.hypervisor.host_process", "xenstore.server")


def test_imports() -> None:
    names = imported("xend.__main__", str(Path(trio.__file__).parents[1]))
    assert "xend.daemon" in names
    assert not {name for name in names if name.startswith(UNWANTED)}
