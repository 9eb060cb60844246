"""What stands in the store of a domain, against what Xen 4.17's xl wrote for the same one, of each type.

The recorded files are what `xenstore-ls -fp` printed there, with a Linux guest running; each difference of
ours is a row with its reason.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from tests.sim.world import World, play

HERE = Path(__file__).parent
LINE = re.compile(r'(/\S*) = "(.*)"   \((.*)\)')
PV = """
name = "d1"
uuid = "6d4155f3-15e9-4224-878a-25d6a84e867c"
kernel = "/domu/vmlinuz"
ramdisk = "/domu/domu.img"
cmdline = "console=hvc0 quiet hold=90"
memory = 160
vif = [ "mac=00:16:3e:01:02:03,bridge=xenbr0" ]
disk = [ "/tmp/d.img,raw,xvda,w" ]
"""
PVH = """
name = "d1"
type = "pvh"
uuid = "68b92935-9ff6-4988-bdd8-db15f03a6bdc"
kernel = "/domu/vmlinuz"
ramdisk = "/domu/domu.img"
memory = 192
"""
#: Recorded with qemu running, before its guest had come to its drivers.
HVM = """
name = "h1"
type = "hvm"
uuid = "ef8dc6d4-ef3a-4a96-850f-7017e893a9fb"
kernel = "/domu/vmlinuz"
ramdisk = "/domu/domu.img"
memory = 256
maxvcpus = 2
vnc = 1
vga = "stdvga"
videoram = 16
serial = "pty"
usbdevice = [ "tablet" ]
boot = "cd"
disk = [ "/tmp/d.img,raw,hda,rw", "/domu/domu.img,raw,hdc,ro,cdrom" ]
vif = [ "mac=00:16:3e:01:02:03,bridge=xenbr0,model=e1000" ]
"""
#: Whose value is another on each host, each run.
VOLATILE = re.compile(
    r"(.*-)?ring-ref|port|event-channel.*|start_time|tty|script|params|kernel|ramdisk|device-model-pid"
)
GONE, OTHER = "only theirs", "another value or permission"
LINUX_DOM0 = "written by their dom0's kernel, which can be told to shut down"
LINUX_SCRIPT = "written by Linux's block script; the world's script writes physical-device alone"
LINUX_GUEST = "written by a newer Linux's netfront"
BACKEND_ID = "theirs can be written by the guest, as no key of a console's should (XSA-57)"
#: Every difference and its reason.
OF_PV = {
    ("/local/domain/0/control", GONE): LINUX_DOM0,
    ("/local/domain/0/control/feature-poweroff", GONE): LINUX_DOM0,
    ("/local/domain/0/control/feature-reboot", GONE): LINUX_DOM0,
    ("/local/domain/0/control/feature-suspend", GONE): LINUX_DOM0,
    ("/local/domain/0/backend/vbd/1/51712/node", GONE): LINUX_SCRIPT,
    ("/local/domain/0/backend/vbd/1/51712/physical-device-path", GONE): LINUX_SCRIPT,
    ("/local/domain/1/device/vif/0/xdp-headroom", GONE): LINUX_GUEST,
    ("/local/domain/1/device/vif/0/multi-queue-num-queues", GONE): LINUX_GUEST,
    ("/local/domain/1/data/hello", GONE): "written by a program of their guest's",
    ("/local/domain/1/console/backend-id", OTHER): BACKEND_ID,
}
OF_PVH = {
    **{key: why for key, why in OF_PV.items() if why == LINUX_DOM0},
    ("/local/domain/1/console/backend-id", OTHER): BACKEND_ID,
}
CD = "a CD drive of a machine has no paravirtual end here, as no guest takes it"
SIMULATED = "written by the simulated device model otherwise than by qemu"
OF_HVM = {
    **{key: why for key, why in OF_PV.items() if why == LINUX_DOM0},
    **{
        (path, GONE): CD
        for path in re.findall(
            r"^(/\S*/(?:5632\S*|qdisk|qdisk/1)) = ", (HERE / "xl-4.17-hvm.txt").read_text(), re.M
        )
    },
    ("/local/domain/0/backend/vbd/1/768/node", GONE): LINUX_SCRIPT,
    ("/local/domain/0/backend/vbd/1/768/physical-device-path", GONE): LINUX_SCRIPT,
    ("/local/domain/0/backend/vkbd/1/0/hotplug-status", GONE): SIMULATED,
    ("/local/domain/0/device-model/1/backends/vfb", "only ours"): SIMULATED,
    ("/local/domain/0/device-model/1/backends/qnic", "only ours"): SIMULATED,
    ("/local/domain/1/console/backend-id", OTHER): BACKEND_ID,
}


def nodes(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Value and permissions of each path; volatile values as "*"."""
    found = {}
    for line in lines:
        match = LINE.fullmatch(line)
        assert match is not None, line
        path, value, perms = match.groups()
        is_volatile = value and VOLATILE.fullmatch(path.rpartition("/")[2])
        found[path] = ("*" if is_volatile else value, perms)
    return found


def ours(config: str) -> list[str]:
    """The lines of our store."""
    lines: list[str] = []

    async def body(world: World) -> None:
        root = world.directory / "root"
        for name in ("domu/vmlinuz", "domu/domu.img", "tmp/d.img"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes((root / "netbsd").read_bytes())
        os.truncate(root / "tmp/d.img", 16 << 20)
        is_paused = config == HVM
        domid = await world.create(config, paused=is_paused)
        if "xvda" in config:
            await world.connected(domid, 51712)
        elif not is_paused:
            await trio.sleep(10)
        for path in await world.paths("/"):
            value = (await world.client.read(path)).decode().replace(str(root), "")
            perms = ",".join(str(perm) for perm in await world.client.get_perms(path))
            lines.append(f'{path} = "{value}"   ({perms})')

    play(body)
    return lines


@pytest.mark.parametrize(
    ("config", "dump", "differences"),
    [(PV, "xl-4.17.txt", OF_PV), (PVH, "xl-4.17-pvh.txt", OF_PVH), (HVM, "xl-4.17-hvm.txt", OF_HVM)],
    ids=["pv", "pvh", "hvm"],
)
def test_the_store_holds_what_xl_writes_with_its_permissions(
    config: str, dump: str, differences: Mapping[tuple[str, str], str]
) -> None:
    theirs, mine = nodes((HERE / dump).read_text().splitlines()), nodes(ours(config))
    found = {}
    for path in theirs | mine:
        if theirs.get(path) != mine.get(path):
            how = "only ours" if path not in theirs else GONE if path not in mine else OTHER
            found[path, how] = (theirs.get(path), mine.get(path))
    assert {key: found[key] for key in found if key not in differences} == {}
    assert found.keys() == differences.keys()
