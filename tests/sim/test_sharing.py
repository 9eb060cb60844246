"""A disk has one identity, whatever it is called: at every place where one comes into a domain."""

import os
from collections.abc import Awaitable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.sim.test_faults import at, kill, settled
from tests.sim.world import NoDevices, World, play
from xend.disk import Extent, Identity, Use
from xend.domain.sharing import identity_of
from xend.domain.source import device_of_spec
from xend.errors import XendError

pytestmark = pytest.mark.slow

DOMAIN = """
name = "{name}"
kernel = "/netbsd"
memory = 16
disk = [ {disks} ]
"""
#: Names of one file: what a domain that has it is told to have, and what another one asks for.
SPELLINGS = [
    "/vm/data",
    "/vm//data",
    "//vm/data",
    "/vm/./data",
    "/vm/../vm/data",
    "/vm/sub/../data",
    "/vm/hard-link",
    "/vm/link",
    "/vm/link-to-link",
    "/linked/data",
]


class Devices(NoDevices):
    """A host some of whose files are devices: what each is, a test says by its name."""

    def __init__(self) -> None:
        self.uses: list[Use] = []

    def of_path(self, path: str) -> Identity:
        return DEVICES.get(os.path.basename(path)) or super().of_path(path)

    def used_by_dom0(self) -> Iterator[Use]:
        yield from self.uses


def config(name: str, *disks: str) -> str:
    return DOMAIN.format(name=name, disks=", ".join(f"'{disk}'" for disk in disks))


def furnish(world: World) -> None:
    vm = Path(world.directory, "root/vm")
    (vm / "sub").mkdir(parents=True)
    (vm / "data").write_bytes(bytes(512))
    (vm / "other").write_bytes(bytes(512))
    os.link(vm / "data", vm / "hard-link")
    (vm / "link").symlink_to("data")
    (vm / "link-to-link").symlink_to("link")
    (vm.parent / "linked").symlink_to("vm")


def make_nodes(world: World) -> None:
    directory = Path(world.directory, "root/dev")
    directory.mkdir()
    for name in DEVICES:
        (directory / name).touch()


async def refused(call: Awaitable[object], match: str) -> XendError:
    with pytest.raises(XendError, match=match) as caught:
        await call
    assert caught.value.code == "busy"
    return caught.value


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_file_under_any_name_has_one_writer(spelling: str) -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("first", "file:/vm/data,xvdb,w"))
        await world.create(config("second", "file:/vm/other,xvda,w"))
        before = await world.snapshot()
        words = f"vbd xvdc: {spelling} is in use: domain first writes to it as xvdb, target /vm/data"
        for mode in ("w", "r"):
            disk = f"file:{spelling},xvdc,{mode}"
            error = await refused(world.create(config("third", disk)), words)
            assert error.fields["device"] == "vbd xvdc"
            await refused(world.call("device.attach", domain="second", kind="vbd", spec=disk), words)
        assert await world.snapshot() == before
        await world.call("device.attach", domain="second", kind="vbd", spec=f"file:{spelling},xvdc,w!")

    play(body)


@pytest.mark.parametrize("script", ["block", "/scripts/block", "block-own", "/scripts/block-own"])
@pytest.mark.parametrize("spelling", ["/vm/hard-link", "/vm/link"])
def test_one_file_by_whatever_script_has_one_writer(spelling: str, script: str) -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("first", "file:/vm/data,xvdb,w"))
        directory = world.xend.host.settings.script_directory
        (directory / "block-own").write_text("#!/bin/sh\n")
        (directory / "block-own").chmod(0o755)
        own = script.replace("/scripts", str(directory))
        spec = f"script={own},vdev=xvda,access=w,target={spelling}"
        await refused(world.create(config("second", spec)), "domain first writes to it as xvdb")

    play(body)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_configuration_names_it_once(spelling: str) -> None:
    async def body(world: World) -> None:
        furnish(world)
        twice = ("file:/vm/data,xvda,w", f"file:{spelling},xvdb,r")
        words = f"{spelling} is in use: domain twin writes to it as xvda, target /vm/data"
        await refused(world.create(config("twin", *twice)), words)
        assert await world.names() == []
        await world.create(config("twin", f"file:{spelling},xvda,r", "file:/vm/data,xvdb,r"))

    play(body)


