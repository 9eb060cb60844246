"""How each message of docs/domains.md comes to be printed, on Linux, and how that is mended again.

Begins where the guide ends: its domains are down, its files are there.
"""

from tests.guide.provocations import Provocation

#: Makes /vm/bad of one of the guide's files.
ROUTER = "xl create -q /vm/router name=bad"
WEB = "xl create -q /vm/web name=bad"
KEEP = "xl create -q /vm/keep name=bad"
SHARED = "xl create -q /vm/shared name=bad 'p9=[\"tag=files,path=/vm"
BOX = "xl create -q /vm/box name=bad"
#: What qemu says, the screen of another domain being there.
IN_USE = "-vnc 127.0.0.1:3: Failed to find an available port: Address already in use"
NODE = "/libxl/pci/0000-01-00-0/driver_path"

ALL = (
    Provocation('xl: bootloader = "pygrab"', f"{WEB} bootloader=pygrab"),
    Provocation(
        "xl: the boot loader",
        f"dd if=/dev/zero of=/vm/blank.img bs=1M count=1; {WEB} 'disk=[\"file:/vm/blank.img,xvda,w\"]'",
        "rm /vm/blank.img",
    ),
    Provocation("xl: disk xvda: the boot", f"{WEB} 'disk=[\"/vm/web.img,qcow2,xvda,w\"]'"),
    Provocation(
        "xl: vbd xvda: its device model",
        f"dd if=/dev/zero of=/vm/blank.img bs=1M count=1; {KEEP} 'disk=[\"/vm/blank.img,qcow2,xvda,w\"]'",
        "rm /vm/blank.img",
    ),
    Provocation(
        "xl: the device model of bad",
        f'{KEEP} \'device_model_args=["-sim", "exit=no such option"]\'',
    ),
    Provocation("xl: dm_restrict = 1", f"{KEEP} dm_restrict=1"),
    Provocation(
        "xl: vbd xvdb: a device model",
        "xl create -q /vm/own name=web; xl block-attach web /vm/data.qcow2,qcow2,xvdb,w",
        "xl destroy web",
    ),
    Provocation(
        "xl: the device model of twin",
        f'xl create -q /vm/desk name=twin \'device_model_args=["-sim", "exit={IN_USE}"]\'',
    ),
    Provocation(
        "xl: no VNC viewer is installed",
        "xl create -q /vm/desk; PATH=$(dirname $(command -v xl)) xl vncviewer desk",
        "xl destroy desk",
    ),
    Provocation("xl: p9 0: directory /vm/none", f"{SHARED}/none,security_model=none\"]'"),
    Provocation(
        "xl: p9 0: directory /vm/open/mine",
        f"mkdir -p /vm/open/mine; chmod 777 /vm/open; {SHARED}/open/mine,security_model=none\"]'",
        "rm -r /vm/open",
    ),
    Provocation("xl: pci 0000:01:00.0: it is not assignable", f"{ROUTER} 'pci=[\"01:00.0\"]'"),
    Provocation("xl: pci 0000:02:00.0: dom0's kernel has no way", f"{ROUTER} 'pci=[\"02:00.0,seize=1\"]'"),
    Provocation("xl: pci 0000:07:00.0: this host", f"{ROUTER} 'pci=[\"07:00.0\"]'"),
    Provocation(
        "xl: PCI device 0000:01:00.0 is in router",
        f"xl pci-assignable-add -n lan 01:00.0; xl create -q /vm/router; {ROUTER}",
        "xl destroy router",
    ),
    Provocation(
        "xl: '/vm/evil' is no driver",
        f"xenstore-read {NODE} >/tmp/true; xenstore-write {NODE} /vm/evil; xl pci-assignable-remove -r lan",
        f"xenstore-write {NODE} $(cat /tmp/true); xl pci-assignable-remove -r lan",
    ),
    Provocation("xl: no PCI device has the name 'wan'", "xl pci-assignable-remove wan"),
    Provocation("xl: this host runs no hvm domains", f"{BOX} hap=0"),
    Provocation("xl: firmware /vm/none cannot be read", f"{BOX} bios_path_override=/vm/none"),
    Provocation(
        "xl: box:5: disk = a list",
        "sed 's/hda,w/hda,r/' /vm/box > /tmp/box; cat /tmp/box > /vm/box; xl create -q /vm/box",
        "sed 's/hda,r/hda,w/' /vm/box > /tmp/box; cat /tmp/box > /vm/box",
    ),
    Provocation(
        "xl: box:2: memory = 8",
        "sed 's/1024/8/' /vm/box > /tmp/box; cat /tmp/box > /vm/box; xl create -q /vm/box",
        "sed 's/= 8/= 1024/' /vm/box > /tmp/box; cat /tmp/box > /vm/box",
    ),
)
