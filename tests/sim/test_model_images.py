"""Images that a device model opens once it serves, though it sees none of the host's files."""

import pytest
import trio

from tests.sim.test_device_model import QCOW2, example, kill_at, over, served
from tests.sim.test_faults import refusal_of, settled
from tests.sim.world import RunningModel, World, play
from xend.errors import XendError

SCREEN = 'name = "example"\nkernel = "/netbsd"\nmemory = 64\nvfb = [ "vnc=1" ]\n'
MORE = {"domain": "example", "kind": "vbd", "spec": "/more.qcow2,qcow2,xvdc,w"}
XVDB, XVDC = 51728, 51744
#: All devices of a guest are connected then, of the world's time.
UP_SECONDS = 10.0
#: What has a device model keep root's rights.
KEEPERS = {
    "what it is told": "dm_restrict = 0",
    "an image on one whose format it does not say": "disk = [ '/over.qcow2,qcow2,xvdb,w' ]",
    "a share": "p9 = [ 'tag=t,path=/shared,security_model=none' ]",
    "a controller of USB": "usbctrl = [ 'type=qusb,version=2,ports=2' ]",
}


def images(world: World) -> None:
    root = world.directory / "root"
    (root / "more.qcow2").write_bytes(QCOW2)
    (root / "over.qcow2").write_bytes(over("disk.qcow2"))
    (root / "above.qcow2").write_bytes(over("base.qcow2", "qcow2"))
    (root / "base.qcow2").write_bytes(over("base.raw", "raw"))
    (root / "base.raw").write_bytes(bytes(512))
    (root / "shared").mkdir(exist_ok=True)


async def params(world: World, domid: int, devid: int) -> tuple[str, str]:
    """What the backend says, and the toolstack's own copy."""
    paths = f"/local/domain/0/backend/qdisk/{domid}/{devid}", f"/libxl/{domid}/device/vbd/{devid}"
    seen, own = [(await world.client.read(f"{path}/params")).decode() for path in paths]
    return seen, own


async def connected(world: World, domid: int, devid: int) -> None:
    async def is_so() -> bool:
        return await world.backend_state(domid, "qdisk", devid) == b"4"

    await world.until(is_so)


def root_of(world: World, domid: int) -> str:
    return f"{world.directory}/xend/models/qemu-root-{domid}"


def lets_go(model: RunningModel) -> bool:
    """Whether it has of its images only what their backends have open."""
    assert model.program is not None
    answers = model.program.answers
    return not answers.holders and not answers.given


def test_a_disk_is_served_by_a_descriptor_to_one_that_sees_no_files() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create(example(world))
        await served(world, domid)
        (model,) = world.models.running()
        uid = 2_000_100_000 + domid
        assert {"-chroot", "-runas"} <= set(model.order.argv)
        assert model.order.tree is not None
        assert (model.order.tree.root, model.order.tree.ids) == (root_of(world, domid), (uid, uid))
        assert list(model.order.tree.images) == [(XVDB, False)]
        path = f"qcow2:{world.directory}/root/disk.qcow2"
        assert await params(world, domid, XVDB) == (f"qcow2:/dev/fdset/{XVDB}", path)
        (_, listed) = await world.call("device.list", domain="example", kind="vbd")
        assert listed["backend"]["params"] == path
        assert lets_go(model)
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before
        assert world.models.reaped == [uid]

    play(body)


@pytest.mark.parametrize("keeper", KEEPERS)
def test_what_has_it_keep_roots_rights(keeper: str) -> None:
    async def body(world: World) -> None:
        text = example(world, KEEPERS[keeper])
        images(world)
        domid = await world.create(text)
        (model,) = world.models.running()
        assert not {"-chroot", "-runas", "-add-fd", "-blockdev"} & set(model.order.argv)
        if "over" not in text:
            path = f"qcow2:{world.directory}/root/disk.qcow2"
        else:
            path = f"qcow2:{world.directory}/root/over.qcow2"
        if "disk" in text:
            assert await params(world, domid, XVDB) == (path, path)

    play(body)


