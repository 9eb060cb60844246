"""What each script does on NetBSD: nodes before, programs called, nodes after, and how it is taken out again.

{B} is the backend, {IF} its interface, {image} a file, {dev} where device nodes are, {D} the domid, of which
{a} is the upper and {b} the lower byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One device.

    Attributes:
        name: of the test.
        nodes: of the backend before.
        calls: between the two that all have: reading nodes, and writing them.
        written: nodes after, besides hotplug-status.
        out: calls of taking it out.
        files: of the world, that have to be there.
        optional: calls that may fail without harm, by their beginnings.
    """

    name: str
    script: str
    nodes: Mapping[str, str]
    calls: tuple[str, ...]
    written: Mapping[str, str] = field(default_factory=dict)
    out: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "vif" if self.script.startswith("vif") else "vbd"


#: Nodes that each has besides.
BASE = {"frontend-id": "{D}", "state": "2", "hotplug-status": ""}
#: What looks whether somebody has a disk; the last of them may fail.
SHARING = (
    "xenstore-list /local/domain/0/backend",
    "xenstore-ls -f /local/domain/0/backend/vbd",
    "mount ",
    "swapctl -l",
)
FILE = "stat -L -f %d:%i {image}"
MAJORS = ("sysctl -n kern.rawpartition", "stat -L -f %Hr {dev}/vnd0d")
SWAPS = "swapctl -l"
MKDIR = "mkdir -p {top}/state"
DISKNAMES = "sysctl -n hw.disknames"
HOLES = "stat -L -f %b %z {image}"
FORWARDING = "sysctl -n net.inet.ip.forwarding"
IQN = "iqn.2001-04.org.example:d1"
BLOCK_DEVICE = "/dev/loop0"

ROWS = (
    Row(
        "a file",
        "block",
        {"params": "{image}", "mode": "w"},
        (FILE, *SHARING, HOLES, MKDIR, DISKNAMES, "vnconfig vnd0 {image}", "stat -L -f %r {dev}/vnd0d"),
        {"vnd": "{dev}/vnd0d", "physical-device": "3587"},
        ("vnconfig -u vnd0",),
        optional=("stat -L -f %b", SWAPS),
    ),
    Row(
        "a file, read only",
        "block",
        {"params": "{image}", "mode": "r"},
        (FILE, *SHARING, HOLES, MKDIR, DISKNAMES, "vnconfig -r vnd0 {image}", "stat -L -f %r {dev}/vnd0d"),
        {"vnd": "{dev}/vnd0d", "physical-device": "3587"},
        ("vnconfig -u vnd0",),
        optional=("stat -L -f %b", SWAPS),
    ),
    Row(
        "a file, the first unit being in use",
        "block",
        {"params": "{image}", "mode": "w!"},
        (HOLES, MKDIR, DISKNAMES, "vnconfig vnd1 {image}", "stat -L -f %r {dev}/vnd1d"),
        {"vnd": "{dev}/vnd1d", "physical-device": "3587"},
        ("vnconfig -u vnd1",),
        files=("disks/vnd0",),
        optional=("stat -L -f %b", SWAPS),
    ),
    Row(
        "a block device",
        "block",
        {"params": BLOCK_DEVICE, "mode": "r"},
        (f"stat -L -f %Hr %Lr {BLOCK_DEVICE}", *MAJORS, *SHARING, f"stat -L -f %r {BLOCK_DEVICE}"),
        {"physical-device": "3587"},
        ("xenstore-read {B}/vnd",),
        optional=("sysctl -n kern.rawpartition", "stat -L -f %Hr /", SWAPS),
    ),
    Row("a drive without a disk", "block", {"params": "", "mode": "r"}, (), {}, ("xenstore-read {B}/vnd",)),
    Row(
        "a target",
        "block-iscsi",
        {"params": f"iqn={IQN},portal=10.0.0.1:3261", "mode": "w"},
        (
            MKDIR,
            "flock 9",
            DISKNAMES,
            f"iscsictl add_target -n {IQN} -a 10.0.0.1 -p 3261",
            "iscsictl login -P 2",
            DISKNAMES,
            "stat -L -f %d:%i {dev}/sd1d",
            *SHARING,
            "stat -L -f %r {dev}/sd1d",
        ),
        {"physical-device": "3587"},
        ("iscsictl logout -I 3", "iscsictl remove_target -I 1"),
        optional=(SWAPS,),
    ),
    Row(
        "an interface on a bridge",
        "vif-bridge",
        {"vifname": "{IF}", "bridge": "bridge0"},
        ("ifconfig {IF} up", "brconfig bridge0 add {IF}"),
    ),
    Row(
        "one with large packets, whose name the kernel has not written",
        "vif-bridge",
        {"bridge": "bridge0", "mtu": "9000"},
        ("ifconfig {IF} mtu 9000 up", "brconfig bridge0 add {IF}"),
    ),
    Row(
        "an interface that is routed to",
        "vif-route",
        {"vifname": "{IF}", "ip": "10.9.0.2 192.0.2.8 198.51.100.0/24"},
        (
            "ifconfig {IF} inet 10.9.0.1/30 up",
            FORWARDING,
            "route -n add -host 192.0.2.8 10.9.0.2",
            "route -n add -net 198.51.100.0/24 10.9.0.2",
        ),
        optional=(FORWARDING,),
    ),
    Row(
        "an interface behind dom0's address",
        "vif-nat",
        {"vifname": "{IF}"},
        ("ifconfig {IF} inet 10.{a}.{b}.1/30 up", FORWARDING, MKDIR, "npfctl table xen add 10.{a}.{b}.2"),
        {},
        ("npfctl table xen rem 10.{a}.{b}.2",),
        optional=(FORWARDING,),
    ),
    Row(
        "one whose address is given",
        "vif-nat",
        {"vifname": "{IF}", "ip": "172.16.5.1/24"},
        ("ifconfig {IF} inet 172.16.5.2/24 up", FORWARDING, MKDIR, "npfctl table xen add 172.16.5.1"),
        {},
        ("npfctl table xen rem 172.16.5.1",),
        optional=(FORWARDING,),
    ),
)
