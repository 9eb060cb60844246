"""The machine under the hypervisor: one QEMU, bounded in time, its serial line kept in a file."""

import re
import subprocess
import time
from pathlib import Path

from tests.xen.images import Images

#: Without smap dom0 lives (it dies in early boot with it); rdtscp is what a PVH guest cannot have.
CPU = "max,-smap,-rdtscp"
#: Nobody attacks this machine: what real processors need against each other's guests only costs time here.
#: But eager-fpu, which that ends, too, is needed: without it a process finds other bytes in its vector
#: registers now and then (memcpy left such in the store's journal), and programs crash.
XEN_ARGUMENTS = (
    "console=com1 com1=115200,8n1 dom0_mem=768M dom0_max_vcpus=1 loglvl=warning noreboot "
    "spec-ctrl=no,eager-fpu=yes xpti=no"
)
LINUX_ARGUMENTS = "console=hvc0 quiet loglevel=4 mitigations=off"
#: What says most about a machine that died, from the end of its serial line.
TAIL_LINES = 25


class Machine:
    """Xen and a dom0, started at once. `share` is the folder that dom0 has as /run/share.

    Attributes:
        console: the file with what Xen and dom0's kernel wrote.
    """

    def __init__(self, images: Images, share: Path, console: Path) -> None:
        self.console = console
        self._started_s = time.monotonic()
        with console.open("wb") as output:
            self._process = subprocess.Popen(
                _command(images, share), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started_s

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout_s: float) -> bool:
        """True when it went off within `timeout_s`."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def await_line(self, pattern: str, timeout_s: float) -> str | None:
        """The first line of the serial line so far or from now on that matches `pattern`; None: there was
        none within `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            for line in self.console.read_bytes().decode(errors="replace").splitlines():
                if re.search(pattern, line):
                    return line
            time.sleep(0.1)
        return None

    def kill(self) -> None:
        """Off, whatever it is doing; harmless when it is off."""
        self._process.kill()
        self._process.wait()

    def last_lines(self) -> str:
        """The end of the serial line, readable."""
        text = self.console.read_bytes().decode(errors="replace").replace("\r", "").replace("\0", "")
        return "\n".join(text.splitlines()[-TAIL_LINES:])


def _command(images: Images, share: Path) -> list[str]:
    """Software emulation always: a host's /dev/kvm need not be able to run a hypervisor."""
    modules = f"{images.kernel} {LINUX_ARGUMENTS},{images.dom0}"
    return [
        *("nice", "-n", "5", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU),
        *("-m", "2048", "-smp", "2", "-display", "none", "-vga", "none", "-nic", "none", "-no-reboot"),
        *("-serial", "stdio", "-monitor", "none"),
        *("-kernel", str(images.xen), "-append", XEN_ARGUMENTS, "-initrd", modules),
        *("-virtfs", _shared(images.root, "host") + ",readonly=on,multidevs=remap"),
        *("-virtfs", _shared(share, "share")),
    ]


def _shared(folder: Path, tag: str) -> str:
    return f"local,path={folder},mount_tag={tag},security_model=none"