def test_a_disc_that_somebody_writes_to_is_not_inserted() -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("first", "file:/vm/data,xvdb,w"))
        await world.create(config("second", "file:/vm/other,xvda,w", ",,hdc,cdrom"))
        await trio.sleep(5)
        for spelling in SPELLINGS:
            await refused(
                world.call("device.insert", domain="second", device="hdc", target=spelling),
                f"{spelling} is in use: domain first writes to it as xvdb, target /vm/data",
            )
        await refused(
            world.call("device.insert", domain="second", device="hdc", target="/vm//other"),
            "/vm//other is in use: domain second writes to it as xvda, target /vm/other",
        )

    play(body)


def test_who_reads_may_share_and_is_told_of_to_who_writes() -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("first", "file:/vm/link,xvdb,r"))
        await world.create(config("second", "file:/vm/hard-link,xvda,r"))
        await refused(
            world.create(config("third", "file:/vm/data,xvda,w")),
            "/vm/data is in use: domain first reads it as xvdb, target /vm/link",
        )
        await world.call("domain.rename", domain="first", name="renamed")
        await refused(
            world.create(config("third", "file:/vm/data,xvda,w")), "domain renamed reads it as xvdb"
        )

    play(body)


def test_a_link_that_is_turned_frees_nothing() -> None:
    """What was opened counts, also after xend was started again; what is asked for is looked up anew."""

    async def body(world: World) -> None:
        furnish(world)
        link = Path(world.directory, "root/vm/link")
        await world.create(config("first", "file:/vm/link,xvdb,w"))
        link.unlink()
        link.symlink_to("other")
        for _ in range(2):
            await refused(
                world.create(config("third", "file:/vm/data,xvda,w")),
                "domain first writes to it as xvdb, target /vm/link",
            )
            await world.create(config("third", "file:/vm/link,xvda,w"))
            await world.call("domain.destroy", domain="third")
            await world.kill_xend()
            await world.start_xend()

    play(body)


def test_a_disc_inserted_again_is_what_its_name_leads_to_now() -> None:
    """The drive was taken out and put in with another file: the one of before is free, also after a kill."""

    async def body(world: World) -> None:
        furnish(world)
        vm = Path(world.directory, "root/vm")
        (vm / "disk").write_bytes(bytes(512))
        await world.create(config("second", "file:/vm/disk,xvda,w", ",,hdc,cdrom"))
        await trio.sleep(5)
        for disc in ("data", "other"):
            (vm / "link").unlink()
            (vm / "link").symlink_to(disc)
            await world.call("device.insert", domain="second", device="hdc", target="/vm/link")
            await trio.sleep(5)
        for _ in range(2):
            await refused(
                world.create(config("third", "file:/vm/other,xvda,w")),
                "domain second reads it as hdc, target /vm/link",
            )
            await world.create(config("third", "file:/vm/data,xvda,w"))
            await world.call("domain.destroy", domain="third")
            await world.kill_xend()
            await world.start_xend()

    play(body)


def test_a_disc_that_cannot_be_inserted_again_leaves_what_was_in() -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("first", "file:/vm/data,xvda,w"))
        await world.create(config("second", "file:/vm/other,hdc:cdrom,r"))
        await trio.sleep(5)
        world.scripts.behaviours["block"] = "fail once"
        with pytest.raises(XendError, match="script"):
            await world.call("device.insert", domain="second", device="hdc", target="/vm/other")
        await refused(world.create(config("third", "file:/vm/other,xvda,w")), "domain second reads it as hdc")

    play(body)


def test_a_disc_that_was_put_back_is_what_its_name_leads_to_now() -> None:
    async def body(world: World) -> None:
        furnish(world)
        link = Path(world.directory, "root/vm/link")
        (link.parent / "disk").write_bytes(bytes(512))
        await world.create(config("second", "file:/vm/disk,xvda,w", ",,hdc,cdrom"))
        await trio.sleep(5)
        await world.call("device.insert", domain="second", device="hdc", target="/vm/link")
        await trio.sleep(5)
        link.unlink()
        link.symlink_to("other")
        (link.parent / "third").write_bytes(bytes(512))
        world.scripts.behaviours["block"] = "fail once"
        with pytest.raises(XendError, match="script"):
            await world.call("device.insert", domain="second", device="hdc", target="/vm/third")
        await world.kill_xend()
        await world.start_xend()
        await refused(world.create(config("third", "file:/vm/other,xvda,w")), "second reads it as hdc")
        await world.create(config("third", "file:/vm/data,xvda,w"))

    play(body)


