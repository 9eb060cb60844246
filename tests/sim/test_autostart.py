"""Domains that start with the host: order, failures, and what calls promise."""

import os
import re

import pytest
import trio

from tests.sim.autostarting import (
    ALREADY,
    BASE,
    DOWN,
    UP,
    moment,
    outcomes,
    put,
    start,
    stop,
    three,
    told,
)
from tests.sim.world import World, play
from xend.autostart.start import PARALLEL
from xend.errors import XendError
from xend.hypervisor import SHUTDOWN_REASONS
from xend.operation.running import Operation

pytestmark = pytest.mark.slow


def test_what_stands_in_auto_starts_in_order_of_name_and_is_connected() -> None:
    async def body(world: World) -> None:
        for name in ("web", "db", "mail"):
            put(world, name, auto=True)
        put(world, "other")
        assert await start(world) == {"db": UP, "mail": UP, "web": UP}
        assert told(world, "starting") == [("db", "starting"), ("mail", "starting"), ("web", "starting")]
        assert sorted(await world.names()) == ["db", "mail", "web"]
        for domid in (1, 2, 3):
            assert await world.backend_state(domid, "vif", 0) == b"4"
        assert await start(world) == {"db": ALREADY, "mail": ALREADY, "web": ALREADY}

    play(body)


def test_what_is_no_configuration_in_auto_is_passed_over() -> None:
    async def body(world: World) -> None:
        put(world, "db", auto=True)
        put(world, "web", 'autostart_after=["gone"]', auto=True)
        auto = world.directory / "auto"
        for name in ("README", "db~", ".db.swp", "#db#", "db.dpkg-old"):
            (auto / name).write_text("no configuration")
        (auto / "folder").mkdir()
        (auto / "gone").symlink_to("../gone")
        lines = (await world.call("autostart.start", dry_run=True))["steps"]
        assert lines == ["start db", "start web after gone", 'ignore gone: its link leads nowhere: "../gone"']
        needs = "needs gone, which neither runs nor is among those to start"
        ignored = ("ignored", 'its link leads nowhere: "../gone"')
        assert await start(world) == {"db": UP, "web": ("not-started", needs), "gone": ignored}
        (auto / "web").unlink()
        rows = await world.call("autostart.start")
        assert all(row["ok"] for row in rows)
        assert (await stop(world))["db"] == DOWN

    play(body)


def test_one_starts_after_those_it_needs_are_up() -> None:
    async def body(world: World) -> None:
        put(world, "web", 'autostart_after=["db", "dns"]')
        put(world, "db", 'autostart_after=["dns"]', 'name="database"')
        put(world, "dns")
        put(world, "alone")
        assert await start(world, "web", "alone", "db", "dns") == dict.fromkeys(
            ["web", "alone", "db", "dns"], UP
        )
        events = told(world)
        for before, after in (("dns", "db"), ("db", "web"), ("dns", "web")):
            assert events.index((before, "up")) < events.index((after, "starting"))
        assert events.index(("alone", "starting")) < events.index(("dns", "up"))
        assert "autostart web: waiting: for db, dns" in world.logged
        assert "database" in await world.names()

    play(body)


def test_what_comes_after_waits_for_the_delay() -> None:
    async def body(world: World) -> None:
        put(world, "first")
        put(world, "db", "autostart_delay=7")
        put(world, "last")
        put(world, "web", 'autostart_after=["db"]')
        assert set((await start(world, "first", "db", "last", "web")).values()) == {UP}
        up = moment(world, "autostart db: up")
        assert moment(world, "autostart first: starting") <= up
        for name in ("last", "web"):
            assert moment(world, f"autostart {name}: starting") == pytest.approx(up + 7, abs=0.01)
        assert "autostart web: waiting: until db has been up for 7 s" in world.logged

    play(body)


def test_no_more_than_a_few_are_created_at_the_same_time() -> None:
    async def body(world: World) -> None:
        names = [f"d{number:02}" for number in range(20)]
        most = 0

        def on_step(operation: Operation) -> None:
            nonlocal most
            running = [each for each in world.xend.operations.all() if each.state == "running"]
            most = max(most, len(running))

        world.on_step = on_step
        for name in names:
            put(world, name, auto=True)
        assert list((await start(world)).items()) == [(name, UP) for name in names]
        assert [name for name, _ in told(world, "starting")] == names
        assert most == PARALLEL
        world.on_step = lambda operation: None
        assert set((await stop(world)).values()) == {DOWN}
        assert await world.names() == []

    play(body)


