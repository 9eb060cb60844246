"""Pacemaker's ocf:heartbeat:Xen, the agent itself, in the place of the cluster that calls it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place
from tests.peers.daemons import lacking

OCF = Path("/usr/lib/ocf")
AGENT = OCF / "resource.d/heartbeat/Xen"
#: ocf-returncodes.
SUCCESS, NOT_RUNNING = 0, 7
#: Which domains there are after a call.
STATES = [
    *((action, ["web"]) for action in ("start", "monitor", "status")),
    *((action, []) for action in ("validate-all", "status", "stop")),
]
CONFIGURATION = """
name = "web"
kernel = "/boot/vmlinuz"
memory = "64"
disk = [ 'phy:/srv/disk0,xvda,w' ]
"""


def agent(host: Place, action: str, **parameters: str) -> subprocess.CompletedProcess[str]:
    """One call of it, with the parameters of the resource."""
    if not AGENT.exists():
        lacking("not installed: resource-agents")
    environment = {
        **host.environment,
        "OCF_ROOT": str(OCF),
        "OCF_RESOURCE_INSTANCE": "web",
        "OCF_RESOURCE_TYPE": "Xen",
        "OCF_RESKEY_xmfile": str(host.top / "etc/web.cfg"),
        "OCF_RESKEY_CRM_meta_interval": "10000",
        "HA_RSCTMP": str(host.top),
        "HA_LOGFACILITY": "none",
        **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
    }
    return subprocess.run(
        [AGENT, action],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


@pytest.mark.parametrize(
    ("guest", "how"),
    [("pv", {}), ("pvh", {"shutdown_acpi": "1", "shutdown_timeout": "6"}), ("pv", {"shutdown_timeout": "0"})],
    ids=["shutdown", "acpi", "at once"],
)
def test_a_resource_is_started_watched_and_stopped(host: Place, guest: str, how: dict[str, str]) -> None:
    (host.top / "etc/web.cfg").write_text(f'{CONFIGURATION}type = "{guest}"\n')
    for action, status in (
        ("validate-all", SUCCESS),
        ("status", NOT_RUNNING),
        ("start", SUCCESS),
        ("start", SUCCESS),
        ("monitor", SUCCESS),
        ("status", SUCCESS),
        ("stop", SUCCESS),
        ("status", NOT_RUNNING),
    ):
        done = agent(host, action, **how)
        assert done.returncode == status, (action, done.stdout, done.stderr, host.log()[-2000:])
        assert (action, host.names()) in STATES
    assert host.names() == []


def test_memory_is_managed(host: Place) -> None:
    (host.top / "etc/web.cfg").write_text(CONFIGURATION.replace('"64"', '"64"\nmaxmem = 4096'))
    how = {"allow_mem_management": "1", "reserved_Dom0_memory": "4000", "name": "web"}
    assert agent(host, "start", **how).returncode == SUCCESS
    with host.client() as client:
        assert client.domains()[-1]["memory_kib"] < 128 * 1024
    assert agent(host, "stop", **how).returncode == SUCCESS


def test_it_neither_saves_nor_restores() -> None:
    """It moves resources by migrate alone; a release that does more has to be tried here."""
    if not AGENT.exists():
        lacking("not installed: resource-agents")
    called = set(re.findall(r"\$xentool ([a-z-]+)", AGENT.read_text()))
    assert "migrate" in called
    assert not {"save", "restore", "suspend", "resume"} & called
