"""The last guard: no script of a disk puts in what a guest of any toolstack, or dom0, has."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.scripts.conftest import MakeWorld
from tests.scripts.world import World

SYSTEMS = pytest.mark.parametrize("system", ["Linux", "NetBSD"])
#: A guest of another toolstack: domid, and its disk.
OTHER = 7
THEIRS = f"vbd/{OTHER}/51712"
NODES = {"params": "{top}/hard-link", "mode": "w", "dev": "xvda", "state": "4", "online": "1"}


def disk(make_world: MakeWorld, system: str, **nodes: str) -> World:
    world = make_world("vbd", system)
    os.link(world.image, world.top / "hard-link")
    (world.top / "link").symlink_to("hard-link")
    (world.top / "other").write_bytes(bytes(4096))
    world.say({"state": "2", "hotplug-status": "", "params": "{image}", "mode": "w", **nodes})
    world.put_node(f"/local/domain/{OTHER}/name", "theirs")
    world.put_node(f"/local/domain/{OTHER}/vm", "/vm/theirs")
    world.put_node(f"/local/domain/{world.domid}/vm", "/vm/ours")
    return world


def put_in(world: World, **environment: str) -> str:
    """Why it is not put in.  Empty: it was, and has been taken out.  Nothing is left of it."""
    nodes = world.nodes()
    words = ("2", "6") if world.system == "NetBSD" else ("add", "remove")
    done = world.run("block", words[0], **environment)
    said = world.nodes()
    assert said["hotplug-status"] == ("connected" if done.returncode == 0 else "error"), done.stderr
    if done.returncode == 0:
        out = world.run("block", words[1], **environment)
        assert out.returncode == 0, out.stderr
    world.vanish()
    world.say({key: value.replace("{", "{{").replace("}", "}}") for key, value in nodes.items()})
    assert world.left() == {}
    return said.get("hotplug-error", "").removeprefix("block: ")


# --- files ------------------------------------------------------------------------------------------------

#: Our mode, what is otherwise of their nodes (None: not there), whether it is in use.
FILES: list[tuple[str, Mapping[str, str | None], bool]] = [
    ("w", {}, True),
    ("r", {}, True),
    ("w", {"mode": "r"}, True),
    ("r", {"mode": "r"}, False),
    ("w!", {}, False),
    ("r", {"mode": "w!"}, True),
    ("w", {"params": "{top}/link"}, True),
    ("w", {"params": "{top}//image"}, True),
    ("w", {"params": "{top}/state/../image"}, True),
    ("w", {"params": "{top}/other"}, False),
    ("w", {"params": "{top}/gone"}, False),
    ("w", {"params": ""}, False),
    ("w", {"mode": None}, True),
    ("w", {"hotplug-status": "connected"}, True),
    ("w", {"hotplug-status": "error"}, False),
    ("w", {"state": "6", "online": "0"}, False),
    ("w", {"state": "6", "online": "1"}, True),
]


@SYSTEMS
@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize(("mode", "theirs", "in_use"), FILES)
def test_a_file_that_somebody_has(
    make_world: MakeWorld, system: str, mode: str, theirs: Mapping[str, str | None], in_use: bool
) -> None:
    world = disk(make_world, system, mode=mode)
    (world.top / "state").mkdir()
    nodes = {key: value for key, value in (NODES | dict(theirs)).items() if value is not None}
    world.put_beside(THEIRS, nodes)
    how = "reads it" if nodes.get("mode") == "r" else "writes to it"
    target = world.filled(nodes["params"])
    why = f"{world.image} is in use: domain theirs {how} or a part of it as xvda, target {target}"
    assert put_in(world) == (why if in_use else "")


@SYSTEMS
@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("path", ["qdisk/7/51712", "tap/7/51712", "qdisk/0/1"])
def test_another_kind_of_backend(make_world: MakeWorld, system: str, path: str) -> None:
    world = disk(make_world, system)
    world.put_beside(path, {**NODES, "params": "aio:{top}/hard-link"})
    assert "is in use: domain" in put_in(world)
    world.put_beside(path, {"params": "aio:{top}/other"})
    assert put_in(world) == ""


@SYSTEMS
@pytest.mark.usefixtures("loops")
def test_another_disk_of_its_own(make_world: MakeWorld, system: str) -> None:
    world = disk(make_world, system)
    world.put_beside(f"vbd/{world.domid}/1", NODES)
    assert f"is in use: domain with domid {world.domid} writes to it" in put_in(world)


@SYSTEMS
@pytest.mark.usefixtures("loops")
def test_a_domain_and_its_other_half(make_world: MakeWorld, system: str) -> None:
    """The same one under its old domid, and its device model in a domain of its own."""
    world = disk(make_world, system)
    world.put_beside(THEIRS, NODES)
    world.put_node(f"/local/domain/{OTHER}/vm", "/vm/ours")
    assert put_in(world) == ""
    world.put_node(f"/local/domain/{OTHER}/vm", "/vm/theirs")
    world.put_node(f"/local/domain/{OTHER}/target", str(world.domid))
    assert put_in(world) == ""
    world.put_node(f"/local/domain/{OTHER}/target", "99")
    assert "is in use" in put_in(world)


@SYSTEMS
@pytest.mark.usefixtures("loops")
def test_a_name_that_is_odd(make_world: MakeWorld, system: str) -> None:
    world = disk(make_world, system)
    odd = world.top / 'odd \\x41 "name" = $HOME * ä'
    os.link(world.image, odd)
    world.put_beside(THEIRS, {**NODES, "params": str(odd).replace("{", "{{")})
    assert put_in(world).endswith(f"as xvda, target {odd}")


# --- images -----------------------------------------------------------------------------------------------


def qcow2(backing: bytes, offset: int = 104, version: int = 3) -> bytes:
    head = b"QFI\xfb" + version.to_bytes(4) + offset.to_bytes(8) + len(backing).to_bytes(4)
    return head.ljust(offset, b"\0") + backing if offset < 4096 else head


def qed(backing: bytes) -> bytes:
    head = bytearray(64)
    head[:4] = b"QED\0"
    head[16] = 1
    head[56:60] = (64).to_bytes(4, "little")
    head[60:64] = len(backing).to_bytes(4, "little")
    return bytes(head) + backing


def vhd(backing: str) -> bytes:
    head = bytearray(512 + 1024)
    head[:8] = b"conectix"
    head[16:24] = (512).to_bytes(8)
    head[60:64] = (4).to_bytes(4)
    name = backing.encode("utf-16-be")
    head[512 + 64 : 512 + 64 + len(name)] = name
    return bytes(head)


IMAGES = [
    ("qcow2", qcow2(b"image"), True),
    ("qcow", qcow2(b"image", 48, 1), True),
    ("qcow2", qcow2(b"file:image"), True),
    ("qcow2", qcow2(b"middle"), True),
    ("qed", qed(b"image"), True),
    ("vhd", vhd("image"), True),
    # What a guest writes into its raw disk is no header.
    ("raw", qcow2(b"image"), False),
    ("aio", qcow2(b"image"), False),
    ("qcow2", qcow2(b"other"), False),
    ("qcow2", qcow2(b"overlay"), False),
    ("qcow2", qcow2(b"json:{}"), False),
    ("qcow2", qcow2(b"image", 1 << 62), False),
    ("qcow2", qcow2(b"x" * 1024), False),
    ("qcow2", qcow2(b""), False),
    ("qcow2", b"QFI\xfb", False),
    ("qcow2", b"", False),
    ("qed", qed(b"image")[:60], False),
    ("vhd", vhd("image")[:64], False),
]


@SYSTEMS
@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize(("form", "header", "in_use"), IMAGES)
def test_an_image_and_the_file_that_backs_it(
    make_world: MakeWorld, system: str, form: str, header: bytes, in_use: bool
) -> None:
    world = disk(make_world, system)
    (world.top / "overlay").write_bytes(header)
    (world.top / "middle").write_bytes(qcow2(b"hard-link"))
    path = f"qdisk/{OTHER}/51712"
    world.put_beside(path, {**NODES, "params": f"{form}:{{top}}/overlay"})
    why = put_in(world)
    assert ("domain theirs reads it or a part of it as xvda" in why) == in_use, why
    world.say({"mode": "r"})
    assert put_in(world) == "", "an overlay only reads what backs it"


# --- devices of Linux -------------------------------------------------------------------------------------


@pytest.fixture
def nodes(loops: None) -> Iterator[list[str]]:
    """Three block devices without files: paths."""
    found = []
    for minor in (90, 91, 92):
        path = f"/dev/xend-test-{os.getpid()}-{minor}"
        os.mknod(path, 0o60600, os.makedev(7, minor))
        found.append(path)
    yield found
    for path in found:
        os.unlink(path)


def sysfs(top: Path, devices: Mapping[str, tuple[str, list[str]]]) -> None:
    """MAJOR:MINOR: path of the device, and paths of those it lies on."""
    for number, (path, lower) in devices.items():
        directory = top / "devices" / path
        (directory / "slaves").mkdir(parents=True, exist_ok=True)
        (directory / "dev").write_text(f"{number}\n")
        if "/" in path:
            (directory / "partition").write_text("1\n")
        for other in lower:
            (directory / "slaves" / Path(other).name).symlink_to(top / "devices" / other)
        link = top / "dev/block" / number
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(directory)


#: The devices 7:90, 7:91, 7:92, and whether the first two meet.
STACKS: list[tuple[list[tuple[str, list[str]]], bool]] = [
    ([("sda", []), ("sdb", []), ("sdc", [])], False),
    ([("sda", []), ("sda/sda1", []), ("sdc", [])], True),
    ([("sda/sda1", []), ("sda/sda2", []), ("sda", [])], False),
    ([("dm-0", ["sda"]), ("sda", []), ("sdc", [])], True),
    ([("dm-0", ["sda/sda1"]), ("sda", []), ("sda/sda1", [])], True),
    ([("dm-0", ["sda"]), ("dm-1", ["sda"]), ("sda", [])], False),
    ([("dm-1", ["dm-0"]), ("sda", []), ("dm-0", ["sda"])], True),
]


@pytest.mark.parametrize(("stack", "in_use"), STACKS)
@pytest.mark.parametrize("swapped", [False, True])
def test_devices_that_lie_on_each_other(
    make_world: MakeWorld,
    nodes: list[str],
    stack: list[tuple[str, list[str]]],
    in_use: bool,
    swapped: bool,
) -> None:
    ours, theirs, _ = nodes
    numbers = ["7:90", "7:91", "7:92"]
    if swapped:
        ours, theirs = theirs, ours
    world = disk(make_world, "Linux", params=ours)
    sysfs(world.top / "sys", dict(zip(numbers, stack, strict=True)))
    minor = 91 - swapped
    for known in ({"physical-device": f"7:{minor:x}"}, {"params": theirs}):
        world.put_beside(THEIRS, {"params": "", "mode": "w", "dev": "xvda", "physical-device": "", **known})
        why = put_in(world, XEN_HOTPLUG_SYS=str(world.top / "sys"))
        assert ("is in use: domain theirs writes to it" in why) == in_use, why


@pytest.mark.parametrize(
    ("line", "mode", "why"),
    [
        ("7:90 / /home rw - ext4 {path} rw", "w", "mounted on /home, as {path}"),
        ("7:90 / /home rw shared:1 - ext4 {path} rw", "r", "mounted on /home, as {path}"),
        ("7:90 / /home ro - iso9660 {path} ro", "r", ""),
        ("7:90 / /home ro - iso9660 {path} ro", "w", "mounted on /home, as {path}"),
        ("7:91 / /home rw - ext4 /dev/sda1 rw", "w", "mounted on /home, as /dev/sda1"),
        ("0:44 / /pool rw - btrfs {path} rw", "w", "mounted on /pool, as {path}"),
        ("0:45 / /proc rw - proc proc rw", "w", ""),
        ("7:92 / /home rw - ext4 /dev/sdb rw", "w", ""),
    ],
)
def test_what_dom0_has_mounted(
    make_world: MakeWorld, nodes: list[str], line: str, mode: str, why: str
) -> None:
    world = disk(make_world, "Linux", params=nodes[0], mode=mode)
    sysfs(world.top / "sys", {"7:90": ("sda", []), "7:91": ("sda/sda1", []), "7:92": ("sdb", [])})
    world.put("proc/self/mountinfo", f"22 1 {line.format(path=nodes[0])}\n")
    world.put("proc/swaps", f"Filename\n{nodes[2]} partition 1 0 -2\n")
    places = {"XEN_HOTPLUG_SYS": str(world.top / "sys"), "XEN_HOTPLUG_PROC": str(world.top / "proc")}
    expected = f"{nodes[0]} is in use: dom0 has it or a part of it {why.format(path=nodes[0])}" if why else ""
    assert put_in(world, **places) == expected
    world.say({"params": nodes[2], "mode": "r"})
    if "7:92" not in line:
        assert "in use for swapping" in put_in(world, **places)


def test_a_loop_device_over_the_file(make_world: MakeWorld, loops: None) -> None:
    """Whose file was renamed since, so that only the kernel knows; and one that lies on such a device."""
    world = disk(make_world, "Linux")
    show = ["losetup", "--find", "--show"]
    device = subprocess.run([*show, world.image], check=True, capture_output=True, text=True).stdout.strip()
    try:
        os.rename(world.image, world.top / "renamed")
        shutil.copy(world.top / "other", world.image)
        world.say({"params": str(world.top / "renamed")})
        minor = os.minor(os.stat(device).st_rdev)
        for theirs in ({"params": device}, {"params": str(world.image), "physical-device": f"7:{minor:x}"}):
            world.put_beside(THEIRS, {"mode": "w", "dev": "xvda", "physical-device": "", **theirs})
            assert "is in use: domain theirs writes to it" in put_in(world)
        world.put_beside(THEIRS, {"params": "{top}/renamed", "physical-device": ""})
        world.say({"params": device})
        assert "is in use: domain theirs writes to it" in put_in(world)
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


# --- devices of NetBSD ------------------------------------------------------------------------------------

#: Ours and theirs, and whether they meet.
NETBSD = [
    ("wd0e", "wd0e", True),
    ("wd0e", "wd0f", False),
    ("wd0e", "wd0d", True),
    ("wd0d", "wd0e", True),
    ("wd0e", "wd0c", True),
    ("wd0e", "wd1d", False),
    ("dk1", "wd1d", True),
    ("wd1d", "dk1", True),
    ("dk1", "dk2", False),
    ("dk1", "wd0d", False),
    ("vg0-a", "wd0e", True),
    ("wd0d", "vg0-a", True),
    ("vg0-a", "vg0-b", False),
    ("vg0-b", "dk1", True),
    ("vg0-b", "wd1d", True),
    ("vnd0d", "image", True),
    ("image", "vnd0a", True),
    ("vnd0a", "vnd0d", True),
    ("vnd1d", "image", False),
]
MINORS = {
    "wd0e": "0 4", "wd0f": "0 5", "wd0d": "0 3", "wd0c": "0 2", "wd1d": "0 11", "dk0": "168 0",
    "dk1": "168 1", "dk2": "168 2", "vg0-a": "169 0", "vg0-b": "169 1", "vnd0d": "14 3", "vnd0a": "14 0",
    "vnd1d": "14 11",
}  # fmt: skip


@pytest.fixture
def netbsd(make_world: MakeWorld, nodes: list[str]) -> World:
    world = disk(make_world, "NetBSD")
    for name, numbers in MINORS.items():
        directory = world.dev / ("mapper" if name.startswith("vg0") else "")
        directory.mkdir(exist_ok=True)
        (directory / name).unlink(missing_ok=True)
        (directory / name).symlink_to(nodes[0])
        world.put(f"nodes/{name}", f"{numbers}\n")
    for unit in (1, 2):
        world.put(f"wedges/dk{unit}", f"dk{unit} at wd1: name\ndk{unit}: 100 blocks at 34, type: ffs\n")
    world.put("volumes/0", "1 dependencies\t: (0, 4)\n")
    world.put("volumes/1", "1 dependencies\t: (168, 1)\n")
    inode = world.image.stat().st_ino
    world.put("files/vnd0", f"vnd0: {world.top} (/dev/wd0a) inode {inode}\n")
    world.put("files/vnd1", "vnd1: not in use\n")
    return world


def place(world: World, name: str) -> str:
    """The path of something by its name."""
    if name == "image":
        return str(world.image)
    return f"mapper/{name}" if name.startswith("vg0") else name


@pytest.mark.parametrize(("ours", "theirs", "in_use"), NETBSD)
def test_devices_of_netbsd(netbsd: World, ours: str, theirs: str, in_use: bool) -> None:
    netbsd.say({"params": place(netbsd, ours)})
    netbsd.put_beside(THEIRS, {**NODES, "params": place(netbsd, theirs)})
    why = put_in(netbsd)
    assert ("is in use: domain theirs writes to it" in why) == in_use, why


def test_a_number_that_a_netbsd_backend_has(netbsd: World) -> None:
    """Where the path of another toolstack's script means nothing here."""
    netbsd.say({"params": "wd0e"})
    for number, in_use in (("4", True), ("3", True), ("5", False)):
        netbsd.put_beside(THEIRS, {**NODES, "params": "iqn.x", "physical-device": number})
        assert ("is in use" in put_in(netbsd)) == in_use, number