#: A disk on others, and the number of its stand-in's set.
ABOVE, STAND_IN = "disk = [ '/above.qcow2,qcow2,xvdb,w' ]", XVDB | 1 << 30


def test_an_image_on_others_is_served_by_descriptors_of_all_of_them() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        text = example(world, ABOVE)
        images(world)
        domid = await world.create(text)
        await served(world, domid)
        (model,) = world.models.running()
        assert {"-chroot", "-runas"} <= set(model.order.argv)
        assert model.order.tree is not None
        assert list(model.order.tree.images) == [(STAND_IN, False)]
        path = f"qcow2:{world.directory}/root/above.qcow2"
        assert await params(world, domid, XVDB) == (f"aio:/dev/fdset/{STAND_IN}", path)
        assert await world.client.read(f"/local/domain/0/backend/qdisk/{domid}/{XVDB}/sectors") == b"2048"
        assert model.program is not None
        assert model.program.answers.disks == {"xvdb-raw": f"image-{STAND_IN}"}
        assert lets_go(model)
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", ["model.start", "model.await", "model.let-go", "start"])
def test_a_kill_of_xend_never_lets_a_guest_run_on_a_stand_in(step: str) -> None:
    async def body(world: World) -> None:
        text = example(world, ABOVE)
        images(world)
        before = await world.snapshot()
        kill_at(world, "domain.create", step)
        world.soon(_create, world, text)
        await trio.sleep(30)
        await world.start_xend()
        await settled(world)
        for model in world.models.running():
            assert model.program is not None
            assert model.program.answers.disks == {"xvdb-raw": f"image-{STAND_IN}"}
        if not world.models.running():
            assert await world.snapshot() == before

    play(body)


async def _create(world: World, text: str) -> None:
    with pytest.raises(XendError):
        await world.create(text)


def test_one_that_does_not_take_the_image_is_no_disk() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        text = example(world, ABOVE, sim="refuse-reopen")
        images(world)
        error = await refusal_of(world, text)
        assert error.code == "device_failed"
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_on_netbsd_it_keeps_them_for_any_disk_and_channel() -> None:
    async def body(world: World) -> None:
        world.platform = "netbsd"
        await world.kill_xend()
        await world.start_xend()
        bare = 'name = "example"\nkernel = "/netbsd"\nmemory = 64\n'
        example(world)
        for device in ("disk = [ '/disk.qcow2,qcow2,xvdb,w' ]", "channel = [ 'name=a,connection=pty' ]"):
            await world.create(f"{bare}{device}\n")
            (model,) = world.models.running()
            assert "-chroot" not in model.order.argv
            await world.call("domain.destroy", domain="example")
            error = await refusal_of(world, f"{bare}{device}\ndevice_model_user = 'nobody'\n")
            assert error.code == "unsupported"
            assert "as long as it runs, as root" in error.message
        await world.create(SCREEN)
        (model,) = world.models.running()
        assert ("-chroot" in model.order.argv, model.order.tree) == (True, None)
        images(world)
        with pytest.raises(XendError, match="has given up its rights"):
            await world.call("device.attach", **MORE)

    play(body)


def test_another_user_serves_disks_and_channels() -> None:
    async def body(world: World) -> None:
        text = example(world, "device_model_user = 'nobody'\nchannel = [ 'name=a,connection=pty' ]")
        domid = await world.create(text)
        await served(world, domid)

        async def is_there() -> bool:
            return await world.backend_state(domid, "console", 1) == b"4"

        await world.until(is_there)

    play(body)


