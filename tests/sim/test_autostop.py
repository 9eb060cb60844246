"""Domains that stop with the host: order, hangs, and what would bring them back."""

from functools import partial

import pytest
import trio

from tests.sim.autostarting import DOWN, HANGS, moment, put, start, stop, told
from tests.sim.world import World, play
from xend.hypervisor import SHUTDOWN_REASONS

pytestmark = pytest.mark.slow


def test_those_that_need_others_go_down_first() -> None:
    async def body(world: World) -> None:
        put(world, "db", auto=True)
        put(world, "web", 'autostart_after=["db"]', auto=True)
        put(world, "app", 'autostart_after=["db"]', auto=True)
        put(world, "cache", 'autostart_after=["app", "web"]', auto=True)
        put(world, "other")
        before = await world.snapshot()
        await start(world)
        await start(world, "other")
        assert await stop(world) == {"cache": DOWN, "web": DOWN, "app": DOWN, "db": DOWN}
        events = told(world)
        for first, then in (("cache", "web"), ("cache", "app"), ("web", "db"), ("app", "db")):
            assert events.index((first, "down")) < events.index((then, "stopping"))
        assert await world.names() == ["other"]
        assert await stop(world, all=True) == {"other": DOWN}
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("one", "two", "three"), ["three", "two", "one"]),
        (("two", "one"), ["one", "two"]),
        (("three", "gone", "one", "three"), ["one", "three"]),
        ((), ["three", "one", "two"]),
    ],
)
def test_others_are_asked_in_the_reverse_of_the_order_given(
    words: tuple[str, ...], expected: list[str]
) -> None:
    """Those of rc.conf come up beside each other, and which is made first is chance."""

    async def body(world: World) -> None:
        for name in ("two", "one", "three"):
            put(world, name)
            await start(world, name)
        await stop(world, *words, all=not words)
        assert [name for name, what in told(world) if what == "stopping"] == expected

    play(body)


