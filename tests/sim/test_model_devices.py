"""Screens, keyboards, shared directories, channels: nodes of both ends, as libxl writes them, and checks."""

from pathlib import Path
from typing import Any

import pytest

from tests.sim.test_faults import refusal_of, settled
from tests.sim.world import World, play
from xenclient.store.perms import Perm
from xend.errors import XendError

BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'
SOCKET = "/run/ch.sock"


def shared(world: World) -> Path:
    """A directory that is there to be shared."""
    path = world.directory / "root/shared"
    path.mkdir(exist_ok=True)
    return path


async def nodes(world: World, directory: str) -> dict[str, str]:
    names = await world.client.directory(directory)
    return {name: (await world.client.read(f"{directory}/{name}")).decode() for name in names}


async def both(world: World, domid: int, kind: str, devid: int) -> tuple[dict[str, str], dict[str, str]]:
    """The nodes of both ends as the toolstack wrote them, without the states."""
    own = await nodes(world, f"/libxl/{domid}/device/{kind}/{devid}")
    front = await nodes(world, own["frontend"])
    return front, {key: value for key, value in own.items() if key not in ("frontend", "backend", "state")}


async def connected(world: World, domid: int, kind: str, devid: int) -> None:
    async def are() -> bool:
        front = await world.client.read(f"/local/domain/{domid}/device/{kind}/{devid}/state")
        return (await world.backend_state(domid, kind, devid), front) == (b"4", b"4")

    await world.until(are)


def test_a_screen_and_its_keyboard() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        spec = "vnc=1,vnclisten=127.0.0.1,vncdisplay=3,vncpasswd=s3cr3t,keymap=en-us"
        domid = await world.create(f"{BARE}vfb = ['{spec}']\n")
        for kind in ("vfb", "vkbd"):
            await connected(world, domid, kind, 0)
        front, back = await both(world, domid, "vfb", 0)
        assert set(front) == {
            "backend", "backend-id", "state", "page-ref", "event-channel", "protocol", "feature-update",
        }  # fmt: skip
        assert back == {
            "frontend-id": str(domid), "online": "1", "vnc": "1", "vnclisten": "127.0.0.1",
            "vncpasswd": "s3cr3t", "vncdisplay": "3", "vncunused": "1", "sdl": "0", "opengl": "0",
        }  # fmt: skip
        _, back = await both(world, domid, "vkbd", 0)
        assert back == {"frontend-id": str(domid), "online": "1"}
        (model,) = world.models.running()
        assert "s3cr3t" not in " ".join(model.order.argv)
        for word in ("127.0.0.1:3", "-k"):
            assert any(word in each for each in model.order.argv), word
        screen = await world.call("screen.show", domain="bare")
        assert screen == {"address": "127.0.0.1", "port": 5903, "password": "s3cr3t"}
        listed = await world.call("device.list", domain="bare")
        assert [each["name"] for each in listed] == ["vfb 0", "vkb 0"]
        assert "s3cr3t" not in repr(listed)
        await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_who_may_only_read_learns_no_password() -> None:
    async def body(world: World) -> None:
        await world.create(f"{BARE}vnc = 1\nvncpasswd = 's3cr3t'\n")
        for method in ("domain.config", "screen.show", "device.list", "domain.list"):
            given = {} if method == "domain.list" else {"domain": "bare"}
            assert "s3cr3t" not in repr(await world.call_with("read", method, **given)), method
        assert "s3cr3t" in repr(await world.call("domain.config", domain="bare"))

    play(body)


def test_a_shared_directory() -> None:
    async def body(world: World) -> None:
        path = shared(world)
        domid = await world.create(f"{BARE}p9 = ['tag=host,path=/shared,security_model=none']\n")
        await connected(world, domid, "9pfs", 0)
        front, back = await both(world, domid, "9pfs", 0)
        assert front["tag"] == "host"
        assert back == {
            "frontend-id": str(domid), "online": "1", "path": str(path), "security_model": "none",
        }  # fmt: skip
        (listed,) = await world.call("device.list", domain="bare", kind="p9")
        assert listed["name"] == "p9 0"
        assert listed["backend_path"] == f"/local/domain/0/backend/9pfs/{domid}/0"

    play(body)


