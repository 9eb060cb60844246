"""CPUs of the host and of domains: what a call does, in the hypervisor, the store, and in the next life."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.sim.test_faults import at, kill, settled
from tests.sim.world import EXAMPLE, World, play
from xend.domain.lasting import record
from xend.errors import XendError
from xend.hypervisor import HypervisorError
from xend.hypervisor.scheduling import CreditParameters, RealTimeParameters

EXTRA = ["vcpus=2", "maxvcpus=3"]
NODES: dict[str, Any] = {"cpus": 4, "nodes": 2}
FAST = 'name = "fast"\nsched = "rtds"\ncpus = ["3"]\n'
RTDS = {"period_us": 10000, "budget_us": 4000, "extra_time": True}


async def refused(world: World, code: str, method: str, **params: Any) -> XendError:
    with pytest.raises(XendError) as caught:
        await world.call(method, **params)
    assert caught.value.code == code, caught.value.message
    return caught.value


async def online(world: World, domain: str | int = "example") -> list[bool]:
    return [each["online"] for each in (await world.call("vcpu.list", domain=domain))["vcpus"]]


async def words(world: World, domid: int, count: int) -> list[bytes]:
    return [await world.client.read(f"/local/domain/{domid}/cpu/{n}/availability") for n in range(count)]


async def hard(world: World, domid: int) -> list[list[int]]:
    return [list(each.hard_affinity) for each in await world.host.vcpus(domid)]


async def soft(world: World, domid: int) -> list[list[int]]:
    return [list(each.soft_affinity) for each in await world.host.vcpus(domid)]


async def reboot(world: World, domid: int) -> None:
    await world.connected(domid)
    await world.call("domain.reboot", domain="example", wait=True)


async def has_online(world: World, domain: str | int, expected: Sequence[bool]) -> None:
    async def done() -> bool:
        return await online(world, domain) == list(expected)

    await world.until(done)


def test_how_many_vcpus_a_domain_uses() -> None:
    async def body(world: World) -> None:
        await world.create(extra=EXTRA)
        await world.call("domain.set_vcpus", domain="example", vcpus=3)
        assert await words(world, 1, 3) == [b"online"] * 3
        await has_online(world, "example", [True] * 3)
        await world.call("domain.set_vcpus", domain="example", vcpus=1)
        await has_online(world, "example", [True, False, False])
        for count in (0, 4):
            assert (
                "from 1 to 3"
                in (
                    await refused(world, "bad_request", "domain.set_vcpus", domain="example", vcpus=count)
                ).message
            )
        assert (await world.call("domain.set_vcpus", domain=0, vcpus=2, dry_run=True))["steps"] == [
            "have it use 2 vCPUs", "record that in its configuration",
        ]  # fmt: skip
        await world.call("domain.set_vcpus", domain=0, vcpus=2)
        await has_online(world, 0, [True, True, False, False])
        assert await words(world, 0, 4) == [b"online"] * 2 + [b"offline"] * 2
        await world.call("domain.set_vcpus", domain="Domain-0", vcpus=4)
        await has_online(world, 0, [True] * 4)
        await world.kill_xend()
        await world.start_xend()
        await reboot(world, 1)
        await has_online(world, "example", [True, False, False])
        assert (await world.call("domain.list", domain="example"))[0]["max_vcpus"] == 3

    play(body)


def test_more_vcpus_than_the_host_has_cpus() -> None:
    async def body(world: World) -> None:
        await world.create(extra=["vcpus=1", "maxvcpus=3"])
        how = {"domain": "example", "vcpus": 3}
        error = await refused(world, "bad_request", "domain.set_vcpus", **how)
        assert "--ignore-host" in error.fields["hint"]
        await world.call("domain.set_vcpus", **how, ignore_host=True)
        await has_online(world, "example", [True] * 3)

    play(body, cpus=2)


def test_where_vcpus_run() -> None:
    async def body(world: World) -> None:
        everywhere = [0, 1, 2, 3]
        await world.create(extra=EXTRA)
        pin = "domain.pin_vcpus"
        await world.call(pin, domain="example", vcpu=0, hard="0-2,^1")
        await world.call(pin, domain="example", vcpu=1, hard="node:1", soft="3", force=True)
        assert await hard(world, 1) == [[0, 2], [2, 3], everywhere]
        assert await soft(world, 1) == [everywhere, [3], everywhere]
        await world.call(pin, domain="example", soft="nodes:0", dry_run=True)
        await world.call(pin, domain=0, hard="0,1")
        assert await hard(world, 0) == [[0, 1]] * 4
        for params in (
            {"vcpu": 3, "hard": "0"}, {"hard": "7"}, {"hard": "node:2"}, {"hard": "x"}, {"vcpu": 0},
            {"soft": "0-1,^0,^1"},
        ):  # fmt: skip
            await refused(world, "bad_request", pin, domain="example", **params)
        await reboot(world, 1)
        assert await hard(world, 2) == [[0, 2], [2, 3], everywhere]
        assert await soft(world, 2) == [everywhere, [3], everywhere]
        await world.call(pin, domain="example", hard="all", soft="all")
        assert await hard(world, 2) == await soft(world, 2) == [everywhere] * 3
        assert (await world.call("cpus.show", text="node:1")) == {"cpus": [2, 3], "count": 4}
        topology = await world.call("topology.show")
        assert [cpu["node"] for cpu in topology["cpus"]] == [0, 0, 1, 1]
        assert [node["distances"] for node in topology["nodes"]] == [(10, 20), (20, 10)]
        listed = await world.call("domain.list", placing=True)
        assert [(each["cpupool"], each["node_affinity"]) for each in listed] == [
            ("Pool-0", [0]), ("Pool-0", [0, 1]),
        ]  # fmt: skip

    play(body, **NODES)


def test_shares_of_the_cpus() -> None:
    async def body(world: World) -> None:
        await world.create(extra=EXTRA)
        change = "domain.set_scheduling"
        await world.call(change, domain="example", scheduler="credit2", weight=300)
        await world.call(change, domain="example", scheduler="credit2", cap=150)
        assert await world.host.parameters(1) == CreditParameters(weight=300, cap=150)
        shown = await world.call("scheduling.show", domain="example")
        assert (shown["scheduler"], shown["parameters"], shown["vcpus"]) == (
            "credit2", {"weight": 300, "cap": 150}, None,
        )  # fmt: skip
        for params in ({"weight": 0}, {"weight": 65536}, {"cap": 301}, {}):
            await refused(world, "bad_request", change, domain="example", scheduler="credit2", **params)
        wrong = await refused(world, "wrong_state", change, domain="example", scheduler="credit", weight=1)
        assert wrong.fields["hint"] == "xl sched-credit2 is its command"
        await world.call(change, domain=0, scheduler="credit2", weight=512)
        (pool,) = await world.call("scheduling.list", scheduler="credit2")
        assert [each["parameters"]["weight"] for each in pool["members"]] == [512, 300]
        assert await world.call("scheduling.list", scheduler="credit") == []
        await world.call("pool.set_scheduling", pool="Pool-0", ratelimit_us=2000)
        (pool,) = await world.call("scheduling.list")
        assert pool["parameters"] == {
            "timeslice_ms": None, "ratelimit_us": 2000, "migration_delay_us": None,
        }  # fmt: skip
        await refused(world, "bad_request", "pool.set_scheduling", pool="0", ratelimit_us=1)
        await refused(world, "wrong_state", "pool.set_scheduling", pool="0", timeslice_ms=5)
        await reboot(world, 1)
        assert await world.host.parameters(2) == CreditParameters(weight=300, cap=150)

    play(body)


def test_pools() -> None:
    async def body(world: World) -> None:
        await world.create(extra=EXTRA)
        await refused(world, "wrong_state", "pool.create", text="cpus=[3]", file="/a/fast")  # not free
        await world.call("pool.remove_cpus", pool="Pool-0", cpus="2,3")
        await refused(world, "bad_request", "pool.remove_cpus", pool="Pool-0", cpus="3")
        planned = await world.call("pool.create", text=FAST, dry_run=True)
        assert planned == {"name": "fast", "scheduler": "rtds", "cpus": [3]}
        assert (await world.call("pool.create", text=FAST))["pool"] == 1
        assert await world.client.read("/local/pool/1/name") == b"fast"
        for extra, code in (
            ([], "bad_config"), (["name=fast"], "name_in_use"), (["name='7'"], "bad_request"),
            (["name=x", "sched=none"], "bad_request"), (["name=x", "cpus='9'"], "bad_request"),
            (["name=x", "nodes=[1]"], "bad_request"), (["name=x", "nodes=[0]"], None),
        ):  # fmt: skip
            if code is None:
                assert (await world.call("pool.create", text="", extra=extra, dry_run=True))["cpus"] == [2]
            else:
                await refused(world, code, "pool.create", text="", extra=extra)
        await world.call("pool.add_cpus", pool="fast", cpus="2")
        await world.call("pool.rename", pool="fast", name="slow")
        await world.call("domain.set_pool", domain="example", pool="slow")
        assert await world.call("pool.list", pool="slow") == [
            {"number": 1, "name": "slow", "scheduler": "rtds", "domains": 1, "cpus": [2, 3]}
        ]
        await refused(world, "wrong_state", "pool.destroy", pool="slow")
        await refused(world, "wrong_state", "pool.destroy", pool="Pool-0")
        await refused(world, "no_such_pool", "domain.set_pool", domain="example", pool="fast")
        rtds = {"domain": "example", "scheduler": "rtds"}
        await world.call("domain.set_scheduling", **rtds, vcpus=[{"vcpu": 1, "budget_us": 5000}])
        shown = await world.call("scheduling.show", domain="example")
        assert shown["parameters"] == RTDS
        assert shown["vcpus"] == [
            {"vcpu": 0, **RTDS}, {"vcpu": 1, **RTDS, "budget_us": 5000}, {"vcpu": 2, **RTDS},
        ]  # fmt: skip
        for row in ({"vcpu": 3}, {"period_us": 100}, {"budget_us": 5}):
            await refused(world, "bad_request", "domain.set_scheduling", **rtds, vcpus=[row])
        await reboot(world, 1)
        (listed,) = await world.call("domain.list", domain="example", placing=True)
        assert (listed["domid"], listed["cpupool"]) == (2, "slow")
        await world.call("domain.set_pool", domain="example", pool="0")
        await world.call("pool.destroy", pool="1")
        assert not await world.client.exists("/local/pool/1")
        await world.call("pool.add_cpus", pool="Pool-0", cpus="2-3")
        (pool,) = await world.call("pool.list")
        assert (pool["cpus"], pool["domains"]) == ([0, 1, 2, 3], 2)

    play(body)


@pytest.mark.parametrize("name", ['x"; memory=9 #', "it's", "a\"b'c", "b\\n", '"; name="z'])
def test_a_pool_of_any_name_is_that_of_the_next_life(name: str) -> None:
    async def body(world: World) -> None:
        await world.create(extra=EXTRA)
        await world.call("pool.rename", pool="1", name=name)
        await world.call("domain.set_pool", domain="example", pool=name)
        await reboot(world, 1)
        (listed,) = await world.call("domain.list", domain="example", placing=True)
        assert (listed["domid"], listed["cpupool"], listed["memory_kib"]) == (2, name, 65536)

    play(body, pool_cpus=(1,))


def test_what_is_recorded_never_gives_a_domain_another_name() -> None:
    """Whoever asked for it by its old name went in circles then."""

    async def body(world: World) -> None:
        await world.create(extra=EXTRA)
        (domain,) = world.xend.host.domains.all()
        before = (list(domain.source.extra), domain.config)
        with pytest.raises(XendError, match=r"its next life would be called z by .*xl rename"):
            record(world.xend.host, domain.uuid, [*EXTRA, 'pool="0"; name="z"'])
        assert (domain.source.extra, domain.config) == before
        await reboot(world, 1)
        assert (await world.call("domain.list", domain="example"))[0]["domid"] == 2

    play(body)


def test_the_share_of_a_configuration_under_rtds() -> None:
    """As xl: the period and the extra time are the file's, the budget the scheduler's own."""

    async def body(world: World) -> None:
        await world.call("pool.remove_cpus", pool="0", cpus="3")
        await world.call("pool.create", text=FAST)
        answer = await world.call(
            "domain.create",
            text=EXAMPLE,
            extra=["pool='fast'", "period=20000", "extratime=0", "budget=5000", "cpu_weight=512"],
        )
        wanted = {0: RealTimeParameters(period_us=20000, budget_us=4000, extra_time=False)}
        assert await world.host.vcpu_parameters(answer["domid"]) == wanted
        told = [each["message"] for each in answer["warnings"]]
        assert [message for message in told if "budget" in message]
        assert [
            message for message in told if message.startswith("cpu_weight of the configuration has no effect")
        ]
        await world.call("domain.reboot", domain="example", wait=True)
        assert await world.host.vcpu_parameters(answer["domid"] + 1) == wanted

    play(body)


def test_a_pool_for_each_node() -> None:
    async def body(world: World) -> None:
        planned = await world.call("pool.split", dry_run=True)
        assert [(row["pool"], row["name"], row["cpus"]) for row in planned] == [
            (0, "Pool-node0", [0, 1]), (None, "Pool-node1", [2, 3]),
        ]  # fmt: skip
        await world.call("pool.split")
        assert [(each["name"], each["cpus"]) for each in await world.call("pool.list")] == [
            ("Pool-node0", [0, 1]), ("Pool-node1", [2, 3]),
        ]  # fmt: skip
        assert await online(world, 0) == [True, True, False, False]
        await refused(world, "wrong_state", "pool.split")

    play(body, **NODES)


def test_a_split_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        add = world.host.add_cpu

        async def refusing(pool: int, cpu: int) -> None:
            if (pool, cpu) == (2, 5):
                raise HypervisorError(errno.EAGAIN, "CPU 5 is used just now")
            await add(pool, cpu)

        monkeypatch.setattr(world.host, "add_cpu", refusing)
        before = await world.call("pool.list")
        await refused(world, "hypervisor_failed", "pool.split")
        assert await world.call("pool.list") == before
        await has_online(world, 0, [True] * 6)
        assert await world.host.free_cpus() == []
        assert not await world.client.exists("/local/pool/1")
        monkeypatch.undo()
        assert len(await world.call("pool.split")) == 3

    play(body, cpus=6, nodes=3)


def test_triggers_keys_and_parameters() -> None:
    async def body(world: World) -> None:
        await world.create(extra=EXTRA)
        await world.call("domain.trigger", domain="example", trigger="nmi", vcpu=1)
        assert b"d1v1: nmi" in (await world.call("host.dmesg"))["text"]
        for params in ({"trigger": "bell"}, {"trigger": "nmi", "vcpu": 3}):
            await refused(world, "bad_request", "domain.trigger", domain="example", **params)
        await refused(world, "hypervisor_failed", "domain.trigger", domain="example", trigger="power")
        await refused(world, "wrong_state", "domain.trigger", domain=0, trigger="nmi")
        await world.call("host.debug_keys", keys="hq")
        await refused(world, "bad_request", "host.debug_keys", keys="")
        await world.call("host.set_parameters", parameters=["loglvl=all", "no-console_timestamps"])
        assert world.host.boot_parameters == {"loglvl": "all", "console_timestamps": "no"}
        for wrong in (["nothing=1"], ["loglvl=none", "nothing=1"], ["loglvl=none", "=1"]):
            error = await refused(world, "bad_request", "host.set_parameters", parameters=wrong)
            assert world.host.boot_parameters == {"loglvl": "all", "console_timestamps": "no"}
        assert error.message == "parameter '=1': NAME=VALUE was expected"
        assert await world.call("security.show") == {"enforcing": None}
        for method, given in (("set_enforcing", {"enforcing": True}), ("load_policy", {"policy": b"x"})):
            error = await refused(world, "unsupported", f"security.{method}", **given)
            assert "no FLASK" in error.message

    play(body)


def test_core_files(tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.create()
        path = tmp_path / "core"
        await world.call("domain.dump_core", domain="example", path=str(path))
        data = path.read_bytes()
        assert data[:4] == b"\x7fELF"
        assert path.stat().st_mode & 0o777 == 0o600
        error = await refused(world, "bad_request", "domain.dump_core", domain="example", path=str(path))
        assert "nothing is overwritten" in error.message
        assert path.read_bytes() == data
        for wrong in ("core", str(tmp_path / "none/core"), str(tmp_path)):
            await refused(world, "bad_request", "domain.dump_core", domain="example", path=wrong)
        (listed,) = await world.call("domain.list", domain="example")
        assert listed["state"] == "running"

    play(body)


def test_quotas_of_the_store() -> None:
    async def body(world: World) -> None:
        await world.create()
        everyone = await world.call("quota.list")
        assert everyone["nodes"] > 0
        await world.call("quota.set", domain="example", values={"nodes": 777})
        assert (await world.call("quota.list", domain="example")) == {**everyone, "nodes": 777}
        await world.call("quota.set", values={"watches": 99, "nodes": 888})
        assert (await world.call("quota.list"))["watches"] == 99
        assert (await world.call("quota.list", domain="example"))["nodes"] == 777
        for values in ({"none": 1}, {"nodes": 1 << 32}):
            await refused(world, "bad_request", "quota.set", values=values)

    play(body)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("domain.set_vcpus", {"vcpus": 3}),
    ("domain.pin_vcpus", {"hard": "1", "soft": "1"}),
    ("domain.set_scheduling", {"scheduler": "credit2", "weight": 9, "cap": 9}),
    ("domain.set_pool", {"pool": "other"}),
]


async def state(world: World) -> list[object]:
    """What such a change could change of the example."""
    shown = await world.call("scheduling.show", domain="example")
    listed = await world.call("domain.list", domain="example", placing=True)
    config = await world.call("domain.config", domain="example")
    return [
        *await words(world, 1, 3), await hard(world, 1), await soft(world, 1), shown["parameters"],
        listed[0]["cpupool"], config,
    ]  # fmt: skip


def test_xend_killed_amid_a_change_undoes_it_when_it_is_back() -> None:
    async def body(world: World) -> None:
        await world.client.write("/local/pool/1/name", "other")
        await world.create(extra=EXTRA)
        before = await state(world)
        for method, params in CHANGES:
            world.on_step = at(method, "record that in its configuration", kill)
            answer = await world.call(method, domain="example", **params, wait_for="accepted")
            await trio.sleep(1)
            await world.start_xend()
            await settled(world)
            assert (await world.call("operation.show", operation=answer["operation"]))["state"] == "failed"
            assert await state(world) == before, method
        for method, params in CHANGES:
            await world.call(method, domain="example", **params)
        assert await state(world) != before

    play(body, pool_cpus=(1,))