def test_what_cannot_start_is_named_and_the_others_go_on() -> None:
    async def body(world: World) -> None:
        put(world, "a", 'autostart_after=["b"]')
        put(world, "b", 'autostart_after=["c"]')
        put(world, "c", 'autostart_after=["a"]')
        put(world, "behind", 'autostart_after=["a"]')
        put(world, "self", 'autostart_after=["self"]')
        put(world, "strange", 'autostart_after=["nosuch"]')
        put(world, "broken", "memory = lots")
        put(world, "needs", 'autostart_after=["broken"]')
        put(world, "deeper", 'autostart_after=["needs"]')
        put(world, "twin", 'name="well"')
        put(world, "well")
        put(world, "open")
        (world.directory / "open").chmod(0o664)
        os.mkfifo(world.directory / "pipe", 0o600)
        found = await start(
            world, "a", "b", "c", "behind", "self", "strange", "broken", "needs", "deeper", "well", "twin",
            "open", "pipe", "missing", "../etc", ".hidden",
        )  # fmt: skip
        circle = "autostart_after goes round in a circle: a after b after c after a"
        for name in ("a", "b", "c"):
            assert found[name] == ("failed", circle)
        assert found["behind"] == ("not-started", f"needs a, which failed: {circle}")
        assert found["self"][1] == "autostart_after goes round in a circle: self after self"
        assert found["strange"] == (
            "not-started", "needs nosuch, which neither runs nor is among those to start"
        )  # fmt: skip
        broken = f"{world.directory}/broken:6: "
        assert (found["broken"][1] or "").startswith(broken)
        assert (found["needs"][1] or "").startswith(f"needs broken, which failed: {broken}")
        assert found["deeper"] == ("not-started", "needs needs, which was not started")
        assert found["well"] == UP
        assert "domain well stands in well already" in (found["twin"][1] or "")
        assert "open may be written by others than its owner (mode 0664)" in (found["open"][1] or "")
        assert "pipe is no file" in (found["pipe"][1] or "")
        assert "missing cannot be read: No such file or directory" in (found["missing"][1] or "")
        for name in ("../etc", ".hidden"):
            assert "the name of a file in the configuration directory was expected" in (found[name][1] or "")
        assert await world.names() == ["well"]

    play(body)


def test_a_domain_that_fails_keeps_those_that_need_it_down() -> None:
    async def body(world: World) -> None:
        put(world, "db", 'kernel="/nosuch"', "autostart_delay=5")
        put(world, "web", 'autostart_after=["db"]')
        put(world, "mail")
        before = await world.snapshot()
        found = await start(world, "db", "web", "mail")
        assert found["mail"] == UP
        assert found["db"][0] == "failed"
        assert found["web"] == ("not-started", f"needs db, which failed: {found['db'][1]}")
        assert await stop(world, "db", "web", "mail") == {
            "mail": DOWN,
            "db": ("not-running", None),
            "web": ("not-running", None),
        }
        assert await world.snapshot() == before

    play(body)


def test_a_dependency_that_runs_already_need_not_be_named() -> None:
    async def body(world: World) -> None:
        put(world, "db")
        put(world, "web", 'autostart_after=["db"]')
        await start(world, "db")
        assert await start(world, "web") == {"web": UP}
        await world.call("domain.pause", domain="db")
        await world.call("domain.destroy", domain="web")
        assert (await start(world, "web"))["web"][0] == "not-started"

    play(body)


IN_THE_WAY = [
    ("paused", r"a domain db is there \(domid 1\) and is paused \(xl unpause db lets it run\)"),
    ("crashed", r"a domain db is there \(domid 1\) and has shut down \(xl destroy db ends it\)"),
]


@pytest.mark.parametrize(("state", "message"), IN_THE_WAY)
def test_a_domain_that_is_there_and_does_not_run(state: str, message: str) -> None:
    async def body(world: World) -> None:
        put(world, "db", 'on_crash="preserve"')
        await start(world, "db")
        if state == "paused":
            await world.call("domain.pause", domain="db")
        else:
            await world.host.shutdown(1, SHUTDOWN_REASONS.index("crash"))
        outcome, reason = (await start(world, "db"))["db"]
        assert outcome == "failed"
        assert re.fullmatch(message, reason or ""), reason

    play(body)