def test_channels_are_numbered_from_1() -> None:
    async def body(world: World) -> None:
        (world.directory / "root/run").mkdir()
        path = f"{world.directory}/root{SOCKET}"
        items = f"'name=org.a,connection=pty', 'name=b,connection=socket,path={path}'"
        domid = await world.create(f"{BARE}channel = [{items}]\n")
        for devid in (1, 2):
            await connected(world, domid, "console", devid)
        front, back = await both(world, domid, "console", 1)
        assert {key: front[key] for key in ("protocol", "name", "limit", "type", "output")} == {
            "protocol": "vt100", "name": "org.a", "limit": "1048576", "type": "ioemu", "output": "pty",
        }  # fmt: skip
        assert back == {
            "frontend-id": str(domid), "online": "1", "protocol": "vt100", "name": "org.a",
            "connection": "pty",
        }  # fmt: skip
        front, back = await both(world, domid, "console", 2)
        assert (front["output"], back["connection"], back["path"]) == (
            "chardev:libxl-channel2",
            "socket",
            path,
        )
        read_only = f"/local/domain/{domid}/device/console/1/name"
        assert await world.client.get_perms(read_only) == (Perm("n", 0), Perm("r", domid))
        (model,) = world.models.running()
        argv = list(model.order.argv)
        assert [argv[at + 1] for at, word in enumerate(argv) if word == "-chardev"][-2:] == [
            "pty,id=libxl-channel1",
            f"socket,id=libxl-channel2,path={path},server=on,wait=off",
        ]
        listed = await world.call("device.list", domain="bare", kind="channel")
        assert [(each["devid"], each["name"]) for each in listed] == [(1, "channel org.a"), (2, "channel b")]
        told = await world.call("device.explain", domain="bare", device="channel org.a")
        assert told["live"]["backend"]["connection"] == "pty"

    play(body)


async def prepared(world: World) -> None:
    root = world.directory / "root"
    (root / "file").write_text("")
    (root / "open").mkdir()
    (root / "open").chmod(0o777)
    (root / "open/mine").mkdir()


