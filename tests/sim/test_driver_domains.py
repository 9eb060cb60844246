"""Backends in driver domains: another domain's kernel and coordinator serve a guest's devices."""

import pytest
import trio

from tests.sim.test_faults import at, kill, settled
from tests.sim.world import Scripts, World, play
from xenclient.store.aio import Client, Watch
from xenclient.store.perms import Perm
from xend.backendd.coordinator import Coordinator
from xend.errors import XendError

pytestmark = pytest.mark.slow

DRIVER = 'name = "driver"\nkernel = "/netbsd"\nmemory = 64\ndriver_domain = 1\n'
#: Its kernel has the backends; who runs the scripts is the test's affair.
BACKENDS = DRIVER + 'extra = "sim=backends"\n'
#: The simulator plays the scripts, too.
WHOLE = DRIVER + 'extra = "sim=driver-domain"\n'
BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'
VIF, VBD = "backend=driver", "/dev/sd0e,raw,xvda,rw,backend=driver"
SERVED = BARE + f"vif = [ '{VIF}' ]\ndisk = [ '{VBD}' ]\n"
XVDA = 51712
DEVICES = (("vif", 0), ("vbd", XVDA))


async def coordinate(world: World, domid: int, *, task_status: trio.TaskStatus[Scripts]) -> None:
    """xenbackendd in a domain, with that domain's rights."""
    async with world.connect_store(domid) as store:
        scripts = Scripts(store)
        settings = world.xend.host.settings
        coordinator = Coordinator(store, settings, scripts.run, world.log)
        async with trio.open_nursery() as nursery:
            await nursery.start(coordinator.run)
            task_status.started(scripts)


async def state(world: World, backend: int, domid: int, kind: str, devid: int) -> bytes:
    return await world.client.read(f"/local/domain/{backend}/backend/{kind}/{domid}/{devid}/state")


async def connected(world: World, backend: int, domid: int) -> None:
    async def all_are() -> bool:
        return {await state(world, backend, domid, *device) for device in DEVICES} == {b"4"}

    await world.until(all_are)


async def refused(world: World, text: str = SERVED) -> XendError:
    with pytest.raises(XendError) as caught:
        await world.create(text)
    return caught.value


def test_a_driver_domains_kernel_and_coordinator_serve_a_guest() -> None:
    async def body(world: World) -> None:
        backend = await world.create(BACKENDS)
        scripts = await world.start(coordinate, world, backend)
        await trio.sleep(5)
        domid = await world.create(SERVED)
        await connected(world, backend, domid)
        assert sorted(call[1] for call in scripts.calls) == ["add", "online"]
        assert world.scripts.calls == []  # dom0 runs none of them
        for kind, devid in DEVICES:
            front = f"/local/domain/{domid}/device/{kind}/{devid}"
            back = f"/local/domain/{backend}/backend/{kind}/{domid}/{devid}"
            assert await world.client.read(f"{front}/backend") == back.encode()
            assert await world.client.read(f"{front}/backend-id") == str(backend).encode()
            assert await world.client.get_perms(front) == (Perm("n", domid), Perm("r", backend))
            assert await world.client.get_perms(back) == (Perm("n", backend), Perm("r", domid))
        assert await world.client.read(f"{back}/params") == b"/dev/sd0e"  # below nobody's root but its own
        await world.call("domain.destroy", domain="bare")
        assert sorted(call[1] for call in scripts.calls) == ["add", "offline", "online", "remove"]
        assert not await world.client.exists(f"/local/domain/{backend}/backend/vbd/{domid}")
        assert not await world.client.exists(f"/libxl/{domid}")

    play(body)


def test_attached_detached_restarted_as_any_other() -> None:
    async def body(world: World) -> None:
        backend = await world.create(WHOLE)
        await trio.sleep(5)
        await world.create(BARE)
        for kind, spec, devid in (("vif", VIF, 0), ("vbd", VBD, XVDA)):
            await world.call("device.attach", domain="bare", kind=kind, spec=spec)
            await world.call("device.detach", domain="bare", kind=kind, device=str(devid))
            assert await world.call("device.list", domain="bare", kind=kind) == []
            await world.call("device.attach", domain="bare", kind=kind, spec=spec)
        await connected(world, backend, 2)
        await world.call("domain.reboot", domain="bare", wait=True)
        await trio.sleep(20)
        await connected(world, backend, 3)
        listed = await world.call("device.list", domain="bare")
        assert [each["backend_domid"] for each in listed] == [backend, backend]

    play(body)


def test_a_guest_restarts_on_a_driver_domain_that_was_made_anew() -> None:
    async def body(world: World) -> None:
        await world.create(WHOLE)
        await trio.sleep(5)
        await world.create(SERVED)
        await connected(world, 1, 2)
        await world.call("domain.destroy", domain="driver")
        told = await world.call("device.explain", domain="bare", device="vif 0")
        assert told["cause"] == "domain 1, which served it, is gone, or has removed its backend"
        assert await world.create(WHOLE) == 3
        await trio.sleep(5)
        await world.call("domain.reboot", domain="bare", wait=True)
        await trio.sleep(20)
        await connected(world, 3, 4)

    play(body)