def test_a_device_that_does_not_connect_is_named_and_holds_nobody_up_for_long() -> None:
    async def body(world: World) -> None:
        put(world, "db", 'extra="sim=never-answer"')
        put(world, "web", 'autostart_after=["db"]')
        found = await start(world, "db", "web")
        reason = "vbd 0x0 is not connected after 60 s; vif 0 is not connected after 60 s"
        assert found == {"db": ("up", reason), "web": UP}

    play(body)


def test_a_guest_that_ends_before_it_is_connected_has_failed() -> None:
    async def body(world: World) -> None:
        put(world, "db", 'extra="sim=crash-at=3"')
        put(world, "kept", 'extra="sim=crash-at=3"', 'on_crash="preserve"')
        found = await start(world, "db", "kept")
        assert found["db"][0] == found["kept"][0] == "failed"
        assert "it ended before its devices were connected" in (found["db"][1] or "")
        assert "it has shut down before its devices were connected" in (found["kept"][1] or "")

    play(body)


def test_a_guest_that_reboots_for_ever_is_not_up() -> None:
    async def body(world: World) -> None:
        put(world, "db", 'extra="sim=reboot-at=3"')
        outcome, reason = (await start(world, "db"))["db"]
        assert outcome == "failed"
        assert (reason or "").startswith("it restarts again and again, and was not up within 60 s")
        assert (await stop(world, "db"))["db"][0] in ("down", "not-running")
        await trio.sleep(120)
        assert await world.names() == []

    play(body)


def test_who_serves_the_devices_comes_first() -> None:
    async def body(world: World) -> None:
        put(world, "drv")
        put(world, "web", 'disk=["phy:/d,xvda,w,backend=drv"]', 'vif=["backend=net", "backend=0"]')
        put(world, "net", 'autostart_after=["drv"]')
        answer = await world.call("autostart.start", names=["web", "net", "drv"], dry_run=True)
        assert answer["steps"] == ["start drv", "start net after drv", "start web after drv, net"]

    play(body)


def test_a_call_made_again_with_its_key_joins_the_first() -> None:
    async def body(world: World) -> None:
        put(world, "db", auto=True)
        assert await world.call("autostart.start", key="k", wait_for="accepted") == {"ended": False}
        rows = await world.call("autostart.start", key="k")
        assert outcomes(rows) == {"db": UP}
        assert await world.call("autostart.start", key="k", wait_for="accepted") == {"ended": True}
        assert await world.call("autostart.start", key="k") == rows
        assert outcomes(await world.call("autostart.start", key="other")) == {"db": ALREADY}

    play(body)


def test_dry_runs_say_what_would_be_done_and_do_nothing() -> None:
    async def body(world: World) -> None:
        three(world)
        put(world, "bad", "memory=x", auto=True)
        answer = await world.call("autostart.start", dry_run=True)
        assert answer["steps"][:3] == [
            "start db; then wait 3 s",
            "start app after db; then wait 2 s",
            "start web after app",
        ]
        assert answer["steps"][3].startswith("refuse bad: ")
        assert await world.names() == []
        await start(world)
        answer = await world.call("autostart.stop", dry_run=True)
        assert answer == {"steps": ["stop web", "stop app after web", "stop db after app"]}
        assert len(await world.names()) == 3

    play(body)


def test_a_directory_that_others_may_write_is_not_used() -> None:
    async def body(world: World) -> None:
        put(world, "db", auto=True)
        (world.directory / "auto").chmod(0o777)
        with pytest.raises(XendError, match=r"auto may be written by others .* \(.*chmod go-w"):
            await start(world)
        (world.directory / "auto").chmod(0o755)
        target = world.directory / "elsewhere"
        target.write_text(BASE)
        target.chmod(0o666)
        (world.directory / "auto/linked").symlink_to(target)
        found = await start(world)
        assert found["db"] == UP
        assert "auto/linked may be written by others" in (found["linked"][1] or "")

    play(body)


def test_a_seed_gives_the_same_trace_twice() -> None:
    async def body(world: World) -> None:
        await world.follow_store()
        three(world)
        put(world, "mail", auto=True)
        await start(world)
        await stop(world, all=True)

    first, again = play(body, seed=5), play(body, seed=5)
    assert first.trace == again.trace
    assert len(first.trace) > 500
