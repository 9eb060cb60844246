"""dom0's netback and blkback, as Linux's and as NetBSD's."""

from pathlib import Path

import pytest

from tests.unit.xend.simulator.test_guest import booted
from tests.unit.xend.simulator.world import World, world
from xend.simulator.description import Hardware
from xend.simulator.drivers import DEFAULT_SECTORS, NetBack

pytestmark = pytest.mark.trio


async def connected(w: World, kind: str, number: str = "7:0", **nodes: str) -> tuple[str, str]:
    """A device of a new domain that both sides have connected; the paths of (front, back)."""
    domid, _ = await booted(w)
    back = await w.attach(domid, kind, 1, **nodes)
    front = f"/local/domain/{domid}/device/{kind}/1"
    await w.hotplug(back, number)
    await w.becomes(f"{back}/state", "4")
    await w.becomes(f"{front}/state", "4")
    return front, back


class TestLinux:
    async def test_netback(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            _, back = await connected(w, "vif")
            for node, value in {"feature-sg": "1", "feature-rx-copy": "1", "feature-rx-flip": "0"}.items():
                assert await w.value(f"{back}/{node}") == value
            assert await w.value(f"{back}/vifname") is None

    async def test_blkback(self, tmp_path: Path, autojump_clock: object) -> None:
        disk = tmp_path / "disk"
        disk.write_bytes(bytes(8 * 512))
        async with world(tmp_path) as w:
            _, back = await connected(w, "vbd", params=str(disk), mode="r")
            nodes = {"sectors": "8", "sector-size": "512", "info": "4", "feature-flush-cache": "1"}
            for node, value in nodes.items():
                assert await w.value(f"{back}/{node}") == value

    @pytest.mark.parametrize(
        ("nodes", "info"),
        [
            ({}, "0"),
            ({"mode": "w!"}, "0"),
            ({"mode": "r", "device-type": "cdrom", "removable": "1"}, "7"),
        ],
    )
    async def test_what_a_disk_is_like(
        self, tmp_path: Path, autojump_clock: object, nodes: dict[str, str], info: str
    ) -> None:
        async with world(tmp_path) as w:
            _, back = await connected(w, "vbd", **nodes)
            assert await w.value(f"{back}/info") == info
            assert await w.value(f"{back}/sectors") == str(DEFAULT_SECTORS)


class TestNetBSD:
    hardware = Hardware(flavour="netbsd")

    async def test_netback(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path, hardware=self.hardware) as w:
            front, back = await connected(w, "vif")
            assert await w.value(f"{back}/vifname") == "xvif1i1"
            assert await w.value(f"{back}/feature-rx-copy") == "1"
            assert await w.value(f"{back}/feature-sg") is None
            assert await w.value(f"{front}/event-channel") is not None
            assert await w.value(f"{front}/event-channel-tx") is None

    async def test_blkback(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path, hardware=self.hardware) as w:
            _, back = await connected(w, "vbd", "3584")
            assert await w.value(f"{back}/sectors") == str(DEFAULT_SECTORS)


@pytest.mark.parametrize(
    ("flavour", "number"), [("linux", "1792"), ("linux", "0x7:0x0"), ("netbsd", "7:0"), ("netbsd", "0x700")]
)
async def test_a_device_number_as_another_system_writes_it(
    tmp_path: Path, autojump_clock: object, flavour: str, number: str
) -> None:
    async with world(tmp_path, hardware=Hardware(flavour=flavour)) as w:
        domid, _ = await booted(w)
        back = await w.attach(domid, "vbd", 1)
        await w.hotplug(back, number)
        await w.becomes(f"{back}/state", "6")
        where = back.removeprefix("/local/domain/0/")
        error = await w.value(f"/local/domain/0/error/{where}/error")
        assert error is not None
        assert number in error


@pytest.mark.parametrize("kind", ["vif", "vbd"])
async def test_it_waits_for_the_script(tmp_path: Path, autojump_clock: object, kind: str) -> None:
    async with world(tmp_path) as w:
        domid, _ = await booted(w)
        back = await w.attach(domid, kind, 1)
        await w.becomes(f"/local/domain/{domid}/device/{kind}/1/state", "4" if kind == "vif" else "3")
        await w.settle()
        assert await w.value(f"{back}/state") == "2"
        await w.hotplug(back)
        await w.becomes(f"{back}/state", "4")


async def test_without_a_script_it_does_not_wait(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, _ = await w.create()
        back = await w.attach(domid, "vif", 0)
        await w.store.rm(f"{back}/hotplug-status")
        await w.host.unpause(domid)
        await w.becomes(f"{back}/state", "4")


class TestClosing:
    async def test_a_guest_that_never_ran_and_is_forced(self, tmp_path: Path, autojump_clock: object) -> None:
        """As libxl does it: online 0, state 5, and the frontend's directory removed where nobody answers."""
        async with world(tmp_path) as w:
            domid, _ = await w.create()
            back = await w.attach(domid, "vif", 0)
            await w.becomes(f"{back}/state", "2")
            await w.store.write(f"{back}/online", "0")
            await w.store.write(f"{back}/state", "5")
            await w.settle()
            assert await w.value(f"{back}/state") == "5"
            await w.store.rm(f"/local/domain/{domid}/device/vif/0")
            await w.becomes(f"{back}/state", "6")
            await w.store.rm(f"/local/domain/0/backend/vif/{domid}")
            await w.settle()
            assert await w.value(f"/local/domain/0/backend/vif/{domid}") is None

    async def test_the_domain_dies(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            _, back = await connected(w, "vbd")
            await w.host.destroy(1)
            await w.becomes(f"{back}/state", "6")

    async def test_the_directory_is_removed_while_it_lives(
        self, tmp_path: Path, autojump_clock: object
    ) -> None:
        async with world(tmp_path) as w:
            front, back = await connected(w, "vif")
            async with w.store.transaction() as t:
                await t.rm(front)
                await t.rm(back)
            await w.settle()
            assert await w.value(back) is None

    async def test_the_frontend_closes_and_opens_again(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await w.create()
            back = await w.attach(domid, "vif", 0)
            front = f"/local/domain/{domid}/device/vif/0/state"
            await w.hotplug(back)
            for state, answer in [("4", "4"), ("5", "5"), ("6", "6"), ("1", "2"), ("4", "4")]:
                await w.store.write(front, state)
                await w.becomes(f"{back}/state", answer)
            await w.store.write(f"{back}/online", "0")
            await w.store.write(front, "6")
            await w.becomes(f"{back}/state", "6")
            await w.store.write(front, "1")
            await w.settle()
            assert await w.value(f"{back}/state") == "6"

    @pytest.mark.parametrize("state", ["", "x", "-1", "99999999999999999999", "2", "7", "8"])
    async def test_states_that_mean_nothing(self, tmp_path: Path, autojump_clock: object, state: str) -> None:
        async with world(tmp_path) as w:
            domid, _ = await w.create()
            back = await w.attach(domid, "vif", 0)
            await w.hotplug(back)
            await w.store.write(f"/local/domain/{domid}/device/vif/0/state", state)
            await w.settle()
            assert await w.value(f"{back}/state") == "2"


async def test_devices_there_before_dom0_looked(tmp_path: Path, autojump_clock: object) -> None:
    """The kernel's watch fires once as it is set: what stands there by then is taken on."""
    async with world(tmp_path) as w:
        domids = [(await w.create())[0] for _ in range(5)]
        backs = [await w.attach(domid, kind, 0) for domid in domids for kind in ("vif", "vbd")]
        for back in backs:
            await w.becomes(f"{back}/state", "2")


async def test_a_backend_made_anew_while_the_old_one_goes_is_not_forgotten(
    tmp_path: Path, autojump_clock: object
) -> None:
    """Of a kind that dom0's kernel leaves alone, so that this test alone looks at it."""
    async with world(tmp_path) as w:
        backend = NetBack(w.host._kernels._dom0._store, "test", "1", "0", "linux", "")
        backend.token = "nobody's"  # events with it are not handled
        path = "/local/domain/0/backend/test/1/0"
        for _ in range(2):
            await w.store.write(f"{path}/frontend", "/local/domain/1/device/test/0")
            await w.store.write(f"{path}/state", "1")
            await backend.look()
            assert (await w.value(f"{path}/state"), backend.is_gone) == ("2", False)
            await w.store.rm(path)
            await backend.look()
            assert backend.is_gone


async def test_a_frontend_that_goes_before_its_backend_looked_again(
    tmp_path: Path, autojump_clock: object
) -> None:
    """A script that refuses at once has the device taken out before the first event of the other end."""
    async with world(tmp_path) as w:
        backend = NetBack(w.host._kernels._dom0._store, "test", "1", "0", "linux", "")
        backend.token = "nobody's"
        front, path = "/local/domain/1/device/test/0", "/local/domain/0/backend/test/1/0"
        await w.store.write(f"{front}/state", "1")
        await w.store.write(f"{path}/frontend", front)
        await w.store.write(f"{path}/state", "1")
        await backend.look()
        await w.store.rm(front)
        await w.store.write(f"{path}/state", "5")
        await backend.look()
        assert await w.value(f"{path}/state") == "6"
