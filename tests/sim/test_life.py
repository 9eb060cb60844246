"""A domain's whole life, and that of many."""

import re
from functools import partial

import pytest
import trio

from tests.sim.world import EXAMPLE, World, play
from xend.errors import XendError
from xend.hypervisor import SHUTDOWN_REASONS


def test_a_domain_is_created_connects_and_is_destroyed() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create()
        await world.connected(domid)
        assert await world.names() == ["example"]
        await world.call("domain.destroy", domain="example")
        assert await world.snapshot() == before

    play(body)


def test_a_seed_gives_the_same_trace_twice() -> None:
    async def body(world: World) -> None:
        await world.follow_store()
        for name in ("one", "two"):
            await world.create(EXAMPLE, extra=[f'name="{name}"'])
        await world.call("domain.shutdown", domain="one", wait=True)
        await world.call("domain.reboot", domain="two", wait=True)
        await trio.sleep(30)
        await world.call("domain.destroy", domain="two")

    first, again, other = play(body, seed=7), play(body, seed=7), play(body, seed=8)
    assert first.trace == again.trace
    assert len(first.trace) > 500
    assert first.trace != other.trace


def test_a_dry_run_of_create_judges_the_configuration_whatever_runs() -> None:
    async def body(world: World) -> None:
        idle = await world.call("domain.create", text=EXAMPLE, dry_run=True)
        assert "start it" in idle["steps"]
        await world.connected(await world.create())
        uuid = (await world.call("domain.list", domain="example"))[0]["uuid"]
        before = await world.snapshot()
        again = [f'uuid = "{uuid}"', "memory = 1000000", 'kernel = "/nosuch"']
        for wait_for in (None, "accepted"):
            answer = await world.call(
                "domain.create", text=EXAMPLE, extra=again, dry_run=True, wait_for=wait_for
            )
            assert answer["steps"] == idle["steps"]
            assert answer["config"]["b_info"]["kernel"] == "/nosuch"
        assert await world.snapshot() == before
        await world.call("domain.destroy", domain="example", wait_for="accepted")
        answer = await world.call("domain.create", text=EXAMPLE, dry_run=True)
        assert answer["steps"] == idle["steps"]  # at once, though it is being destroyed
        with pytest.raises(XendError) as refused:
            await world.call("domain.create", text="memory = lots", dry_run=True)
        assert refused.value.code == "bad_config"

    play(body)


def test_a_dry_run_of_destroy_leaves_a_shutdown_under_way_alone() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create())
        stopping = await world.call("domain.shutdown", domain="example", wait=True, wait_for="accepted")
        steps = await world.call("domain.destroy", domain="example", dry_run=True)
        assert "steps" in steps
        await world.call("operation.wait", operation=stopping["operation"])

    play(body)


def test_who_waited_for_a_shutdown_may_make_the_domain_anew() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create())
        await world.call("domain.shutdown", domain="example", wait=True)
        await world.create()
        await world.call("domain.destroy", domain="example", wait_for="accepted")
        await world.create()  # one that is being destroyed is waited for
        await world.connected(3)
        await world.call("domain.reboot", domain="example", wait=True)
        assert [each["domid"] for each in await world.call("domain.list")] == [0, 4]

    play(body)


def test_a_shutdown_asked_for_again_by_its_key_is_answered_though_the_domain_is_gone() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create())
        first = await world.call("domain.shutdown", domain="example", wait=True, key="k")
        assert first["shutdown_reason"] == SHUTDOWN_REASONS.index("poweroff")
        assert await world.names() == []
        assert await world.call("domain.shutdown", domain="example", wait=True, key="k") == first

    play(body)


def test_destroying_does_not_wait_for_a_guest_that_does_not_shut_down() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(extra=['extra="sim=ack-only"'])
        await trio.sleep(5)
        answer = await world.call("domain.shutdown", domain="example", wait=True, wait_for="accepted")
        await trio.sleep(5)
        with pytest.raises(XendError, match=r"^shutdown of example is running") as caught:
            await world.call("domain.reboot", domain="example")
        assert caught.value.fields["hint"] == "wait for it, or xl destroy example ends both"
        await world.call("domain.destroy", domain="example")
        shown = await world.call("operation.show", operation=answer["operation"])
        assert shown["state"] == "cancelled"
        assert await world.snapshot() == before

    play(body)


def test_a_guest_asked_to_shut_down_does_and_is_destroyed() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create()
        await world.connected(domid)
        await world.call("domain.shutdown", domain="example", wait=True)

        async def gone() -> bool:
            return not await world.names()

        await world.until(gone)
        assert await world.snapshot() == before

    play(body)


def test_a_paused_domain_waits_for_unpause() -> None:
    async def body(world: World) -> None:
        domid = await world.create(paused=True)
        (found,) = await world.call("domain.list", domain=domid)
        assert (found["state"], found["start_time"]) == ("paused", None)
        await trio.sleep(10)
        assert await world.backend_state(domid, "vif", 0) == b"2"
        await world.call("domain.unpause", domain="example")
        await world.connected(domid)

    play(body)


