"""Domain-0 as what a call is about, where that makes sense."""

from tests.sim.test_cpus import refused
from tests.sim.world import World, play

DISK = {"kind": "vbd", "spec": "/disk.img,raw,xvda,w"}


def test_its_memory() -> None:
    async def body(world: World) -> None:
        before = (await world.call("domain.list", domain=0))[0]["memory_kib"]
        await world.call("domain.set_memory", domain=0, target_kib=256 << 10)

        async def has_shrunk() -> bool:
            return bool((await world.call("domain.list", domain=0))[0]["memory_kib"] == 256 << 10)

        await world.until(has_shrunk)
        assert await world.client.read("/local/domain/0/memory/target") == b"%d" % (256 << 10)
        for kib in (64 << 10, 1 << 40):
            await refused(world, "bad_request", "domain.set_memory", domain=0, target_kib=kib)
        await world.client.write("/local/domain/0/memory/static-max", str(before))
        await refused(world, "bad_request", "domain.set_memory", domain=0, target_kib=before + 1024)
        await world.call("domain.set_memory", domain="Domain-0", target_kib=before)

    play(body)


def test_its_devices() -> None:
    """A disk that it has is nobody else's, also once it was given back and taken again."""

    async def body(world: World) -> None:
        before = await world.snapshot()
        for _ in range(2):
            attached = await world.call("device.attach", domain=0, **DISK)
            assert (attached["device"], attached["devid"]) == ("vbd xvda", 51712)
            assert await world.backend_state(0, "vbd", 51712) == b"2"
            other = {**DISK, "spec": "/disk.img,raw,xvdb,w"}
            await refused(world, "busy", "device.attach", domain=0, **other)
            await refused(world, "busy", "device.attach", domain=0, **DISK)
            await world.create(extra=["disk=[]", "vif=[]"])
            await refused(world, "busy", "device.attach", domain="example", **DISK)
            await world.call("domain.destroy", domain="example")
            await world.call("device.detach", domain=0, kind="vbd", device="xvda", force=True)
        first = await world.call("device.attach", domain=0, kind="vif", spec="bridge=bridge0")
        second = await world.call("device.attach", domain=0, kind="vif", spec="bridge=bridge0")
        assert [first["devid"], second["devid"]] == [0, 1]
        await world.kill_xend()
        await world.start_xend()
        listed = await world.call("device.list", domain=0, kind="vif")
        assert [each["devid"] for each in listed] == [0, 1]
        for devid in ("0", "1"):
            await world.call("device.detach", domain=0, kind="vif", device=devid, force=True)
        assert await world.call("device.list", domain=0) == []
        left = set(await world.snapshot()) - set(before)
        assert not [line for line in left if "/vbd/" in line or "/vif/" in line]

    play(body)
