"""What is changed of a whole machine while it runs: discs, processors, buttons, its monitor."""

from collections.abc import Awaitable
from contextlib import suppress

import pytest
import trio

from tests.sim.autostarting import DOWN, stop
from tests.sim.test_device_model import kill_at
from tests.sim.test_faults import settled
from tests.sim.test_hvm import example, words_of
from tests.sim.world import World, play
from xend.errors import XendError
from xend.simulator.model_answers import Answers


def machine(world: World) -> Answers:
    """What the device model was told."""
    (model,) = world.models.running()
    assert model.program is not None
    return model.program.answers


def test_discs_are_changed_by_the_device_model() -> None:
    async def body(world: World) -> None:
        (world.directory / "root/other.iso").write_bytes(bytes(2048))
        await world.create(example(world, "disk = [ 'format=raw,vdev=hdc,access=ro,devtype=cdrom' ]"))
        await world.call("device.insert", domain="example", device="hdc", target="/other.iso")
        assert machine(world).discs == {"ide-5632": "/dev/fdset/1"}
        assert world.models.passed == [f"{world.directory}/root/other.iso"]
        await world.call("device.eject", domain="example", device="hdc")
        assert machine(world).discs == {"ide-5632": None}
        await world.call("device.insert", domain="example", device="hdc", target="/cd.iso")
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        assert f"-drive if=none,readonly=on,id=ide-5632,file={world.directory}/root/cd.iso" in words_of(world)

    play(body)


@pytest.mark.parametrize(
    ("sim", "target", "said"),
    [
        ("locked", "/other.iso", "is locked and force was not specified"),
        ("lie", "/other.iso", "add-fd: it names no set of descriptors"),
        ("", "/none.iso", "cannot be read"),
        ("die=5", "/other.iso", "has ended with exit status 1"),
    ],
)
def test_a_disc_that_cannot_be_changed_stays(sim: str, target: str, said: str) -> None:
    async def body(world: World) -> None:
        (world.directory / "root/other.iso").write_bytes(bytes(2048))
        await world.create(example(world, 'on_crash = "preserve"\nvnc = 0', sim=sim))
        await trio.sleep(6)
        with pytest.raises(XendError) as refused:
            await world.call("device.insert", domain="example", device="hdc", target=target)
        error = refused.value
        assert said in f"{error.message} {error.fields.get('cause')}"
        if sim != "die=5":
            await world.call("domain.reboot", domain="example", wait=True)
            await settled(world)
            assert f"id=ide-5632,file={world.directory}/root/cd.iso" in words_of(world)

    play(body)


def test_its_machine_gets_processors() -> None:
    async def body(world: World) -> None:
        await world.create(example(world, "maxvcpus = 4"))
        await world.call("domain.set_vcpus", domain="example", vcpus=3, ignore_host=True)
        assert machine(world).processors == {1: "cpu-1", 2: "cpu-2"}
        await world.call("domain.set_vcpus", domain="example", vcpus=2)
        await world.call("domain.set_vcpus", domain="example", vcpus=4, ignore_host=True)
        assert machine(world).processors == {1: "cpu-1", 2: "cpu-2", 3: "cpu-3"}

    play(body)


def test_its_memory_is_told_without_what_the_graphics_card_has() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, "maxmem = 96"))
        node = f"/local/domain/{domid}/memory/target"
        assert await world.client.read(node) == str(55 << 10).encode()  # the rest is populated on demand
        await world.call("domain.set_memory", domain="example", target_kib=48 << 10)
        assert await world.client.read(node) == str(40 << 10).encode()

    play(body)


def test_its_device_model_takes_commands_and_wakes_it() -> None:
    async def body(world: World) -> None:
        await world.create(example(world))
        done = await world.call("domain.monitor_command", domain="example", command="info status")
        assert done["output"] == "(sim) info status\r\n"
        await world.call("domain.trigger", domain="example", trigger="s3resume")
        await world.call("domain.trigger", domain="example", trigger="sleep")
        with pytest.raises(XendError, match="a command of one line"):
            await world.call("domain.monitor_command", domain="example", command="a\nb")

    play(body)


def test_a_domain_without_a_device_model_takes_none() -> None:
    async def body(world: World) -> None:
        await world.create()
        for method, given in (
            ("domain.monitor_command", {"command": "info status"}),
            ("domain.trigger", {"trigger": "s3resume"}),
        ):
            with pytest.raises(XendError, match="example has no device model"):
                await world.call(method, domain="example", **given)

    play(body)


def test_a_guest_without_drivers_is_shut_down_by_its_button() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world))
        await world.client.write(f"/local/domain/{domid}/control/feature-poweroff", "")
        await world.call("domain.shutdown", domain="example", force=True)
        assert any("power instead" in line for line in world.logged)

    play(body)


def test_with_the_host_it_is_stopped_by_its_button() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, "extra = 'sim=hang-shutdown'\nkernel = '/netbsd'"))
        await trio.sleep(5)  # it has booted, and said that it hears
        await world.client.write(f"/local/domain/{domid}/control/feature-poweroff", "")
        assert await stop(world, all=True) == {"example": DOWN}
        assert any("power instead" in line for line in world.logged)
        assert [each["domid"] for each in await world.call("domain.list")] == [0]

    play(body)


def test_a_kill_of_xend_as_it_is_made_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        for key in ("build", "vbd/768.add", "model.start", "model.await", "vif/0.run-script", "start"):
            kill_at(world, "domain.create", key)
            world.soon(_tried, world.create(example(world)))
            await trio.sleep(30)
            await world.start_xend()
            await settled(world)
            assert await world.snapshot() == before, key
            assert not world.models.running()

    play(body)


def test_a_kill_of_xend_as_a_disc_is_changed_leaves_the_one_that_is_known() -> None:
    async def body(world: World) -> None:
        (world.directory / "root/other.iso").write_bytes(bytes(2048))
        await world.create(example(world))
        for key in ("vbd/5632.take-out", "vbd/5632.put-in", "vbd/5632.remember"):
            kill_at(world, "device.insert", key)
            insert = world.call("device.insert", domain="example", device="hdc", target="/other.iso")
            world.soon(_tried, insert)
            await trio.sleep(30)
            await world.start_xend()
            await settled(world)
            config = await world.call("domain.config", domain="example")
            assert f"{'/cd.iso'!r}" in str(config), key
        assert world.models.passed[-1] == f"{world.directory}/root/cd.iso"

    play(body)


async def _tried(call: Awaitable[object]) -> None:
    with suppress(XendError):
        await call