@pytest.mark.parametrize("fault", ["hang-shutdown", "ack-only", "never-answer"])
def test_a_guest_that_does_not_shut_down_is_destroyed_at_the_deadline(fault: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        put(world, "db", f'extra="sim={fault}"')
        put(world, "web")
        await start(world, "db", "web")
        began = world.now()
        found = await stop(world, "db", "web", timeout_s=30)
        assert found == {"web": DOWN, "db": ("destroyed", "it did not shut down within 30 s")}
        assert 30 <= world.now() - began < 45
        await trio.sleep(30)
        assert await world.snapshot() == before

    play(body)


def test_the_deadline_is_sixty_seconds_and_five_for_each_domain() -> None:
    async def body(world: World) -> None:
        put(world, "db", HANGS)
        put(world, "web", HANGS)
        await start(world, "db", "web")
        found = await stop(world, "db", "web")
        assert set(found.values()) == {("destroyed", "it did not shut down within 70 s")}

    play(body)


def test_one_that_hangs_may_be_left() -> None:
    async def body(world: World) -> None:
        put(world, "db", HANGS)
        await start(world, "db")
        found = await stop(world, "db", timeout_s=10, last_resort="leave")
        assert found == {"db": ("left", "it did not shut down within 10 s")}
        assert await world.client.read("/local/domain/1/control/shutdown") == b""
        (shown,) = await world.call("domain.list", domain="db")
        assert shown["state"] == "running"

    play(body)


def test_others_are_asked_in_time_where_one_that_needs_them_hangs() -> None:
    async def body(world: World) -> None:
        put(world, "db")
        put(world, "web", 'autostart_after=["db"]', HANGS)
        await start(world, "db", "web")
        began = world.now()
        found = await stop(world, "db", "web", timeout_s=60)
        assert found == {"web": ("destroyed", "it did not shut down within 60 s"), "db": DOWN}
        assert moment(world, "autostart db: stopping") == pytest.approx(began + 40, abs=0.1)

    play(body)


def test_of_two_that_hang_the_one_that_needs_the_other_is_destroyed_first() -> None:
    async def body(world: World) -> None:
        put(world, "db", HANGS)
        put(world, "web", 'autostart_after=["db"]', HANGS)
        await start(world, "db", "web")
        found = await stop(world, "db", "web", timeout_s=60)
        assert [outcome for outcome, _ in found.values()] == ["destroyed", "destroyed"]
        assert told(world, "destroyed") == [("web", "destroyed"), ("db", "destroyed")]

    play(body)


STATES = [
    ("paused", ("destroyed", "it was paused, and could not hear")),
    ("crash", ("destroyed", "it had shut down already (crash)")),
    ("poweroff", ("down", "it had shut down already (poweroff)")),
]


@pytest.mark.parametrize(("state", "expected"), STATES)
def test_a_domain_that_does_not_run_is_ended_at_once(state: str, expected: tuple[str, str]) -> None:
    async def body(world: World) -> None:
        put(world, "db", 'on_crash="preserve"', 'on_poweroff="preserve"')
        await start(world, "db")
        if state == "paused":
            await world.call("domain.pause", domain="db")
        else:
            await world.host.shutdown(1, SHUTDOWN_REASONS.index(state))
            await trio.sleep(5)
        began = world.now()
        assert await stop(world, all=True) == {"db": expected}
        assert world.now() - began < 5
        assert await world.names() == []

    play(body)


@pytest.mark.parametrize("action", ["preserve", "restart", "rename-restart", "coredump-restart"])
def test_no_configuration_brings_back_what_is_being_stopped(action: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        put(world, "db", f'on_poweroff="{action}"', f'on_reboot="{action}"')
        await start(world, "db")
        assert await stop(world, "db") == {"db": DOWN}
        await trio.sleep(60)
        assert await world.snapshot() == before

    play(body)


def test_a_guest_that_reboots_or_crashes_instead_stays_down() -> None:
    async def body(world: World) -> None:
        put(world, "db", 'extra="sim=hang-shutdown"', 'on_crash="restart"')
        put(world, "web", 'extra="sim=hang-shutdown"')
        await start(world, "db", "web")

        async def end() -> None:
            await trio.sleep(5)
            await world.host.shutdown(1, SHUTDOWN_REASONS.index("crash"))
            await world.host.shutdown(2, SHUTDOWN_REASONS.index("reboot"))

        world.soon(end)
        found = await stop(world, "db", "web")
        assert found == {"db": ("destroyed", "it crashed while it shut down"), "web": DOWN}
        await trio.sleep(60)
        assert await world.names() == []

    play(body)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0])
def test_a_domain_that_is_just_restarting_does_not_come_back(seconds: float) -> None:
    """From its end to the wait between two restarts, and through its creation."""

    async def body(world: World) -> None:
        put(world, "db", 'extra="sim=reboot-at=20"', 'on_reboot="restart"')
        world.soon(partial(start, world, "db"))
        await world.until(partial(has_rebooted, world))
        await trio.sleep(seconds)
        found = await stop(world, all=True)
        assert not found or found["db"][0] in ("down", "destroyed")
        await trio.sleep(120)
        assert await world.names() == []

    async def has_rebooted(world: World) -> bool:
        return any("has shut down: reboot" in line for line in world.logged)

    play(body)


def test_stopping_ends_a_start_that_is_under_way() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        put(world, "db", "autostart_delay=20", auto=True)
        put(world, "web", auto=True)
        rows: list[dict[str, tuple[str, str | None]]] = []

        async def starting() -> None:
            rows.append(await start(world))

        world.soon(starting)
        await trio.sleep(0.2)
        found = await stop(world)
        await trio.sleep(1)
        (started,) = rows
        assert started["web"] == ("not-started", "domains are being stopped (xl autostop)")
        assert found["web"] == ("not-running", None)
        await trio.sleep(60)
        assert await world.snapshot() == before

    play(body)


def test_domains_of_others_go_down_last_come_first() -> None:
    async def body(world: World) -> None:
        put(world, "one")
        put(world, "two")
        await start(world, "one", "two")
        await world.kill_xend()
        for record in (world.directory / "xend/domains").iterdir():
            record.unlink()
        await world.start_xend()
        put(world, "three")
        await start(world, "three")
        found = await stop(world, all=True)
        assert list(found) == ["three", "two", "one"]
        assert set(found.values()) == {DOWN}
        assert await world.names() == []

    play(body)
