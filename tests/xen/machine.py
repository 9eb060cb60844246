"""The machine under the hypervisor: one QEMU, bounded in time, its serial line kept in a file."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.xen.images import Images

#: Without smap dom0 lives (it dies in early boot with it); rdtscp is what a PVH guest cannot have.  With erms
#: and fsrm kernels copy and clear memory by "rep movsb", which the emulator does byte by byte: half as fast.
CPU = "max,-smap,-rdtscp,-erms,-fsrm"
#: Nobody attacks this machine: what real processors need against each other's guests only costs time here.
#: But eager-fpu, which that ends, too, is needed: without it a process finds other bytes in its vector
#: registers now and then (memcpy left such in the store's journal), and programs crash.
XEN_ARGUMENTS = (
    "console=com1 com1=115200,8n1 dom0_max_vcpus=1 loglvl=warning noreboot spec-ctrl=no,eager-fpu=yes xpti=no"
)
LINUX_ARGUMENTS = "console=hvc0 quiet loglevel=4 mitigations=off"
#: The slots of the machine's devices.  Two of the first kind share one interrupt line, and the card has the
#: other: a guest that has the card and does not answer would hold up dom0's files otherwise.
HOST_SLOT, SHARE_SLOT, CARD_SLOT = 2, 6, 3


class Board(NamedTuple):
    """What the machine is built on.

    Attributes:
        kind: QEMU's.
        card: the model of the card for guests.
        more: further arguments of QEMU's.
        xen: further words of Xen's command line.
    """

    kind: str
    card: str
    more: tuple[str, ...] = ()
    xen: str = ""


PLAIN = Board("pc", "e1000")
#: With an IOMMU, and a card whose interrupts are messages.  Xen does without the IOMMU's remapping of these.
#: With credit2, Xen's usual scheduler (4.17.7), one of eleven starts of a domain here left dom0 waiting for
#: ever: its processor was in the queue, with all its credit used up, and both processors slept (Xen's debug
#: keys r and q).  Of nine with the older one none did.
SHIELDED = Board("q35", "e1000e", ("-device", "intel-iommu,intremap=off"), "sched=credit")
#: A network card for guests, at QEMU's own network, whose router is this.
CARD = f"0000:00:{CARD_SLOT:02x}.0"
ROUTER, CARD_ADDRESS = "10.0.2.2", "10.0.2.15"
#: The hypervisor's last words after a panic, which stand in so many last bytes of the serial line.
PANICKED = b"Manual reset required"
TAIL_BYTES = 400
#: What says most about a machine that died, from the end of its serial line.
TAIL_LINES = 25


class Memory(NamedTuple):
    """Of a machine, and of that its dom0's, in MiB."""

    all: int
    dom0: int


#: What scenarios need, and what domains of a GiB and their files do.
USUAL, LARGE = Memory(2048, 768), Memory(4096, 2048)


class Machine:
    """Xen and a dom0, started at once by a command.

    Attributes:
        console: the file with what Xen and dom0's kernel wrote.
    """

    def __init__(self, command: Sequence[str], console: Path) -> None:
        self.console = console
        self._started_s = time.monotonic()
        with console.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started_s

    def alive(self) -> bool:
        """Whether it is on, and the hypervisor has not panicked: then it only waits for somebody's reset."""
        with self.console.open("rb") as console:
            console.seek(-min(console.seek(0, os.SEEK_END), TAIL_BYTES), os.SEEK_END)
            return self._process.poll() is None and PANICKED not in console.read()

    def wait(self, timeout_s: float) -> bool:
        """True when it went off within `timeout_s`."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Off, whatever it is doing; harmless when it is off."""
        self._process.kill()
        self._process.wait()

    def last_lines(self) -> str:
        """The end of the serial line, readable."""
        text = self.console.read_bytes().decode(errors="replace").replace("\r", "").replace("\0", "")
        return "\n".join(text.splitlines()[-TAIL_LINES:])


def command_of(images: Images, share: Path, memory: Memory, board: Board) -> list[str]:
    """QEMU's.  Software emulation always: a host's /dev/kvm need not be able to run a hypervisor."""
    xen_arguments = f"{XEN_ARGUMENTS} dom0_mem={memory.dom0}M {board.xen}"
    modules = f"{images.kernel} {LINUX_ARGUMENTS},{images.dom0}"
    return [
        *("nice", "-n", "5", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU),
        *("-machine", board.kind, *board.more),
        *("-m", str(memory.all), "-smp", "2", "-display", "none", "-vga", "none", "-no-reboot"),
        *("-serial", "stdio", "-monitor", "none"),
        *("-kernel", str(images.xen), "-append", xen_arguments, "-initrd", modules),
        *_shared(images.root, "host", HOST_SLOT, ",readonly=on,multidevs=remap"),
        *_shared(share, "share", SHARE_SLOT),
        *("-netdev", "user,id=card", "-device", f"{board.card},netdev=card,romfile=,addr={CARD_SLOT}"),
    ]


def _shared(folder: Path, tag: str, slot: int, more: str = "") -> list[str]:
    return [
        *("-fsdev", f"local,id={tag},path={folder},security_model=none{more}"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag},addr={slot}"),
    ]
