"""Fully virtualised domains, and what the store has of one, made comparable."""

import json
import re
from typing import Any

from tests.xen import bios_disk, manager
from tests.xen.dom0 import Dom0
from tests.xen.dump import comparable
from tests.xen.guest import NO_DEVICES, UNTIL, Domain, Settings, linux

#: Where a domain's disk is, in dom0, and a medium for its CD drive, of which each line says which it is.
DISK, MEDIUM = "/run/{}.img", "/run/{}.cd"
#: What differs from one run to the next besides what differs for every domain.
_VARYING = re.compile(
    r"/(?P<key>device-model-pid|tty|node|physical-device|physical-device-path) = \"[^\"]*\""
)
#: Dom0's processor is the domain's, too: each access to an emulated device waits for dom0's qemu, and to wake
#: another processor takes longer by far than to change to another domain (docs/reference/hvm.md, section 3).
CPU = 1
#: Of one that starts by firmware; its card has no program for the BIOS.
MACHINE: Settings = {
    "type": "hvm",
    **dict.fromkeys(("kernel", "ramdisk", "extra")),
    "memory": 256,
    "vcpus": 1,
    "maxvcpus": 2,
    "vnc": 1,
    "vga": "stdvga",
    "boot": "c",
    "cpus": f"{CPU}",
    "device_model_args_hvm": ["-global", "e1000.romfile="],
}
#: Disks that the BIOS reads by DMA, of which qemu 7.2 unplugs the second.
AHCI: Settings = {"hdtype": "ahci"}
HDA, SDA = "hda", "sda"
#: What a kernel is told that keeps the emulated devices alone, or both kinds.
EMULATED, BOTH = "xen_emul_unplug=never", "xen_emul_unplug=unnecessary"
#: For a guest's shell: which disks it has, and what has its card.
DISKS = "ls /sys/block | grep -v loop"
DRIVER = "basename $(readlink /sys/class/net/eth0/device/driver)"
#: The screen of a BIOS, and of a kernel that has no driver for the card.
TEXT_SIZE = [720, 400]
#: qemu has opened the medium for the paravirtual driver, the last that it does at its start.
_SERVED = "xenstore-read /local/domain/0/backend/qdisk/{}/5632/hotplug-status"


def settings(dom0: Dom0, name: str, vdev: str, address: str, words: str = "") -> Settings:
    """Of one with a disk that starts by itself, a CD, a screen and an emulated card; its kernel is told
    `words`."""
    disk = DISK.format(name)
    told = bios_disk.tell(disk, kernel_words(address, words))
    dom0.must(f"cp --sparse=always {bios_disk.build()} {disk}\n{told}")
    last = int(address.rpartition(".")[2])
    return {
        **MACHINE,
        "disk": [
            f"format=raw,vdev={vdev},access=rw,target={disk}",
            f"format=raw,vdev=hdc,access=ro,devtype=cdrom,target={medium(dom0, name)}",
        ],
        "vif": [f"mac=00:16:3e:01:02:{last:02x},bridge=xenbr0,model=e1000"],
    }


def kernel_words(address: str, words: str = "") -> str:
    """What its kernel is told: its address, and `words`."""
    return f"quiet address={address} {words}".rstrip()


def config(dom0: Dom0, name: str) -> str:
    """The file of one for Debian's xl."""
    path = f"/run/{name}.cfg"
    text = linux(dom0, name, NO_DEVICES, {**settings(dom0, name, HDA, "10.0.0.33", BOTH), **AHCI})
    dom0.must(f"cat >{path} <<'END'\n{text}END")
    return path


def medium(dom0: Dom0, name: str) -> str:
    """A medium whose lines say `name`; where it is, in dom0."""
    path = MEDIUM.format(name)
    dom0.must(f"yes 'this is {name}' 2>/dev/null | head -c 1048576 >{path}")
    return path


def screen(dom0: Dom0, guest: Domain, colours: int, limit_s: int = 120) -> dict[str, Any]:
    """What VNC shows of it, once that has so many colours: see tests.xen.rfb.  The share has it, too."""
    port = dom0.must(f"xenstore-read {guest.home}/console/vnc-port")
    python = f"cd {manager.ROOT} && {manager.BIN}/python"
    picture = f"/run/share/{guest.name}.ppm"
    shown = dom0.must(f"{python} -m tests.xen.rfb {port} {colours} {picture}", limit_s).splitlines()[-1]
    found: dict[str, Any] = json.loads(shown)
    return found


def nodes_of(dom0: Dom0, domid: int) -> list[str]:
    """All that the store has of a domain once qemu serves its CD, comparable, with N for its number."""
    dom0.must(f"{UNTIL}until_done {_SERVED.format(domid)}")
    vm = dom0.must(f"xenstore-read /local/domain/{domid}/vm")
    backend = rf"/local/domain/0/(backend/\w+|device-model)/{domid}"
    own = re.compile(rf"(/local/domain/{domid}|/libxl/{domid}|{vm}|{backend})[/ ]")
    lines = [line for line in dom0.must("xenstore-ls -fp").splitlines() if own.match(line)]
    return sorted(numberless(line, domid) for line in comparable("\n".join(lines)))


def numberless(line: str, domid: int) -> str:
    """N where its number stood: in a path, in permissions, as a value that is a domid; * for what varies."""
    line = re.sub(rf"/{domid}(?=[/ \"])", "/N", line)
    line = re.sub(rf"(?<=[(,][nrbw]){domid}(?=[,)])", "N", line)
    line = re.sub(rf'((?:frontend-id|domid) = "){domid}"', r'\1N"', line)
    return _VARYING.sub(r'/\g<key> = "*"', line)