def test_a_restart_does_not_meet_itself_and_lets_nobody_in() -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("first", "file:/vm/data,xvdb,w"))
        await trio.sleep(5)
        await world.call("domain.reboot", domain="first", wait=True)
        await refused(world.create(config("third", "file:/vm/link,xvda,w")), "domain first writes to")
        await world.call("domain.destroy", domain="first")
        await world.create(config("third", "file:/vm/link,xvda,w"))

    play(body)


def test_a_copy_that_is_kept_lets_its_next_life_have_the_disks() -> None:
    async def body(world: World) -> None:
        furnish(world)
        text = config("first", "file:/vm/data,xvdb,w") + 'on_reboot = "rename-restart"\n'
        await world.create(text)
        await trio.sleep(5)
        await world.call("domain.reboot", domain="first", wait=True)
        await trio.sleep(5)
        assert sorted(await world.names()) == ["first", "first-1"]
        await refused(world.create(config("third", "file:/vm/link,xvda,w")), "domain first writes to")
        await world.call("domain.destroy", domain="first-1")
        await refused(world.create(config("third", "file:/vm/link,xvda,w")), "domain first writes to")

    play(body)


def test_of_two_at_once_one_gets_it() -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("second", "file:/vm/other,xvda,w"))
        world.scripts.behaviours["block"] = "hang"
        results: list[str] = []

        async def attempt(method: str, **params: Any) -> None:
            try:
                await world.call(method, **params)
                results.append("done")
            except XendError as error:
                results.append(error.code)

        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                text = config(name, f"file:/vm/data,xvd{name},w")
                nursery.start_soon(partial(attempt, "domain.create", text=text))
            spec = "file:/vm/link,xvdc,w"
            nursery.start_soon(partial(attempt, "device.attach", domain="second", kind="vbd", spec=spec))
        assert sorted(results) == ["busy", "busy", "script_failed"]
        del world.scripts.behaviours["block"]
        await world.create(config("c", "file:/vm/data,xvda,w"))

    play(body)


@pytest.mark.parametrize("kind", ["device.attach", "device.insert"])
def test_what_did_not_come_is_free(kind: str) -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("second", "file:/vm/other,xvda,w", ",,hdc,cdrom"))
        await trio.sleep(5)
        world.scripts.behaviours["block"] = "fail once"
        call = {
            "device.attach": {"kind": "vbd", "spec": "file:/vm/data,xvdc,w"},
            "device.insert": {"device": "hdc", "target": "/vm/data"},
        }[kind]
        with pytest.raises(XendError, match="script"):
            await world.call(kind, domain="second", **call)
        await world.create(config("third", "file:/vm/data,xvda,w"))

    play(body)