def test_a_name_may_be_changed_and_is_free_then() -> None:
    async def body(world: World) -> None:
        await world.create()
        await world.call("domain.rename", domain="example", name="other")
        assert await world.names() == ["other"]
        assert await world.client.read("/local/domain/1/name") == b"other"
        with pytest.raises(XendError, match="domain example does not exist"):
            await world.call("domain.destroy", domain="example")
        await world.create()
        assert await world.names() == ["other", "example"]
        with pytest.raises(XendError, match="domain example exists already"):
            await world.call("domain.rename", domain="other", name="example")

    play(body)


def test_a_guest_follows_its_memory_target() -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=["maxmem=96"])
        await world.connected(domid)

        for mib in (32, 96, 64):
            await world.call("domain.set_memory", domain="example", target_kib=mib << 10)
            await world.until(partial(has_kib, world, domid, mib << 10))
        with pytest.raises(XendError, match=r"memory of 97 MiB; from 1 to 96 \(maxmem\) is possible"):
            await world.call("domain.set_memory", domain="example", target_kib=97 << 10)

    play(body)


def test_a_limit_of_memory_holds_for_further_lives() -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=["maxmem=96"])
        await world.connected(domid)
        node = f"/local/domain/{domid}/memory/static-max"
        await world.call("domain.set_max_memory", domain="example", max_memory_kib=(128 << 10) - 1)
        info = await world.host.domain(domid)
        assert info is not None
        assert (info.max_memory_kib, info.memory_kib) == ((128 << 10) - 1, 64 << 10)
        assert await world.client.read(node) == b"131071"
        with pytest.raises(XendError, match="example has 65536 KiB, more than a limit of 65535 KiB"):
            await world.call("domain.set_max_memory", domain="example", max_memory_kib=(64 << 10) - 1)
        with pytest.raises(XendError, match="at most 1099511627776 KiB are possible"):
            await world.call("domain.set_max_memory", domain="example", max_memory_kib=1 << 54)
        await world.call("domain.set_memory", domain="example", target_kib=32 << 10)
        await world.until(partial(has_kib, world, domid, 32 << 10))
        await world.call("domain.set_max_memory", domain="example", max_memory_kib=48 << 10)
        await world.call("domain.reboot", domain="example", wait=True)
        (_, again) = await world.call("domain.list")
        assert again["domid"] > domid
        assert (again["memory_kib"], again["max_memory_kib"]) == (48 << 10, 48 << 10)

    play(body)


async def has_kib(world: World, domid: int, kib: int) -> bool:
    info = await world.host.domain(domid)
    return info is not None and info.memory_kib == kib


def test_virtual_cpus() -> None:
    async def body(world: World) -> None:
        await world.create(extra=["vcpus=2", "maxvcpus=3"])
        listed = await world.call("vcpu.list", domain="example")
        assert [each["online"] for each in listed["vcpus"]] == [True, True, False]
        assert listed["vcpus"][0]["hard_affinity"] == list(range(listed["cpus"]))
        assert (listed["name"], listed["domid"]) == ("example", 1)
        assert (await world.call("vcpu.list", domain=0))["vcpus"]

    play(body)


#: Event, action, and what domains there are once it has been acted on: (domid, name, state).
ACTIONS = [
    ("poweroff", "destroy", []),
    ("poweroff", "preserve", [(1, "example", "shutdown")]),
    ("poweroff", "restart", [(2, "example", "running")]),
    ("reboot", "restart", [(2, "example", "running")]),
    ("reboot", "destroy", []),
    ("crash", "rename-restart", [(1, "example-1", "crashed"), (2, "example", "running")]),
    ("crash", "preserve", [(1, "example", "crashed")]),
    ("crash", "coredump-destroy", []),
    ("crash", "coredump-restart", [(2, "example", "running")]),
    ("watchdog", "restart", [(2, "example", "running")]),
    ("watchdog", "destroy", []),
    ("soft_reset", "soft-reset", [(2, "example", "running")]),  # of a paravirtual one
    ("soft_reset", "destroy", []),
]


@pytest.mark.parametrize(("event", "action", "expected"), ACTIONS)
def test_what_is_done_when_a_domain_ends(
    event: str, action: str, expected: list[tuple[int, str, str]]
) -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=[f'on_{event}="{action}"'])
        await world.connected(domid)
        await world.host.shutdown(domid, SHUTDOWN_REASONS.index(event))
        await trio.sleep(30)
        found = [(d["domid"], d["name"], d["state"]) for d in await world.call("domain.list") if d["domid"]]
        assert found == expected
        for domid, _, state in expected:
            if state == "running":
                await world.connected(domid)
        cores = list((world.directory / "dump").glob("*"))
        assert len(cores) == action.startswith("coredump")

    play(body)


