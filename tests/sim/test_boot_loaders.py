"""Domains whose kernel a boot loader finds on their disk: what is shown, what fails, that nothing is left."""

import os
from pathlib import Path

import pytest
import trio

from tests.sim.test_faults import refusal_of, settled
from tests.sim.world import Killed, World, play
from xend.bootloader.run import Tail
from xend.domain.booting import forget_all_files, remove_files
from xend.errors import XendError
from xend.operation.running import Operation


def example(world: World, more: str = "") -> str:
    return f"""
name = "example"
bootloader = "{world.directory}/scripts/pygrub"
bootloader_args = [ "--entry=1", "a b" ]
extra = "single"
memory = 64
vif = [ 'bridge=bridge0' ]
disk = [ 'file:/disk.img,0x0,w!' ]
{more}
"""


async def refusal(world: World, text: str) -> XendError:
    """Why a domain is not made; nothing of its loader is left, either."""
    error = await refusal_of(world, text)
    assert not list(world.directory.glob("xend/bootloader/*"))
    return error


def test_it_boots_what_its_loader_finds_and_so_again_after_a_reboot() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world))
        await world.connected(domid)
        loader = world.loaders.orders[0].loader
        assert (loader.arguments, loader.args) == (("--entry=1", "a b"), "single")
        assert loader.disk == f"{world.directory}/root/disk.img"
        assert world.loaders.orders[0].uid == 2_000_000_000 + domid
        vm = (await world.client.read(f"/local/domain/{domid}/vm")).decode()
        assert await world.client.read(f"{vm}/image/cmdline") == b"root=/dev/xvda single"
        assert not list(world.directory.glob("xend/bootloader/*"))
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        assert len(world.loaders.orders) == 2
        assert await world.names() == ["example"]

    play(body)


def test_its_menu_is_on_the_console_whose_viewer_sees_the_guest_afterwards() -> None:
    async def body(world: World) -> None:
        world.loaders.acts = ["menu"]
        world.soon(world.create, example(world))

        async def has_menu() -> bool:
            return bool(world.loaders.orders) and bool(world.xend.host.consoles.domids)

        await world.until(has_menu)
        (domid,) = world.xend.host.consoles.domids
        tty = await world.client.read(f"/local/domain/{domid}/console/tty")
        assert tty == world.ptys[-1].name.encode()
        viewer = world.xend.host.consoles.attach(domid, 4096)
        assert await viewer.receive() == b"\x1b[HGRUB menu\r\n"
        await viewer.send(b"\r")
        await settled(world)
        await world.connected(domid)
        assert world.loaders.typed == [b"\r"]
        assert await viewer.receive()  # the guest's own words
        assert await world.client.read(f"/local/domain/{domid}/console/tty") == world.ptys[-1].name.encode()
        await world.call("domain.destroy", domain="example")
        while await viewer.receive():
            pass

    play(body)


FAILURES = [
    ("fail", "bad_image", "exited with status 1: it found nothing to boot on", "Unable to find partition"),
    ("die", "bad_image", "was ended by signal 11: it found nothing to boot on", "GRUB menu"),
    ("hang", "no_answer", "waited 120 s for its boot loader", "GRUB menu"),
    ("flood", "bad_image", "printed more than 16 MiB and was killed", None),
    ("lie", "bad_image", 'its kernel "/etc/passwd" is not in the directory that it was given', "GRUB menu"),
    ("link", "bad_image", "its kernel cannot be read", "GRUB menu"),
    ("nothing", "bad_image", "it ended without an error and named no kernel", "GRUB menu"),
    ("shut out", "unsupported", "it cannot be shut in", None),
]


def test_each_failure_is_told_and_leaves_nothing() -> None:
    async def body(world: World) -> None:
        for act, code, message, said in FAILURES:
            world.loaders.acts = [act]
            error = await refusal(world, example(world))
            assert error.code == code
            assert message in error.message, act
            assert said is None or said in error.fields["script_output"], act
            assert error.fields["step"] == "run its boot loader"

    play(body)