@pytest.mark.parametrize("index", range(4))
def test_xend_killed_while_a_disk_comes(index: int) -> None:
    async def body(world: World) -> None:
        furnish(world)
        await world.create(config("second", "file:/vm/other,xvda,w"))
        world.on_step = at("device.attach", index, kill, domain="second")
        spec = "file:/vm/data,xvdc,w"
        await world.call("device.attach", domain="second", kind="vbd", spec=spec, wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        await world.create(config("third", "file:/vm/data,xvda,w"))
        await refused(
            world.call("device.attach", domain="second", kind="vbd", spec=spec),
            "domain third writes to it as xvda",
        )

    play(body)


DISK = Identity(Extent(("block", "8:0")))
PART_1 = DISK.part(1 << 20, 1 << 30)
PART_2 = DISK.part(1 << 31, 1 << 30)
VOLUME_1 = Identity(Extent(("block", "253:0")), frozenset([PART_1.own]))
VOLUME_2 = Identity(Extent(("block", "253:1")), frozenset([PART_1.own]))
DEVICES = {"sda": DISK, "sda1": PART_1, "sda2": PART_2, "v1": VOLUME_1, "v2": VOLUME_2}
#: What somebody has, what another one wants, and how that is called; None: he gets it.
MEETINGS = [
    ("sda", "sda1", "domain first writes to what it is a part of as xvda, target /dev/sda"),
    ("sda1", "sda", "domain first writes to a part of it as xvda, target /dev/sda1"),
    ("sda1", "sda2", None),
    ("v1", "v2", None),
    ("v1", "sda1", "domain first writes to what lies on it as xvda, target /dev/v1"),
    ("sda1", "v1", "domain first writes to what it lies on as xvda, target /dev/sda1"),
    ("sda", "v2", "domain first writes to what it lies on as xvda, target /dev/sda"),
    ("v1", "sda2", None),
]


@pytest.mark.parametrize(("has", "wants", "why"), MEETINGS)
def test_what_lies_on_another_is_no_other_disk(has: str, wants: str, why: str | None) -> None:
    async def body(world: World) -> None:
        make_nodes(world)
        await world.create(config("first", f"phy:/dev/{has},xvda,w"))
        wanted = config("second", f"phy:{wants},xvdb,w")
        if why is None:
            await world.create(wanted)
        else:
            await refused(world.create(wanted), f"vbd xvdb: /dev/{wants} is in use: {why}")

    play(body, disks=Devices())


#: What dom0 does with /dev/sda1, what a guest wants and in which mode, and why it does not get it.
DOM0 = [
    (True, "sda1", "w", "dom0 has it mounted on /home, as /dev/sda1"),
    (True, "sda1", "r", "dom0 has it mounted on /home, as /dev/sda1"),
    (True, "sda", "w", "dom0 has a part of it mounted on /home, as /dev/sda1"),
    (True, "v1", "w", "dom0 has what it lies on mounted on /home, as /dev/sda1"),
    (False, "sda", "w", "dom0 has a part of it mounted on /home, as /dev/sda1"),
    (False, "sda", "r", None),
    (True, "sda2", "w", None),
    (True, "sda1", "w!", None),
]


@pytest.mark.parametrize(("writes", "wants", "mode", "why"), DOM0)
def test_what_dom0_has_mounted_is_in_use(writes: bool, wants: str, mode: str, why: str | None) -> None:
    disks = Devices()
    disks.uses.append(Use(PART_1, "/dev/sda1", "mounted on /home", writes))

    async def body(world: World) -> None:
        make_nodes(world)
        wanted = config("first", f"phy:{wants},xvda,{mode}")
        if why is None:
            await world.create(wanted)
        else:
            await refused(world.create(wanted), f"vbd xvda: /dev/{wants} is in use: {why}")

    play(body, disks=disks)


#: Two specifications of disks that nobody can look at from here, and whether they are one.
UNSEEN = [
    ("script=block-iscsi,vdev=xvda,target=iqn=iqn.a:1,portal=h1", "iqn=iqn.A:1,lun=0,portal=h2:3260", True),
    ("script=block-iscsi,vdev=xvda,target=iqn=iqn.a:1,portal=h1", "iqn=iqn.a:1,portal=h1,lun=1", False),
    ("script=block-iscsi,vdev=xvda,target=iqn=iqn.a:1,portal=h1", "iqn=iqn.a:2,portal=h1", False),
    ("script=/etc/xen/scripts/block-iscsi,vdev=xvda,target=iqn=iqn.a:1", "iqn=iqn.A:1,lun=00", True),
    ("backend=5,vdev=xvda,target=/dev/vg0/a", "/dev//vg0/./a", True),
    ("backend=5,script=block-own,vdev=xvda,target=r0", "r0", True),
    ("script=block-own,vdev=xvda,target=/no/such", "/no/./such", True),
    ("script=block-own,vdev=xvda,target=/no/such", "/no/others", False),
    ("backend=5,vdev=xvda,target=/dev/vg0/a", "/dev/mapper/vg0-a", False),
]


@pytest.mark.parametrize(("one", "other", "are_one"), UNSEEN)
def test_disks_that_cannot_be_looked_at(one: str, other: str, are_one: bool) -> None:
    async def body(world: World) -> None:
        first = identity_of(world.xend.host, device_of_spec("vbd", one))
        second = identity_of(
            world.xend.host, device_of_spec("vbd", f"{one.partition('target=')[0]}target={other}")
        )
        assert first is not None
        assert second is not None
        assert first.relation(second) == ("same" if are_one else None)
        elsewhere = identity_of(world.xend.host, device_of_spec("vbd", f"backend=6,vdev=xvda,target={other}"))
        assert elsewhere is not None
        assert first.relation(elsewhere) is None

    play(body)
