"""config.check: what a host says to a configuration that is not started."""

import os
from pathlib import Path
from typing import Any

import trio

from tests.sim.world import World, play

GOOD = """name = "web"
kernel = "/vmlinuz"
memory = 64
disk = [ 'file:/disk.img,xvda,w' ]
vif = [ 'mac=00:16:3e:00:00:01' ]
"""
#: What is said to the good one with these lines after it: errors and warnings, each by some of its words.
SAID: dict[str, tuple[list[str], list[str]]] = {
    "": ([], []),
    'kernel = "/none"': (["kernel DIR/root/none cannot be read"], []),
    'ramdisk = "/"': (["ramdisk DIR/root/ is a directory"], []),
    'disk = [ "file:/none,xvda,w" ]': (["vbd xvda: disk DIR/root/none cannot be read"], []),
    'disk = [ "file:/disk.img,xvda,w", "file:/disk.img,xvdb,w" ]': (
        ["vbd xvdb: /disk.img is in use: domain web writes to it as xvda"],
        [],
    ),
    'disk = [ "file:/busy.img,xvda,w" ]': (
        [],
        ["vbd xvda: /busy.img is in use: domain up writes to it as xvda"],
    ),
    'disk = [ "file:/busy.img,xvda,w!" ]': ([], []),
    'disk = [ "file:/other.img,xvda,w" ]': (
        [],
        ["disk xvda: /other.img is one of down too, which writes to it as xvda (DIR/down.cfg)"],
    ),
    'disk = [ "file:/other.img,xvda,r" ]': ([], ["is one of down too, which writes to it"]),
    'disk = [ "file:/link.img,xvda,w" ]': ([], ["disk xvda: /link.img is one of down too"]),
    'disk = [ "file:/read.img,xvda,r" ]': ([], []),
    'vif = [ "mac=00:16:3e:00:00:02" ]': (
        [],
        ["mac 00:16:3e:00:00:02 is up's too, which runs as"],
    ),
    'vif = [ "mac=0:16:3E:0:0:3" ]': (
        [],
        ["mac 00:16:3e:00:00:03 is down's too, configured in DIR/down"],
    ),
    'vif = [ "backend=nobody" ]': (
        [],
        ["vif 0: its backend is to be in domain nobody, which does"],
    ),
    'vif = [ "script=nothing" ]': (["nothing"], []),
    'vif = [ "bridge=bridge0" ]': ([], ["vif 0: bridge=bridge0 is one of NetBSD's names"]),
    'disk = [ "phy:/dev/wd0e,xvda,w" ]': (
        ["vbd xvda: disk DIR/root/dev/wd0e cannot be read"],
        ['disk xvda: "/dev/wd0e" is one of NetBSD\'s names'],
    ),
    'disk = [ "phy:/dev/zvol/tank/web,xvda,w" ]': (["disk DIR/root/dev/zvol/tank/web cannot be read"], []),
    'disk = [ "phy:/dev/zvol/dsk/tank/web,xvda,w" ]': (
        ["disk DIR/root/dev/zvol/dsk/tank/web cannot be read"],
        ["is one of NetBSD's names"],
    ),
    "memory = 100000": (["it needs 100000 MiB, the whole host has 4096 MiB"], []),
    "memory = 4000": ([], ["it needs 4000 MiB, 3488 MiB are free now"]),
    'pool = "none"': (['pool = "none": there is no such CPU pool'], []),
    'cpus = "99"': (['cpus = "99": the CPU pool 0 has none of these CPUs'], []),
    'name = "down"': ([], ["DIR/down.cfg describes a domain called down too"]),
    "autorestart = 1": ([], ["web.cfg:6: autorestart = 1 has no effect"]),
    'kernel = "/netbsd"\nextra = "root=/dev/xvda1 console=hvc0"': (
        [],
        ['the command line has "root=/dev/xvda1", but', 'has "console=hvc0", but the kernel is NetBSD\'s'],
    ),
    'kernel = "/netbsd"\ndisk = [ "file:/disk.img,sda1,w" ]': ([], ["disk sda1 is called as a partition"]),
    'kernel = "/netbsd"\nextra = "bootdev=xbd0a"': ([], []),
    'disk = [ "file:/disk.img,0x0,w" ]': ([], ["disk 0x0: the kernel is Linux's, which has no name for"]),
    'extra = "root=xbd0a"': ([], ['the command line has "root=xbd0a", but the kernel is Linux\'s']),
    "vcpus = 0": (["web.cfg:6: vcpus = 0: expected a number from 1 to 128"], []),
    "vcpus = 0\nfoo = 1": (["web.cfg:6: vcpus = 0"], ['web.cfg:7: "foo" has no effect']),
    "vcpus =": (["web.cfg:6: "], []),
}


