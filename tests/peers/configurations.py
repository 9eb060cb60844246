"""Configurations that nobody wrote, in thousands: each option alone, pairs of options, and spellings of
devices and lists from a grammar; the same ones in each run."""

import itertools
import random
from collections.abc import Iterator

import attrs

from tests.peers.machines import LINES
from tests.unit.xend.config.test_malformed_text import WRONG
from xend.config.cpuid_names import FIELDS
from xend.config.options import OPTIONS, XM

BASE = 'name = "foo"\nkernel = "/netbsd"\nmemory = 32\nuuid = "039e9ee6-4a84-3055-4c81-8ba426ae2656"\n'
TYPES = ("pv", "pvh")
HVM = "hvm"
#: Of any kind; what an option takes that takes words is there, too.
VALUES = (
    "0", "1", "2", "256", "''", "'x'", "'1'", "'all'", "'default'", "[]", "['x']", "[1]", "[['x']]", "'-1'",
)  # fmt: skip
#: Of one option each.
OWN = {
    "pvshim": ("1",),
    "cpus": ("'0-3,^2'", "'^1'", "'1-'", "'nodes:all'", "['0', '1-2']", "'0,^all'", "'3-1'"),
    "cpus_soft": ("'0-3,^2'", "'all,^5'", "['x']"),
    "irqs": ("[5, '6']", "['0x5']", "['5x']"),
    "ioports": ("['2f8-2ff', 378, '0x60']", "['3f8-']"),
    "iomem": ("['fe000,8', '0xfe000,8@100']", "['fe000']", "['fe000,8x']"),
    "tsc_mode": ("'native'", "3", "4"),
    "memory": ("'64'", "0x40", "0100"),
    "maxmem": ("64", "32"),
    "vcpus": ("4", "'4'"),
    "rtc_timeoffset": ("3600", "'-3600'"),
    "on_crash": ("'preserve'", "'coredump-restart'", "'rename-restart'"),
    "on_soft_reset": ("'soft-reset'", "'destroy'"),
    "altp2m": ("'external'", "3"),
    "vmtrace_buf_kb": ("64",),
    "shadow_memory": ("12",),
    "max_grant_version": ("1", "2"),
    "gfx_passthru": ("'igd'",),
}
#: Those that most files have, together.
USUAL = (
    "vcpus = 2", "maxvcpus = 4", "maxmem = 64", "extra = '-v'", "root = '/dev/xvda'", "ramdisk = '/r'",
    "vnc = 0",
    "localtime = 0", "localtime = 1", "cpu_weight = 512", "cap = 50", "on_reboot = 'destroy'", "pae = 1",
    "disk = [ 'phy:/dev/a,xvda,w' ]", "vif = [ 'mac=00:16:3e:01:02:03,bridge=br0' ]", "serial = 'pty'",
    "vfb = [ ]", "nomigrate = 1", "cpuid = 'host,htt=0'", "vpmu = 1", "dhcp = 'dhcp'", "boot = 'c'",
    "pool = 'Pool-0'", "driver_domain = 1", "rtc_timeoffset = 3600", "tsc_mode = 'native'", "acpi = 1",
)  # fmt: skip

