"""The counters of all domains, in one answer."""

from typing import Any

import pytest
import trio

from tests.sim.test_device_model import example, served
from tests.sim.world import EXAMPLE, World, play


def by_name(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {domain["name"]: domain for domain in answer["domains"]}


async def domids(world: World) -> dict[str, int | None]:
    return {domain["name"]: domain["domid"] for domain in await world.call("domain.list")}


def test_counters_rise_with_the_time_and_begin_anew_in_the_next_life() -> None:
    async def body(world: World) -> None:
        domid = await world.create()
        await world.connected(domid)
        await trio.sleep(100)
        first = await world.call("stats.list")
        await trio.sleep(50)
        second = await world.call("stats.list", vcpus=True, cpus=True)
        (idle,) = set(second["idle_ns"])
        assert len(second["idle_ns"]) == 4
        assert "idle_ns" not in first
        assert 50e9 < idle < 150e9  # dom0 keeps one of the four busy
        assert second["epoch"] == first["epoch"]
        assert second["at_ns"] - first["at_ns"] == pytest.approx(50e9, rel=1e-6)
        assert second["host"]["nr_cpus"] == 4
        assert set(by_name(second)) == {"Domain-0", "example"}
        before, after = by_name(first)["example"], by_name(second)["example"]
        assert (after["domid"], after["max_memory_kib"], after["ssid"]) == (domid, 65536, 0)
        assert after["cpu_time_ns"] - before["cpu_time_ns"] == pytest.approx(1e9, rel=0.01)
        (vif,), (vbd,) = after["vifs"], after["vbds"]
        assert (vif["devid"], vif["backend_domid"], vbd["devid"]) == (0, 0, 0)
        was = before["vifs"][0]["counters"]
        assert vif["counters"]["rx_bytes"] - was["rx_bytes"] == 50 * 180
        assert vif["counters"]["tx_packets"] - was["tx_packets"] == 50 * 5
        assert vbd["counters"]["reads"] == before["vbds"][0]["counters"]["reads"] > 0
        assert vbd["counters"]["written_sectors"] > before["vbds"][0]["counters"]["written_sectors"]
        assert "vcpu_times" not in before
        (time,) = after["vcpu_times"]
        assert (time["number"], time["online"]) == (0, True)
        assert time["cpu_time_ns"] == after["cpu_time_ns"]
        assert by_name(second)["Domain-0"]["vifs"] == []

        async def lives_again() -> bool:
            return (await domids(world)).get("example") not in (domid, None)

        await world.call("domain.reboot", domain="example", wait=True)
        await world.until(lives_again)
        ((_, again),) = [each for each in (await domids(world)).items() if each[0] == "example"]
        assert again is not None
        await world.connected(again)
        (vif,) = by_name(await world.call("stats.list"))["example"]["vifs"]
        assert vif["counters"]["rx_bytes"] < was["rx_bytes"]

    play(body)


def test_what_nobody_counts_is_no_number() -> None:
    async def body(world: World) -> None:
        domid = await world.create(EXAMPLE, extra=['disk=["file:/disk.img,0x0,w!"]'], paused=True)
        (found,) = [each for each in (await world.call("stats.list"))["domains"] if each["domid"] == domid]
        assert [each["counters"] for each in (*found["vifs"], *found["vbds"])] == [None, None]

    play(body)


def test_a_device_model_says_what_its_disks_do() -> None:
    """And whatever else it says, or does not say, they have no counters."""

    async def body(world: World) -> None:
        domid = await world.create(example(world))
        await served(world, domid)
        await trio.sleep(100)
        (_, disk) = by_name(await world.call("stats.list"))["example"]["vbds"]
        assert (disk["devid"], disk["backend_domid"]) == (51728, 0)
        assert disk["counters"] == {
            "out_of_requests": None, "reads": 240, "writes": 25, "read_sectors": 5120, "written_sectors": 200,
        }  # fmt: skip
        program = world.models.running()[0].program
        assert program is not None
        for fault in ("lie", "mute", "nonsense", "flood", "refuse", "die-at"):
            program.faults = {fault: "query-blockstats"}
            begin = world.now()
            (first, disk) = by_name(await world.call("stats.list"))["example"]["vbds"]
            assert first["counters"]["reads"] == 240
            assert disk["counters"] is None
            assert world.now() - begin < 2

    play(body)