@pytest.mark.parametrize(
    ("mounted", "mode", "why"),
    [
        ("{dev}/wd0e on /home type ffs (local)", "w", "mounted on /home, as {dev}/wd0e"),
        ("{dev}/wd0d on /home type ffs (local)", "r", "mounted on /home, as {dev}/wd0d"),
        ("{dev}/wd0e on /home type ffs (local, read-only)", "r", ""),
        ("{dev}/wd0e on /home type ffs (local, read-only)", "w", "mounted on /home, as {dev}/wd0e"),
        ("{dev}/wd0f on /home type ffs (local)", "w", ""),
        ("kernfs on /kern type kernfs (local)", "w", ""),
    ],
)
def test_what_a_netbsd_dom0_has_mounted(netbsd: World, mounted: str, mode: str, why: str) -> None:
    netbsd.say({"params": "wd0e", "mode": mode})
    netbsd.put("mounted", netbsd.filled(mounted) + "\n")
    expected = f"{netbsd.dev}/wd0e is in use: dom0 has it or a part of it {netbsd.filled(why)}" if why else ""
    assert put_in(netbsd) == expected


def test_what_a_netbsd_dom0_swaps_to(netbsd: World) -> None:
    netbsd.say({"params": "wd0e", "mode": "r"})
    netbsd.put("swapped", f"Device 1K-blocks\n{netbsd.dev}/wd0e 524288 0 524288 0% 0\n")
    assert put_in(netbsd).endswith(f"in use for swapping, as {netbsd.dev}/wd0e")