#: What both take, and what both refuse, with what it takes to be looked at.
TOGETHER = (
    "vcpus = 2; cpus = '0-3,^2'", "vcpus = 2; cpus = 1", "vcpus = 2; cpus = [ '0', 1 ]", "cpus = 'nodes:all'",
    "vcpus = 2; cpus_soft = 'all,^5'", "vcpus = 2; cpus = '^1,2'", "vcpus = 1; cpus = '1x'",
    "vcpus = 1; cpus = '3-1'", "vcpus = 1; cpus = '0,^all'", "vcpus = 2; cpus_soft = [ 'x' ]",
    "vcpus = 1; cpus = '^1'", "vcpus = 1; cpus = ','",
    "cmdline = 'a'; extra = 'b'; root = 'c'", "extra = 'b'; cmdline = ''",
    "disk = [ 'file:/a.iso,xvda:cdrom,w' ]", "disk = [ 'rbd:pool/image,raw,xvda,w' ]",
    "disk = [ 'format=raw,vdev=xvda,backendtype=qdisk,target=rbd:pool/image:id=a' ]",
    "disk = [ 'vdev=xvda,target=iscsi://h/iqn/0' ]", "disk = [ 'http://h/a.iso,raw,xvda,r' ]",
    "frob = 1", "frob = [ 'a', [ 'b' ] ]", "vif_other_config = [ ]", "on_shutdown = 'destroy'",
    "arch = 'x86_64'",
    "type = 'pvh'; maxmem = 64", "extra += 'a'", "extra = 'a'; extra += 'b'", "disk += [ 'phy:/a,xvda,w' ]",
    "vif = [ ]; vif += [ '' ]", "memory = 32; memory = 64", "a = ", "a = x", "a = [", "a = 'b", "A = 1",
    "= 1",
    "a = 1 b = 2", "a = 1; b = 2;", "a = [ 'a', ]", "a = [ , ]", "a = 'a' 'b'", "a = 08", "a = 0x", "a = -1",
    "a = 1.5", "a = \"\\x41\\101\\n\"", "a = '\\q'", "# caf\udce9", "extra = 'caf\udce9'",
    "kernel = '/caf\udce9'", "memory = 32 # \udcff\udcfe", "\tmemory = 32", "memory=32\r", "a.b = 1",
    "a-b = 1",
    "disk = [ 'file:/a,xvda,w', 'phy:b,xvdb,r' ]", "vif = [ 'mac=0:16:3e:1:2:3', '', 'bridge=a' ]",
    "vif = [ 'bridge=ovsbr0.4:1234:3456,script=vif-openvswitch' ]",
    "vif = [ 'gatewaydev=a-very-long-interface' ]", "max_grant_frames = 'x'", "max_maptrack_frames = 'x'",
)  # fmt: skip

_TARGETS = ("/dev/vg/a", "/img/a.img", "a", "sd0e", "")
_FORMATS = ("", "empty", "raw", "qcow2", "vhd", "qed", "qcow", "raww")
_VDEVS = ("xvda", "hda", "sdb1", "d0p1", "0x0", "51712", "xvdaa", "xvda0", "ioemu:hda", "hdc:cdrom", "zz")
_ACCESSES = ("", "r", "ro", "w", "rw", "w!", "x")
_WORDS = (
    "cdrom", "devtype=cdrom", "devtype=disk", "backendtype=phy", "backendtype=qdisk", "script=block-x",
    "direct-io-safe", "discard", "no-discard", "backend=0", "backend=net", "frob", "frob=1",
    "specification=xen",
)  # fmt: skip
_PREFIXES = ("phy:", "file:", "tap:aio:", "tap2:qcow2:", "raw:", "vhd:", "iscsi:", "nbd:", "ioemu:", "fiel:")

_VIFS = {
    "mac": (
        "00:16:3e:01:02:03",
        "0:16:3e:1:2:3",
        "00:00:00:00:00:00",
        "00:16:3E:AA:BB:CC",
        "x",
        "00:16:3e:1:2",
    ),
    "bridge": ("xenbr0", "ovsbr0.4:12:34", "a b", ""),
    "gatewaydev": ("eth0",),
    "netdev": ("eth0",),
    "type": ("vif", "ioemu", "netfront", "x"),
    "model": ("e1000", "rtl8139"),
    "vifname": ("vif1.0", "tap@3"),
    "script": ("vif-bridge", "/etc/xen/scripts/vif-route", ""),
    "ip": ("10.0.0.1", "10.0.0.1 10.0.0.2", "10.0.0.0/24", "fe80::1"),
    "backend": ("0", "net", "Domain-0"),
    "rate": (
        "10MB/s",
        "100Mb/s@20ms",
        "1GB/s",
        "8b/s",
        "1KB/s@1s",
        "0MB/s",
        "10",
        "x",
        "10MB/s@1h",
        "10 MB/s",
    ),
    "devid": ("0", "3"),
    "mtu": ("1500", "9000"),
    "vlan": ("5",),
    "frob": ("1",),
}