def test_a_domain_that_restarts_in_a_loop_is_braked() -> None:
    """It comes up, reboots at once, and is made to wait longer each time."""

    async def body(world: World) -> None:
        await world.create(extra=['extra="sim=reboot-at=5"'])
        await trio.sleep(600)
        # Without the brake there would be thousands; with it some in the first minute, then one a minute.
        restarts = [line for line in world.trace if re.search(r"domain.restart example: started", line)]
        assert 8 <= len(restarts) <= 20

    play(body)


def test_a_domain_destroyed_by_others_is_reaped_with_the_reason() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create()
        await world.connected(domid)
        await world.host.destroy(domid)
        await trio.sleep(30)
        assert await world.snapshot() == before
        assert any("example (domain 1) is gone" in line for line in world.trace)

    play(body)


OTHER = EXAMPLE + 'name="b"\n'
REFUSALS = [
    ("domain.destroy", {"domain": "nosuch"}, "no_such_domain", "domain nosuch does not exist"),
    ("domain.destroy", {"domain": 0}, "wrong_state", "cannot destroy Domain-0: it is this host"),
    ("domain.pause", {"domain": "Domain-0"}, "wrong_state", "cannot pause Domain-0: it is this host"),
    ("domain.create", {"text": EXAMPLE}, "name_in_use", r"domain example exists already \(domid 1\)"),
    ("domain.create", {"text": OTHER + "memory=1000000"}, "out_of_memory", "it needs 1000000 MiB"),
    ("domain.create", {"text": OTHER + 'kernel="/no"'}, "bad_image", "kernel .*/no cannot be read"),
    ("domain.shutdown", {"domain": "paused"}, "wrong_state", "paused is paused: it cannot hear"),
    ("domain.rename", {"domain": "example", "name": "a/b"}, "bad_request", "expected a name without /"),
    ("domain.config", {"domain": 0}, "wrong_state", "Domain-0 was not created by this xend"),
    ("domain.sysrq", {"domain": "example", "letter": "ab"}, "bad_request", "one letter or digit was"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "params", "code", "message"), REFUSALS)
def test_what_is_refused_changes_nothing(
    method: str, params: dict[str, object], code: str, message: str
) -> None:
    async def body(world: World) -> None:
        await world.create()
        await world.create(extra=['name="paused"'], paused=True)
        await trio.sleep(10)
        before = await world.snapshot()
        with pytest.raises(XendError, match=message) as caught:
            await world.call(method, **params)
        assert caught.value.code == code
        assert await world.snapshot() == before

    play(body)


def test_a_guest_that_does_not_answer_is_told_and_may_be_forced() -> None:
    async def body(world: World) -> None:
        await world.create(extra=['extra="sim=hang-shutdown"'])
        await trio.sleep(10)
        with pytest.raises(XendError, match="example did not answer control/shutdown within 60 s") as caught:
            await world.call("domain.shutdown", domain="example")
        assert caught.value.fields["waited_s"] == 60
        assert await world.client.read("/local/domain/1/control/shutdown") == b""
        assert await world.names() == ["example"]
        await world.call("domain.shutdown", domain="example", force=True, timeout_s=5)
        await trio.sleep(30)
        assert await world.names() == []

    play(body)


def test_an_operation_can_be_cancelled_and_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.scripts.behaviours["block"] = "hang"
        answer = await world.call("domain.create", text=EXAMPLE, wait_for="accepted")
        await trio.sleep(5)
        shown = await world.call("operation.show", operation=answer["operation"])
        assert shown["waiting"]["for"].endswith("block to end (vbd 0x0)")
        with pytest.raises(XendError, match=r"^create of example is running"):
            await world.call("domain.create", text=EXAMPLE)
        world.scripts.behaviours.clear()
        await world.call("operation.cancel", operation=answer["operation"])
        with pytest.raises(XendError) as caught:
            await world.call("operation.wait", operation=answer["operation"])
        assert caught.value.code == "cancelled"
        assert await world.snapshot() == before

    play(body)


def test_a_call_repeated_with_its_key_is_executed_once() -> None:
    async def body(world: World) -> None:
        first = await world.call("domain.create", text=EXAMPLE, key="k1")
        assert await world.call("domain.create", text=EXAMPLE, key="k1") == first
        assert await world.names() == ["example"]

    play(body)


SCRIPTS = [
    ("fail", "script_failed", r"vif 0: .*/vif-bridge exited with status 1.*bridge xenbr0 does not exist"),
    ("nothing", "script_failed", r"vif 0: .*vif-bridge ended without an error, but hotplug-status is empty"),
]


@pytest.mark.parametrize(("behaviour", "code", "message"), SCRIPTS)
def test_a_script_that_fails_says_so_and_leaves_nothing(behaviour: str, code: str, message: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.scripts.behaviours["vif-bridge"] = behaviour
        with pytest.raises(XendError) as caught:
            await world.create()
        assert caught.value.code == code
        assert re.search(message, str(caught.value)), str(caught.value)
        assert caught.value.fields["device"] == "vif 0"
        assert await world.snapshot() == before

    play(body)