def test_another_user_shares_a_directory_and_sees_nothing_else() -> None:
    async def body(world: World) -> None:
        images(world)
        shared = f"{world.directory}/root/shared"
        share = "p9 = [ 'tag=t,path=/shared,security_model=none' ]"
        domid = await world.create(example(world, f"device_model_user = 'nobody'\n{share}"))
        await served(world, domid)
        (model,) = world.models.running()
        assert model.order.tree is not None
        assert list(model.order.tree.shares) == [shared]

        async def is_there() -> bool:
            return await world.backend_state(domid, "9pfs", 0) == b"4"

        await world.until(is_there)

    play(body)


@pytest.mark.parametrize("text", [SCREEN, None, "dm_restrict = 0"])
def test_a_disk_comes_and_goes(text: str | None) -> None:
    """Twice the same number: the second image is not the first one's."""

    async def body(world: World) -> None:
        images(world)
        domid = await world.create(text if text == SCREEN else example(world, text or ""))
        (model,) = world.models.running()
        await trio.sleep(UP_SECONDS)
        before = await world.snapshot()
        for name in ("more", "other"):
            (world.directory / f"root/{name}.qcow2").write_bytes(QCOW2)
            await world.call("device.attach", **{**MORE, "spec": f"/{name}.qcow2,qcow2,xvdc,w"})
            await connected(world, domid, XVDC)
            path = f"qcow2:{world.directory}/root/{name}.qcow2"
            if text == "dm_restrict = 0":
                assert await params(world, domid, XVDC) == (path, path)
            else:
                assert await params(world, domid, XVDC) == (f"qcow2:/dev/fdset/{XVDC}", path)
                assert lets_go(model)
                assert world.models.passed[-1].endswith(f"/{name}.qcow2")
            await world.call("device.detach", domain="example", kind="vbd", device="xvdc")
            assert await world.snapshot() == before
        named = [] if text == "dm_restrict = 0" else [(1000, XVDC, False)] * 2
        assert world.models.named == named

    play(body)


def test_what_a_disk_that_comes_later_is_refused_for() -> None:
    async def body(world: World) -> None:
        images(world)
        await world.create()
        with pytest.raises(XendError, match="has none, as it was made without such a device"):
            await world.call("device.attach", **MORE)
        await world.call("domain.destroy", domain="example")
        domid = await world.create(example(world))
        await trio.sleep(UP_SECONDS)
        before = await world.snapshot()
        for name, code, said in (
            ("over", "unsupported", "has given up its rights, and cannot open what this device takes"),
            ("above", "unsupported", "has given up its rights, and cannot open what this device takes"),
            ("none", "bad_image", "cannot be read"),
            ("junk", "device_failed", "does not serve it"),
        ):
            (world.directory / "root/junk.qcow2").write_bytes(bytes(512))
            with pytest.raises(XendError, match=said) as caught:
                await world.call("device.attach", **{**MORE, "spec": f"/{name}.qcow2,qcow2,xvdc,w"})
            assert caught.value.code == code
            assert await world.snapshot() == before
        (model,) = world.models.running()
        assert lets_go(model)
        assert model.program is not None
        model.program.faults = {"mute": ""}
        with pytest.raises(XendError) as caught:
            await world.call("device.attach", **MORE)
        assert caught.value.code == "no_answer"
        assert await world.snapshot() == before
        await served(world, domid)

    play(body)


def test_a_kill_of_xend_at_each_step_of_a_disk_that_comes() -> None:
    async def body(world: World) -> None:
        images(world)
        domid = await world.create(example(world))
        await trio.sleep(UP_SECONDS)
        before = await world.snapshot()
        for step in ("give-image", "add", "await-backend", "let-go"):
            kill_at(world, "device.attach", f"vbd/{XVDC}.{step}")
            world.soon(_attach, world)
            await trio.sleep(30)
            await world.start_xend()
            await settled(world)
            assert await world.snapshot() == before, step
        (model,) = world.models.running()
        assert lets_go(model)
        await world.call("device.attach", **MORE)
        await connected(world, domid, XVDC)

    play(body)


async def _attach(world: World) -> None:
    with pytest.raises(XendError):
        await world.call("device.attach", **MORE)