def furnish(world: World) -> None:
    root = world.directory / "root"
    os.link(root / "netbsd", root / "vmlinuz")
    for name in ("busy", "other", "read"):
        (root / f"{name}.img").write_bytes(bytes(512))
    (root / "link.img").symlink_to("other.img")
    (world.directory / "down.cfg").write_text(
        GOOD.replace('"web"', '"down"').replace("disk.img", "other.img").replace("00:01'", "00:03'")
    )
    (world.directory / "reader").write_text('kernel="/netbsd"\ndisk=["file:/read.img,xvda,r"]\n')
    (world.directory / "broken").write_text("what is this?\n")


async def checked(world: World, text: str) -> dict[str, Any]:
    path = str(world.directory / "web.cfg")
    answer: dict[str, Any] = await world.call("config.check", text=text, name="web.cfg", path=path)
    return answer


def matches(found: list[dict[str, Any]], expected: list[str], directory: Path) -> bool:
    """Whether each holds the words expected, and there are no others."""
    texts = [str(each["message"]).replace(str(directory), "DIR") for each in found]
    return len(texts) == len(expected) and all(
        word in text for word, text in zip(expected, texts, strict=True)
    )


def test_what_is_said() -> None:
    async def body(world: World) -> None:
        furnish(world)
        up = GOOD.replace('"web"', '"up"').replace("disk.img", "busy.img").replace("00:01'", "00:02'")
        await world.create(up)
        await trio.sleep(5)  # until its devices are connected
        before = await world.snapshot()
        for lines, (errors, warnings) in SAID.items():
            answer = await checked(world, f"{GOOD}{lines}\n")
            assert matches(answer["problems"], errors, world.directory), (lines, answer["problems"])
            assert matches(answer["warnings"], warnings, world.directory), (lines, answer["warnings"])
            is_wrong = lines.startswith("vcpus")
            assert (answer["config"] is None, answer["checked"] == "host") == (is_wrong, not is_wrong)
        assert await world.snapshot() == before

        # One that runs has its disks and its memory.
        await world.create(GOOD)
        answer = await checked(world, GOOD.replace("= 64", "= 3500"))
        assert (answer["problems"], answer["warnings"]) == ([], [])

        (world.directory / "down.cfg").chmod(0o666)
        world.directory.chmod(0o777)
        (told,) = (await checked(world, GOOD))["warnings"]
        assert "may be written by others" in told["message"]

    play(body)


def test_on_netbsd() -> None:
    async def body(world: World) -> None:
        furnish(world)
        world.platform = "netbsd"
        await world.kill_xend()
        await world.start_xend()
        with (world.directory / "root/holes.img").open("wb") as file:
            file.truncate(1 << 20)
        answer = await checked(world, GOOD + "disk = ['file:/holes.img,xvda,w']\nvif = ['bridge=xenbr0']\n")
        words = ["disk xvda: /holes.img is sparse, which vnd(4) does not bear", "is one of Linux's names"]
        assert matches(answer["warnings"], words, world.directory), answer["warnings"]
        assert answer["problems"] == []

    play(body)
