"""What a configuration says beyond what is usual: bytes that are no UTF-8, relative names, warnings."""

import shutil

import pytest

from tests.sim.world import EXAMPLE, World, play
from xend.errors import XendError
from xenstore.errors import ENOENT

LATIN1 = b"""\xef\xbb\xbf# caf\xe9\r
name = "example"\r
kernel = "k\xe9"\r
memory = 64\r
extra = "caf\xe9"\r
vif = [ 'bridge=br\xe9' ]\r
disk = [ 'file:d\xe9.img,0x0,w', 'vdev=hdc,cdrom' ]\r
"""


def furnish(world: World) -> None:
    """What LATIN1 means, called from /home."""
    home = world.directory / "root/home"
    home.mkdir()
    shutil.copy(world.directory / "root/netbsd", home / "k\udce9")
    for name in ("d\udce9.img", "e\udce9.img", "c\udce9.iso"):
        shutil.copy(world.directory / "root/disk.img", home / name)


async def params(world: World, domid: int, devid: int) -> bytes:
    return await world.client.read(f"/local/domain/0/backend/vbd/{domid}/{devid}/params")


def test_bytes_and_relative_names_are_the_same_in_every_life() -> None:
    """They reach files, nodes and scripts as they were written, after a restart by another xend, too."""

    async def body(world: World) -> None:
        furnish(world)
        top = bytes(world.directory / "root") + b"/home"
        where = {"directory": b"/home"}
        domid = await world.create(LATIN1, **where)  # type: ignore[arg-type]
        await world.call(
            "device.attach", domain="example", kind="vbd", spec=b"file:e\xe9.img,xvdb,w", **where
        )
        await world.call("device.insert", domain="example", device="hdc", target=b"./c\xe9.iso", **where)

        async def is_whole(domid: int) -> bool:
            try:
                disks = [await params(world, domid, devid) for devid in (0, 51728, 5632)]
                bridge = await world.client.read(f"/local/domain/0/backend/vif/{domid}/0/bridge")
            except ENOENT:
                return False
            assert disks == [top + name for name in (b"/d\xe9.img", b"/e\xe9.img", b"/c\xe9.iso")]
            return bridge == b"br\xe9"

        assert await is_whole(domid)
        vm = (await world.client.read(f"/local/domain/{domid}/vm")).decode()
        assert await world.client.read(f"{vm}/image/cmdline") == b"caf\xe9"
        assert await world.client.read(f"{vm}/image/kernel") == b"/home/k\xe9"
        await world.connected(domid)
        await world.kill_xend()
        await world.start_xend()
        await world.call("domain.reboot", domain="example", wait=True)
        await world.until(lambda: is_whole(domid + 1))
        assert (await world.call("domain.config", domain="example"))["domid"] == domid + 1

    play(body)


def test_a_relative_name_without_a_caller_is_refused() -> None:
    async def body(world: World) -> None:
        for where in ({}, {"directory": "home"}):
            with pytest.raises(XendError) as refused:
                await world.create("kernel = 'k'", name="x", **where)
            assert refused.value.message == 'x:1: kernel = "k": expected an absolute path'
        domid = await world.create()
        with pytest.raises(XendError) as refused:
            await world.call("device.attach", domain="example", kind="vbd", spec="file:a,xvdb,w")
        assert refused.value.message.endswith('target "a", expected an absolute path, as it is a file')
        assert domid == 1

    play(body)


def test_warnings_are_in_the_answer_and_in_the_log() -> None:
    async def body(world: World) -> None:
        text = EXAMPLE + "dhcp = 'dhcp'\nmemmory = 3\nacpi = 1\nvif += [ 'brigde=a' ]\n"
        planned = await world.call("domain.create", text=text, name="x", dry_run=True)
        made = await world.call("domain.create", text=text, name="x")
        problems = [[each["problems"] for each in answer["warnings"]] for answer in (planned, made)]
        assert problems[0] == problems[1]
        told = [
            'x:7: dhcp = "dhcp" has no effect: it was an option of xm\'s, which xl does not read',
            'x:8: "memmory" has no effect: there is no such option',
            'x:10: vif "brigde=a": "brigde=" has no effect: there is no such key',
        ]
        assert [each["message"] for each in made["warnings"]] == told
        assert made["warnings"][1]["hint"] == "did you mean memory?"
        assert made["warnings"][1]["problems"][0]["line"] == 8
        for line in told:
            assert any(line in logged for logged in world.logged)
        assert (await world.call("operation.show", operation=made["operation"]))["warnings"] == made[
            "warnings"
        ]

    play(body)


def test_all_that_is_wrong_is_in_the_error() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        for dry_run in (False, True):
            with pytest.raises(XendError) as refused:
                await world.call(
                    "domain.create",
                    text="foo = 1\nusbversion = 4\nmemory = 0\n",
                    name="x",
                    extra=["type=hvm"],
                    dry_run=dry_run,
                )
            told = refused.value.as_map()
            assert [each["option"] for each in told["problems"]] == ["usbversion", "memory"]
            assert [each["option"] for each in told["warnings"]] == ["foo"]
            assert told["message"] == told["problems"][0]["message"]
        assert await world.snapshot() == before

    play(body)