#: Items of other devices, and what screens are told outside of them.
DEVICES = (
    *(f"vfb = [ '{item}' ]" for item in (
        "", "vnc=1", "vnc=0", "vnc=2", "vnc=1, vncdisplay=3", "vnclisten=1.2.3.4,vncdisplay=7,vncunused=1",
        "vnclisten=1.2.3.4:5", "vnc=1,vncunused=0,vncdisplay=200", "vncpasswd=foo,keymap=de", "vncpasswd=a=b",
        "sdl=1,opengl=1,display=:0,xauthority=/x", "vnc=1,frob=1", "vnclisten=", "vnc=1', 'vnc=0",
        "vnclisten=0.0.0.0:5,vncdisplay=3", "vncdisplay=70000", "vnc=x", "vnc = 1", "keymap=../x",
    )),
    "vfb = [ '' ]; vkb = [ 'backend-type=qemu', 'backend-type=linux,backend=foo' ]",
    "vnc = 1; vkb = [ 'backend-type=qemu' ]", "type = 'pvh'; vfb = [ 'vnc=1' ]", "type = 'pvh'; vnc = 1",
    "vnc = 1; vnclisten = '0.0.0.0'; vncdisplay = 4; vncpasswd = 'x'; vncunused = 0; keymap = 'de'",
    "vnc = 1; sdl = 1; opengl = 1; display = ':0'; xauthority = '/x'", "vnc = 1; vfb = [ '' ]", "vnc = 2",
    "vnc = 1; vnclisten = ''; vncpasswd = ''; keymap = ''", "vnc = 1; vncpasswd = 5",
    "sdl = 1; display = ':0'",
    "type = 'hvm'; vfb = [ 'vnc=1', 'sdl=1' ]", "type = 'hvm'; vnc = 0; vfb = [ 'vnc=1,vncdisplay=3' ]",
    "type = 'hvm'; vfb = [ 'type=vnc,vncunused=1' ]", "type = 'hvm'; vfb = [ 'vncpasswd=x' ]",
    *(f"vkb = [ '{item}' ]" for item in (
        "", "backend-type=qemu", "backend-type=QEMU", "backend-type=x", "backend=3", "frob=1", "devid=3",
        "backend-type=linux,backend=foo,unique-id=a,feature-disable-keyboard=1,feature-disable-pointer=0",
        "backend-type=qemu,feature-abs-pointer=1,feature-raw-pointer=1,width=640,height=480",
        "backend-type=qemu,multi-touch-width=100,multi-touch-height=200,multi-touch-num-contacts=5",
        "backend-type=qemu,feature-multi-touch=1", "backend-type=qemu,unique-id=7,",
        "backend-type=qemu,width=5x",
    )),
    *(f"p9 = [ '{item}' ]" for item in (
        "", "tag=t,path=/tmp,security_model=none", "tag=t,path=/tmp",
        "tag=t,path=/a=b,security_model=mapped,",
        "tag=t, path=/tmp, security_model=none,backend=foo", "tag=t,path=/tmp,security_model=none,backend=0",
        "tag=a/b,path=/tmp,security_model=none", "tag=t,path=/,security_model=frob",
        "tag=t,path=x,security_model=none", "tag=t,path=/,security_model=none,frob=1",
        "tag=t,path=/,security_model=none', 'tag=t,path=/,security_model=none",
    )),
    *(f"channel = [ '{item}' ]" for item in (
        "", "name=a,connection=pty", " connection = pty , name = org.my.agent ",
        "name=a,connection=pty,backend=foo",
        "name=a,connection=socket,path=/run/x", "name=a", "connection=pty", "name=a,connection=socket",
        "name=a,connection=frob", "name=a,connection=pty,path=/x", "name=a,connection=pty,frob=1",
        "name=a,connection=socket,path=x", "foo", "name=,connection=pty",
        "name=a,connection=pty', 'name=b,connection=pty", "name=a,connection=pty', 'name=a,connection=pty",
    )),
    *(f"usbctrl = [ '{item}' ]" for item in (
        "", "type=pv,version=2,ports=8", "type=qusb, version=1,ports=4,", "type=PV", "type=auto", "type=x",
        "type=devicemodel,version=3", "version=3", "ports=99", "ports=x", "frob=1", "', 'type=pv",
    )),
    *(f"usbdev = [ '{item}' ]" for item in (
        "", "hostbus=1,hostaddr=2", "type=hostdev,hostbus=0x1, hostaddr=010", "hostaddr=2", "frob=1",
        "type=foo,hostbus=1,hostaddr=2", "type=hostdev,hostbus=1,hostaddr=2,controller=0",
        "type=hostdev,hostbus=300,hostaddr=2",
    )),
    "usbctrl = [ '' ]; usbdev = [ 'type=hostdev,hostbus=1,hostaddr=2,controller=0,port=3' ]",
)  # fmt: skip


