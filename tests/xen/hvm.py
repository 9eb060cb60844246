"""Fully virtualised domains as Debian's xl makes them, and what the store has of one, made comparable."""

import re

from tests.xen import bios_disk
from tests.xen.dom0 import Dom0
from tests.xen.dump import comparable
from tests.xen.guest import UNTIL

#: Where a domain's disk is, in dom0, and a medium for its CD drive, of which each line says which it is.
DISK, MEDIUM = "/run/{}.img", "/run/{}.cd"
#: What differs from one run to the next besides what differs for every domain.
_VARYING = re.compile(
    r"/(?P<key>device-model-pid|tty|node|physical-device|physical-device-path) = \"[^\"]*\""
)
#: Dom0's processor is the domain's, too: each access to an emulated device waits for dom0's qemu, and to wake
#: another processor takes longer by far than to change to another domain (docs/reference/hvm.md, section 3).
CPU = 1
#: The disk is AHCI's, which the BIOS reads by DMA; the card has no program for the BIOS.
CONFIG = """\
name = "{name}"
type = "hvm"
memory = 256
vcpus = 1
maxvcpus = 2
vnc = 1
vga = "stdvga"
hdtype = "ahci"
boot = "c"
cpus = "{cpu}"
device_model_args_hvm = ["-global", "e1000.romfile="]
on_crash = "destroy"
disk = ["format=raw,vdev=hda,access=rw,target={disk}",
        "format=raw,vdev=hdc,access=ro,devtype=cdrom,target={medium}"]
vif = ["mac=00:16:3e:01:02:21,bridge=xenbr0,model=e1000"]
"""
#: qemu has opened the medium for the paravirtual driver, the last that it does at its start.
_SERVED = "xenstore-read /local/domain/0/backend/qdisk/{}/5632/hotplug-status"


def config(dom0: Dom0, name: str) -> str:
    """The file of one with a disk that starts by itself, a CD, a screen and an emulated card."""
    disk, path = DISK.format(name), f"/run/{name}.cfg"
    text = CONFIG.format(name=name, disk=disk, medium=medium(dom0, name), cpu=CPU)
    told = bios_disk.tell(disk, "quiet xen_emul_unplug=unnecessary")
    dom0.must(f"cp --sparse=always {bios_disk.build()} {disk}\n{told}\ncat >{path} <<'END'\n{text}END")
    return path


def medium(dom0: Dom0, name: str) -> str:
    """A medium whose lines say `name`; where it is, in dom0."""
    path = MEDIUM.format(name)
    dom0.must(f"yes 'this is {name}' 2>/dev/null | head -c 1048576 >{path}")
    return path


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