REFUSED = [
    ("bootloader='/no/such'", "there is no such program"),
    ("disk=[]", "it has no disk"),
    ("disk=['/disk.img,qcow2,xvda,w']", "cannot read the format qcow2"),
    ("bootloader_user='nobody-of-that-name'", "there is no such user"),
    ("bootloader_user='root'", "expected not root"),
    ("disk=['/none.img,raw,xvda,w']", "cannot be read"),
]


def test_what_cannot_work_is_refused_before_anything_is_done() -> None:
    async def body(world: World) -> None:
        for text, message in REFUSED:
            error = await refusal(world, example(world, text))
            assert message in error.message, text
            assert error.fields["step"] == "check what it needs"
        assert not world.loaders.orders

    play(body)


def test_a_kill_of_xend_while_it_runs_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.loaders.acts = ["hang"]
        world.soon(_created, world)

        async def runs() -> bool:
            return bool(list(world.directory.glob("xend/bootloader/*/files")))

        await world.until(runs)
        await world.kill_xend()
        assert list(world.directory.glob("xend/bootloader/*/files"))
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


async def _created(world: World) -> None:
    with pytest.raises((XendError, trio.Cancelled)):
        await world.create(example(world))


def test_a_kill_of_xend_as_it_builds_what_was_found_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()

        def kill(operation: Operation) -> None:
            if operation.steps[operation.step].key == "build" and operation.state == "running":
                world.on_step = lambda operation: None
                raise Killed

        world.on_step = kill
        world.soon(_created, world)
        await trio.sleep(1)
        assert list(world.directory.glob("xend/bootloader/*/kernel"))
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_the_end_of_what_it_printed_is_quoted_without_what_moves_a_cursor() -> None:
    tail = Tail()
    tail.add(b"\x1b[2J\x1b[1;24rone\r\n\r\n\x1b(Btwo\x07\n" + b"\xff")
    assert tail.text() == "one\ntwo\n\ufffd"
    assert Tail().text() is None
    tail.add("\n\x9b2Jthree\u202e\tfour".encode() + b"x" * 5000)
    said = tail.text()
    assert said is not None
    last = said.splitlines()[-1]
    assert last.startswith("\\x9b2Jthree\\u202e four")
    assert len(last) < 600


def test_a_destroy_while_it_runs_ends_it_at_once_and_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.loaders.acts = ["hang"]
        world.soon(_created, world)

        async def runs() -> bool:
            return bool(list(world.directory.glob("xend/bootloader/*/files")))

        await world.until(runs)
        begun = trio.current_time()
        await world.call("domain.destroy", domain="example")
        assert trio.current_time() - begun < 5
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_words_that_are_no_text_reach_the_guest_as_they_are() -> None:
    async def body(world: World) -> None:
        world.loaders.acts = ["bytes"]
        domid = await world.create(example(world))
        vm = (await world.client.read(f"/local/domain/{domid}/vm")).decode()
        assert await world.client.read(f"{vm}/image/cmdline") == b"x=\xff root=/dev/xvda single"
        await world.connected(domid)
        assert await world.names() == ["example"]

    play(body)


def test_what_lies_deep_in_its_directory_is_removed_too() -> None:
    """On NetBSD a loader writes there until its file system is full: no file system of its own bounds it."""

    async def body(world: World) -> None:
        top = world.directory / "xend/bootloader"
        made_deep(top / "uuid", 1500)
        remove_files(world.xend.host, "uuid")
        assert not (top / "uuid").exists()
        made_deep(top / "uuid", 1500)
        forget_all_files(world.xend.host)
        assert not top.exists()

    play(body)


def made_deep(path: Path, count: int) -> None:
    path.mkdir(parents=True)
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path)
        for _ in range(count):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.fchdir(before)
        os.close(before)
