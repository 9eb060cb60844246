"""Names of the other system: disks and options that Linux knows in a guest that is NetBSD, and the reverse.

Nothing here is an error: what a guest makes of a name is its own matter.  Sources: xbd(4) and boot(8) of
NetBSD, drivers/block/xen-blkfront.c of Linux.
"""

import os.path
import re
from collections.abc import Iterator

from xend.config import DomainConfig
from xend.config.disk import DiskConfig
from xend.config.place import Place, shown
from xend.config.problem import Problem
from xend.device.vbd import VBD
from xend.device.vif import VIF

_NETBSD_KERNEL = re.compile(r"netbsd", re.IGNORECASE)
_LINUX_KERNEL = re.compile(r"vmlinu|bzimage|linux", re.IGNORECASE)
#: Words of a command line that one of them does not know.
_LINUX_WORDS = re.compile(r"root=/dev/\S+|console=(?:hvc|tty|ttyS)\d\S*|(?<![\w.])eth\d+\b")
_NETBSD_WORDS = re.compile(
    r"bootdev=\S+|root=(?:xbd|wd|sd|ld|dk)\d\S*|\b(?:xbd|xennet)\d\S*|console=xencons\b"
)
_PARTITION = re.compile(r"(?:xvd|sd|hd)[a-z]+[0-9]+")
#: Numbers below these stand for no name in Linux (docs/reference/toolstack.md 2.3).
_SMALLEST_NAMED = 0x300
#: Volumes of ZFS are below /dev/zvol in both, in NetBSD in two directories there.
_LINUX_DEVICES = re.compile(
    r"/dev/(?:mapper/.*|(?:xvd|sd|hd|vd)[a-z]+[0-9]*|nvme.*|disk/.*|loop.*|md[0-9]+|md/.*|zvol/(?!r?dsk/).*)"
)
_NETBSD_DEVICES = re.compile(
    r"/dev/(?:r?(?:wd|sd|ld|vnd|cgd|raid|xbd|cd)[0-9]+[a-p]?|r?dk[0-9]+|zvol/r?dsk/.*)"
)
_LINUX_INTERFACE = re.compile(r"(?:xenbr|virbr|ovsbr|br|eth|en[opsx])[0-9].*")
_NETBSD_INTERFACE = re.compile(r"(?:bridge|wm|re|bge|ixg|vioif)[0-9]+")


def guest_warnings(config: DomainConfig, source: str) -> Iterator[Problem]:
    """What the guest's kernel, by its file's name, will not understand."""
    kernel = os.path.basename(config.kernel or "")
    if _NETBSD_KERNEL.search(kernel):
        yield from _of_netbsd_guest(config, source)
    elif _LINUX_KERNEL.search(kernel):
        yield from _of_linux_guest(config, source)


def host_warnings(config: DomainConfig, source: str, platform: str) -> Iterator[Problem]:
    """What dom0, of the system `platform`, will not have."""
    other, devices, interfaces, hint = (
        ("Linux's", _LINUX_DEVICES, _LINUX_INTERFACE, "this dom0 is NetBSD: bridge0, /dev/vnd0d, /dev/wd0e")
        if platform == "netbsd"
        else (
            "NetBSD's",
            _NETBSD_DEVICES,
            _NETBSD_INTERFACE,
            "this dom0 is Linux: xenbr0, /dev/sda1, /dev/vg0/web",
        )
    )
    for disk in config.of_kind(VBD.name):
        if disk.backend == "0" and disk.target and devices.fullmatch(disk.target):
            yield _warning(
                source, "disk", f"disk {disk.name}: {shown(disk.target)} is one of {other} names", hint
            )
    for vif in config.of_kind(VIF.name):
        for key, value in (("bridge", vif.bridge), ("gatewaydev", vif.gatewaydev)):
            if vif.backend == "0" and value and interfaces.fullmatch(value):
                yield _warning(
                    source, VIF.option, f"vif {vif.name}: {key}={value} is one of {other} names", hint
                )


def _of_netbsd_guest(config: DomainConfig, source: str) -> Iterator[Problem]:
    for disk in config.of_kind(VBD.name):
        if _PARTITION.fullmatch(disk.vdev):
            text = f"disk {disk.vdev} is called as a partition, but the kernel is NetBSD's: it has whole ones"
            yield _warning(
                source, "disk", text, "call it 0x0, 0x1 ..., or xvda, xvdb ...: xbd0, xbd1 ... there"
            )
    for word in _LINUX_WORDS.findall(config.command_line):
        text = f"the command line has {shown(word)}, but the kernel is NetBSD's, which does not know it"
        yield _warning(source, "extra", text, "NetBSD's are bootdev=xbd0a, console=xencons, xennet0")


def _of_linux_guest(config: DomainConfig, source: str) -> Iterator[Problem]:
    for disk in config.of_kind(VBD.name):
        if _is_nameless(disk):
            text = f"disk {disk.vdev}: the kernel is Linux's, which has no name for a disk of that number"
            yield _warning(source, "disk", text, "call it xvda, xvdb ...")
    for word in _NETBSD_WORDS.findall(config.command_line):
        text = f"the command line has {shown(word)}, but the kernel is Linux's, which does not know it"
        yield _warning(source, "extra", text, "Linux's are root=/dev/xvda1, console=hvc0, eth0")


def _is_nameless(disk: DiskConfig) -> bool:
    return disk.devid < _SMALLEST_NAMED


def _warning(source: str, option: str, text: str, hint: str) -> Problem:
    return Problem.at(Place(source), text, option=option, hint=hint)
