"""What xen-tools' xt-create-xen-config writes is started as it is: static addresses and DHCP."""

import subprocess
from pathlib import Path

import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place
from tests.peers.daemons import need

PROGRAM = Path("/usr/bin/xt-create-xen-config")
#: As xen-create-image hands it on.
COMMON = {
    "hostname": "web",
    "memory": "128Mb",
    "vcpus": "1",
    "kernel": "/boot/vmlinuz",
    "initrd": "/boot/initrd.img",
    "xen_tools_version": "4.9.2",
    "NUMPARTITIONS": "2",
    "PARTITION1": "swap:128Mb:swap:::file::/srv/web-swap.img",
    "PARTITION2": "disk:4Gb:ext3:/:noatime:file::/srv/web.img",
    "mac": "00:16:3E:11:22:33",
}
#: The environment besides, and what xl says to it.
DHCP = (
    'xl: warning: web.cfg:{line}: dhcp = "dhcp" has no effect: '
    "it was an option of xm's, which xl does not read "
    '(the kernel reads that of its command line: extra = "ip=...")\n'
)
KINDS = {
    "static": ({"ips": "10.0.0.7", "ip1": "10.0.0.7", "bridge": "xenbr0", "dir": "/srv"}, ""),
    "dhcp": ({"dhcp": "1", "bridge": "xenbr0", "dir": "/srv"}, DHCP),
    "dhcp of the whole host": ({"dhcp": "1", "dir": "/srv", "mac": ""}, DHCP),
    "vlan": ({"ips": "10.0.0.7 fe80::7", "bridge": "ovsbr0", "vlan": "4:12:34", "dir": "/srv"}, ""),
    "ide": ({"ips": "10.0.0.7", "dir": "/srv", "ide": "1", "maxmem": "256Mb"}, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_starts(host: Place, kind: str) -> None:
    need(PROGRAM)
    more, warning = KINDS[kind]
    done = subprocess.run(
        [PROGRAM, f"--output={host.top / 'etc'}"],
        env={**host.environment, **COMMON, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    file = host.top / "etc/web.cfg"
    assert (done.returncode, done.stderr) == (0, "")
    lines = file.read_text().splitlines()
    line = next((n for n, text in enumerate(lines, 1) if text.startswith("dhcp")), 0)
    created = host.tool("xl", "create", "-q", "web.cfg")
    assert (created.returncode, created.stderr) == (0, warning.format(line=line)), file.read_text()
    assert host.said("xl", "list").splitlines()[2].split()[0] == "web"