def test_a_backend_domain_that_is_not_there_is_refused_before_anything_is_done() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        error = await refused(world)
        assert (error.code, error.fields["device"]) == ("no_such_domain", "vbd xvda")
        assert "domain driver, which does not exist" in str(error)
        error = await refused(world, SERVED.replace("backend=driver", "backend=77"))
        assert (error.code, "domain 77, which does not exist" in str(error)) == ("no_such_domain", True)
        assert await world.snapshot() == before
        await world.create(WHOLE.replace("sim=", "sim=poweroff-at=1,") + 'on_poweroff = "preserve"\n')
        await trio.sleep(5)
        assert "which has shut down" in str(await refused(world))

    play(body)


def test_where_nobody_runs_the_scripts_the_error_says_what_was_awaited() -> None:
    async def body(world: World) -> None:
        await world.create(BACKENDS)
        await trio.sleep(5)
        await world.create(BARE)
        await trio.sleep(5)
        before = await world.snapshot()
        with pytest.raises(XendError, match="vif 0: domain 1 did not run its script within 40 s") as caught:
            await world.call("device.attach", domain="bare", kind="vif", spec=VIF)
        assert caught.value.fields["hint"] == "does xenbackendd (or xl devd) run there?"
        after = set(await world.snapshot()) - {f"/local/domain/1/backend{below}" for below in ("", "/vif")}
        assert after == set(before)

    play(body)


def test_a_script_that_fails_there_is_told_here() -> None:
    async def body(world: World) -> None:
        backend = await world.create(BACKENDS)
        scripts = await world.start(coordinate, world, backend)
        scripts.behaviours["vif-bridge"] = "fail"
        await trio.sleep(5)
        await world.create(BARE)
        with pytest.raises(XendError, match="vif 0: its script failed in domain 1") as caught:
            await world.call("device.attach", domain="bare", kind="vif", spec=VIF)
        assert "bridge xenbr0 does not exist" in caught.value.fields["cause"]
        assert await world.call("device.list", domain="bare") == []

    play(body)


def test_what_a_driver_domain_writes_is_repeated_in_bounds() -> None:
    """It is another domain: its words go to a terminal and a log."""

    async def body(world: World) -> None:
        backend = await world.create(BACKENDS)
        await world.create(BARE)
        await trio.sleep(5)
        async with world.connect_store(backend) as store, store.watch("backend") as watch:
            world.soon(_fail_loudly, store, watch)
            with pytest.raises(XendError, match="its script failed in domain 1") as caught:
                await world.call("device.attach", domain="bare", kind="vif", spec=VIF)
        assert caught.value.fields["cause"] == "[31m" + "x" * 396

    play(body)


async def _fail_loudly(store: Client, watch: Watch) -> None:
    path = "backend/vif/2/0"
    while (await watch.next()).path != f"{path}/state":
        pass
    await store.write(f"{path}/hotplug-error", "\x1b[31m\n" + "x" * 2000)
    await store.write(f"{path}/hotplug-status", "error")


def test_a_driver_domain_that_is_destroyed_takes_nothing_of_its_guests_along() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(WHOLE)
        await trio.sleep(5)
        await world.create(SERVED)
        await connected(world, 1, 2)
        await world.call("domain.destroy", domain="driver")
        await world.call("domain.destroy", domain="bare")
        assert await world.snapshot() == before

    play(body)


ATTACH = [
    "vif 0: check what it needs",
    "vif 0: write its nodes",
    "vif 0: wait for its backend",
    "vif 0: run its script",
    "vif 0: remember it",
]


@pytest.mark.parametrize("step", ATTACH)
def test_xend_killed_while_it_attaches_undoes_it(step: str) -> None:
    async def body(world: World) -> None:
        await world.create(WHOLE)
        await trio.sleep(5)
        await world.create(BARE)
        await world.call("device.attach", domain="bare", kind="vif", spec=VIF)
        await trio.sleep(5)
        await world.call("device.detach", domain="bare", kind="vif", device="0")
        before = await world.snapshot()
        world.on_step = at("device.attach", step, kill, domain="bare")
        await world.call("device.attach", domain="bare", kind="vif", spec=VIF, wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", ATTACH[2:4])
def test_the_driver_domain_dies_while_a_device_is_attached(step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(BARE)
        await world.create(BACKENDS)
        await trio.sleep(5)
        world.on_step = at("device.attach", step, lambda: world.soon(_destroy, world), "bare")
        with pytest.raises(XendError):
            await world.call("device.attach", domain="bare", kind="vif", spec=VIF)
        await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


async def _destroy(world: World) -> None:
    await world.call("domain.destroy", domain="driver")