@attrs.frozen
class Case:
    """A configuration; what it is made of.

    Attributes:
        group: "alone", "pair", "together", "disk", "vif", "device", "machine", "text", "cpuid".
        option: that it is about, where it is one.
        text: all of it.
    """

    group: str
    option: str
    text: str

    @property
    def own(self) -> str:
        """What is not the same in all."""
        return self.text.removeprefix(BASE)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _alone()
    yield from _pairs(random.Random(19))
    for specification in _disks(random.Random(20)):
        yield Case("disk", "disk", f"{BASE}disk = [ '{specification}' ]\n")
    for specification in _vifs(random.Random(21)):
        yield Case("vif", "vif", f"{BASE}vif = [ '{specification}' ]\n")
    for word in _cpuid():
        yield Case("cpuid", "cpuid", f"{BASE}cpuid = {word}\n")
    for text in DEVICES:
        yield Case("device", text.partition(" ")[0], f"{BASE}{text}\n")
    for text in LINES:
        yield Case("machine", text.partition("=")[0].strip(), f"{BASE}type = 'hvm'\n{text}\n")
    for text, _ in WRONG:
        yield Case("text", "", f"{BASE}{text}\n")
    for text in TOGETHER:
        yield Case("together", "", f"{BASE}{text}\n")
    for name in XM:
        yield Case("alone", name, f"{BASE}{name} = 'x'\n")


def _alone() -> Iterator[Case]:
    for (name, option), number in zip(OPTIONS.items(), itertools.count()):
        values = VALUES + OWN.get(name, ()) + tuple(f"'{word}'" for word in option.words)
        for value in dict.fromkeys(values):
            # Each on one type of domain, half of them on the other.
            guests = TYPES if name in OWN else TYPES[number % 2 :][:1]
            for guest in (*guests, *((HVM,) if HVM in option.guests else ())):
                yield Case("alone", name, f"{BASE}type = '{guest}'\n{name} = {value}\n")


def _pairs(chance: random.Random) -> Iterator[Case]:
    for first, second in itertools.combinations(USUAL, 2):
        guest = chance.choice((*TYPES, HVM))
        names = [each.partition(" ")[0] for each in (first, second)]
        yield Case("pair", " ".join(names), f"{BASE}type = '{guest}'\n{first}\n{second}\n")


def _disks(chance: random.Random) -> Iterator[str]:
    for _ in range(400):
        parts = [chance.choice(_TARGETS), chance.choice(_FORMATS), chance.choice(_VDEVS[:7])]
        parts += [chance.choice(_ACCESSES), *chance.sample(_WORDS, chance.randrange(3))]
        yield ",".join(parts[: chance.randrange(3, 7)])
    for _ in range(200):
        keys = [f"target={chance.choice(_TARGETS)}"]
        keys = [f"format={chance.choice(_FORMATS)}", f"vdev={chance.choice(_VDEVS)}", *keys]
        keys = [f"access={chance.choice(_ACCESSES)}", *chance.sample(_WORDS, 1), *keys]
        yield ", ".join(keys[chance.randrange(3) :])
    for _ in range(200):
        parts = [chance.choice(_PREFIXES) + chance.choice(_TARGETS), chance.choice(_VDEVS)]
        yield ",".join([*parts, chance.choice(_ACCESSES)])
    for first in (*_WORDS, *(f"format={each}" for each in _FORMATS), "vdev=xvda"):
        for prefix in ("file:", "tap:aio:", "qcow2:", "phy:"):  # as people mix the two
            yield ",".join([first, prefix + "/a", *([] if first == "vdev=xvda" else ["xvda"]), "w"])


def _vifs(chance: random.Random) -> Iterator[str]:
    yield from ("", "trusted", "untrusted", "frob", "bridge=a,bridge=b", " bridge = a ", "bridge=a,")
    for key, values in _VIFS.items():
        yield from (f"{key}={value}" for value in values)
    for _ in range(250):
        keys = chance.sample(list(_VIFS), chance.randrange(2, 5))
        yield ",".join(f"{key}={chance.choice(_VIFS[key])}" for key in keys)


def _cpuid() -> Iterator[str]:
    names = [*FIELDS, "family", "model"]
    for name, value in zip(names, itertools.cycle(("1", "0", "x", "k", "s")), strict=False):
        yield f"'host,{name}={value}'"
    yield from ("'host,family=6'", "'host,family=20'", "'host,model=0x5e'", "'host,stepping=7,nc=3,htt=0'")
    bits = "x" * 31 + "1"
    for text in (f"1:eax={bits}", f"0x7,0:ebx={bits},ecx={bits}", f"0xd,1:eax={bits}"):
        yield f"[ '{text}' ]"
    yield f"[ '1:eax={bits}', '1:ebx={bits}', '7,0:ebx={bits}' ]"
