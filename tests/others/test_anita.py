"""anita, which installs NetBSD and runs its tests: the command lines with which it starts a domain.

Source: anita's start_xen_domu, xen_args and xen_disk_arg, as of 2026.  The child's end is read as the
domain's, as pexpect does.
"""

import pytest

from tests.manager.place import Place
from tests.manager.terminal import Terminal

KERNEL, WD0, CD = "/n/netbsd-INSTALL_XEN3_DOMU.gz", "/n/wd0.img", "/n/boot.iso"
NAME = "anita-4711"
LINES = {
    "xl pv": [
        "xl", "create", "-c", "/dev/null", "memory=64", f'name="{NAME}"', f'kernel="{KERNEL}"',
        f"disk=['file:{WD0},xvda,w','file:{CD},xvdb,r']",
    ],
    "xl pvh": [
        "xl", "create", "-c", "/dev/null", "memory=64", f'name="{NAME}"', f'kernel="{KERNEL}"', 'type="pvh"',
        f"disk=['file:{WD0},xvda,w']",
    ],
    "xm pv": [
        "xm", "create", "-c", "/dev/null", f"disk=file:{WD0},0x0,w", "memory=64", f"name={NAME}",
        f"kernel={KERNEL}", f"disk=file:{CD},0x1,r",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", LINES)
def test_the_console_is_the_domains_until_its_end(host: Place, kind: str) -> None:
    program, *words = LINES[kind]
    with Terminal([host.program(program), *words], host.environment, host.top) as child:
        child.until(b"Simulated kernel")
        child.until(b"login: ")
        child.type(b"root\r")
        child.until(b"$ ")
        with host.client() as client:
            assert len(client.devices(NAME)) == 1 + (CD in str(words))
        destroy = host.tool(program, "destroy", NAME)
        assert (destroy.returncode, destroy.stderr) == (0, "")
        status, rest = child.end()
        assert status == 0, rest
    assert host.names() == []
