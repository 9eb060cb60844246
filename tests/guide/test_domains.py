"""docs/domains.md to its messages, on NetBSD and Linux, on a host as docs/dom0.md made it."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guide.book import DOMAINS, blocks
from tests.guide.domains_provocations import ALL
from tests.guide.following import follow
from tests.guide.host import Host
from tests.guide.linux import Linux
from tests.guide.messages import printed_otherwise
from tests.guide.netbsd import NetBSD
from tests.guide.test_guide import ESCAPE
from tests.manager.terminal import Terminal
from tests.peers.daemons import lacking, need
from tests.peers.debian import XEN_BIN
from tests.starter import Starter

PVGRUB = Path("/usr/lib/grub-xen/grub-i386-xen_pvh.bin")
SECTIONS = ("What must be there", "Installing", "Switching it on")
MENU = b"""set timeout=2
menuentry "a kernel of its own" {
    linux /boot/vmlinuz
}
"""


@pytest.fixture(params=[NetBSD, Linux], ids=["netbsd", "linux"])
def host(request: pytest.FixtureRequest, wheel_file: Path, starter: Starter) -> Iterator[Host]:
    """xend runs on it; its machine has an IOMMU."""
    need(XEN_BIN / "pygrub", Path("/sbin/mke2fs"))
    if not PVGRUB.exists():
        lacking(f"not installed: {PVGRUB} (Debian: grub-xen-host)")
    made: Host = request.param(wheel_file, starter)
    try:
        made.power_on("--iommu")
        for block in blocks(system_of(made)):
            if block.section in SECTIONS:
                made.follow(block)
        furnish(made)
        yield made
    finally:
        made.close()


def system_of(host: Host) -> str:
    return "linux" if isinstance(host, Linux) else "netbsd"


def furnish(host: Host) -> None:
    """A guest's disk with a kernel on it, an image, and what is installed."""
    kernel = "/boot/vmlinuz" if isinstance(host, Linux) else "/netbsd-XEN3_DOMU.gz"
    with tempfile.TemporaryDirectory() as top:
        boot = Path(top, "boot")
        (boot / "grub").mkdir(parents=True)
        (boot / "grub/grub.cfg").write_bytes(MENU)
        (boot / "vmlinuz").write_bytes(host.path(kernel).read_bytes())
        host.path("/vm").mkdir()
        image = host.path("/vm/web.img")
        host.path("/vm/data.qcow2").write_bytes(b"QFI\xfb" + bytes(508))
        for name in ("box.img", "install.iso", "drivers.iso"):
            host.path(f"/vm/{name}").write_bytes(bytes(1 << 20))
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", top, str(image), "1M"], check=True)


def by_the_menu(host: Host, command: str) -> None:
    """pygrub's menu, whose entry Return chooses, and then the guest."""
    with host.terminal(command) as terminal:
        terminal.until(b"a kernel of its own")
        terminal.type(b"\r")
        on_its_console(terminal)


def by_itself(host: Host, command: str) -> None:
    with host.terminal(command) as terminal:
        on_its_console(terminal)


def on_its_console(terminal: Terminal) -> None:
    terminal.until(b" login: ")
    terminal.type(ESCAPE)
    assert terminal.end()[0] == 0


INTERACTIVE = {"xl create -c /vm/web": by_the_menu, "xl create -c /vm/own": by_itself}


def test_the_guide(host: Host) -> None:
    follow(host, blocks(system_of(host), DOMAINS), INTERACTIVE)
    if isinstance(host, Linux):
        wrong = printed_otherwise(host, ALL, DOMAINS)
        assert not wrong, "\n".join(wrong)