REFUSED = [
    ("p9 = ['tag=t,path=/missing,security_model=none']",
     "p9 0: directory {root}/missing cannot be shared: No such file or directory"),
    ("p9 = ['tag=t,path=/file,security_model=none']", "p9 0: {root}/file is no directory"),
    ("p9 = ['tag=t,path=/open/mine,security_model=none']",
     "p9 0: directory {root}/open/mine cannot be shared: {root}/open: belongs to "),
    ("channel = ['name=a,connection=socket,path={root}/file']",
     "channel a: no socket can be made at {root}/file: something else is there"),
    ("channel = ['name=a,connection=socket,path={root}/no/sock']",
     "channel a: no socket can be made at {root}/no/sock: No such file or directory"),
    ("channel = ['name=a,connection=socket,path={root}/open/sock']",
     "channel a: no socket can be made at {root}/open/sock: {root}/open: belongs to "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_paths_that_the_device_model_must_not_open(text: str, expected: str) -> None:
    async def body(world: World) -> None:
        await prepared(world)
        root = str(world.directory / "root")
        error = await refusal_of(world, BARE + text.replace("{root}", root) + "\n")
        assert error.code == "bad_config"
        assert str(error).startswith(expected.replace("{root}", root))

    play(body)


def test_a_keyboard_comes_and_goes() -> None:
    async def body(world: World) -> None:
        domid = await world.create(f"{BARE}vfb = ['vnc=1']\ndm_restrict = 0\n")
        await connected(world, domid, "vkbd", 0)
        before = await world.snapshot()
        given: dict[str, Any] = {"domain": "bare", "kind": "vkb"}
        answer = await world.call(
            "device.attach", **given, spec=["backend-type=qemu", "unique-id=7", "feature-abs-pointer=1"]
        )
        assert (answer["device"], answer["devid"]) == ("vkb 1", 1)
        _, back = await both(world, domid, "vkbd", 1)
        assert back == {
            "frontend-id": str(domid), "online": "1", "unique-id": "7", "feature-abs-pointer": "1",
        }  # fmt: skip
        await connected(world, domid, "vkbd", 1)
        await world.call("device.detach", **given, device="vkb 1")
        assert await world.snapshot() == before

    play(body)


def test_a_keyboard_without_a_device_model_is_refused() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        with pytest.raises(XendError) as caught:
            await world.call("device.attach", domain="bare", kind="vkb", spec="backend-type=qemu")
        assert caught.value.code == "unsupported"
        assert "a device model (qemu) is to serve it" in caught.value.message

    play(body)


def test_a_screen_that_is_none() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        with pytest.raises(XendError) as caught:
            await world.call("screen.show", domain="bare")
        assert str(caught.value) == (
            "bare has no screen that is served by VNC (vfb = [ 'vnc=1' ] in its configuration gives it one; "
            "xl console shows its text)"
        )

    play(body)


SILENT = [
    ("vfb = ['vnc=1']", "vfb 0", "vfb"),
    ("vkb = ['backend-type=qemu']", "vkb 0", "vkb"),
    ("p9 = ['tag=host,path=/shared,security_model=none']", "p9 0", "p9"),
    ("channel = ['name=org.a,connection=pty']", "channel org.a", "channel"),
]


@pytest.mark.parametrize(("option", "name", "kind"), SILENT)
def test_a_guest_without_a_driver_leaves_its_end_as_it_was(option: str, name: str, kind: str) -> None:
    """The domain runs; who asks is told what the backend waits for, and its end leaves nothing."""

    async def body(world: World) -> None:
        shared(world)
        before = await world.snapshot()
        await world.create(f"{BARE}{option}\nextra = 'sim=never-answer'\n")
        told = await world.call("device.explain", domain="bare", device=name)
        assert told["cause"] == f"the guest's kernel has no driver for a {kind}, or has not come so far"
        assert (told["error"], told["backend_state"], told["frontend_state"]) == (None, 2, 1)
        await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_a_keyboard_that_its_guest_does_not_let_go_of_stays() -> None:
    async def body(world: World) -> None:
        options = "vfb = ['vnc=1']\ndm_restrict = 0\nextra = 'sim=never-answer'\n"
        await world.create(f"{BARE}{options}")
        before = await world.snapshot()
        given: dict[str, Any] = {"domain": "bare", "kind": "vkb", "device": "vkb 0"}
        with pytest.raises(XendError, match="vkb 0: its guest did not let go of it within 10 s"):
            await world.call("device.detach", **given)
        assert await world.snapshot() == before
        answer = await world.call("device.detach", **given, force=True)
        assert answer.get("warnings", []) == []
        assert [each["name"] for each in await world.call("device.list", domain="bare")] == ["vfb 0"]

    play(body)


OLDER = ["vfb = ['vnc=1']", "vkb = ['backend-type=qemu']", "channel = ['name=org.a,connection=pty']"]


@pytest.mark.parametrize("option", OLDER)
def test_a_domain_ends_without_waiting_for_what_goes_with_its_device_model(option: str) -> None:
    """qemu does not close a screen, a keyboard or a channel whose frontend was taken away."""

    async def body(world: World) -> None:
        await world.create(f"{BARE}{option}\n")
        (model,) = world.models.running()
        answer = await world.call("domain.destroy", domain="bare")
        assert answer.get("warnings", []) == []
        assert model.status is not None

    play(body)
