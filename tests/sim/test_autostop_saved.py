"""Domains that are saved as the host stops, and restored as it starts, before others are created."""

import os
import stat
from pathlib import Path

import pytest
import trio

from tests.sim.autostarting import DOWN, UP, moment, outcomes, put, start, stop, told
from tests.sim.test_faults import at, kill, settled
from tests.sim.world import World, play
from xend.errors import XendError

pytestmark = pytest.mark.slow

SAVE = 'on_shutdown = "save"'
SAVED = ("saved", None)
RESTORED = ("restored", None)


def files(world: World) -> list[str]:
    """What is in the directory of saved domains."""
    try:
        return sorted(os.listdir(world.directory / "saved"))
    except FileNotFoundError:
        return []


async def uptime(world: World, name: str) -> float:
    """Of its kernel, which does not know of the time between two saves."""
    (found,) = await world.call("domain.list", domain=name)
    booted_at = world.host._domains[found["domid"]].booted_at
    assert booted_at is not None
    return trio.current_time() - booted_at


def test_one_is_saved_and_goes_on_when_the_host_is_back() -> None:
    async def body(world: World) -> None:
        put(world, "db", SAVE, auto=True)
        put(world, "web", 'autostart_after = [ "db" ]', auto=True)
        await start(world)
        await trio.sleep(50)
        age = await uptime(world, "db")
        assert (await world.call("autostart.stop", dry_run=True))["steps"] == [
            "stop web",
            "save db after web",
        ]
        assert await stop(world) == {"web": DOWN, "db": SAVED}
        assert told(world)[-2:] == [("db", "saving"), ("db", "saved")]
        path = world.directory / "saved" / "db"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert await world.names() == []
        fate = world.xend.fates.of("db")
        reason = None if fate is None else fate.reason
        await trio.sleep(1000)
        lines = ["restore db", "start web after db"]
        assert (await world.call("autostart.start", dry_run=True))["steps"] == lines
        assert await start(world) == {"db": RESTORED, "web": UP}
        assert ("db", "restoring") in told(world)
        assert 0 <= await uptime(world, "db") - age < 15
        assert files(world) == []
        assert reason == f"saved to {path}"
        # From now on it is any domain: stopped without a save it begins anew.
        assert await stop(world, "web") == {"web": DOWN}
        assert await stop(world) == {"web": ("not-running", None), "db": SAVED}

    play(body)


def test_all_of_them_and_those_that_say_that_they_are_not() -> None:
    async def body(world: World) -> None:
        put(world, "db")
        put(world, "web", 'on_shutdown = "shutdown"')
        put(world, "gone")
        await start(world, "db", "web", "gone")
        found = await stop(world, all=True, save=True)
        assert found == {"db": SAVED, "web": DOWN, "gone": SAVED}
        (world.directory / "gone").unlink()
        # Nobody names it and nothing describes it any more: the host's start restores it all the same.
        assert await start(world, "db", "web") == {"db": RESTORED, "web": UP}
        assert files(world) == ["gone"]
        assert await start(world, "db", saved=True) == {"gone": RESTORED, "db": ("already-running", None)}
        assert files(world) == []

    play(body)


def test_a_domain_is_found_by_the_file_that_it_was_made_of() -> None:
    """It may be called otherwise by now, and the file be wrong."""

    async def body(world: World) -> None:
        put(world, "db", SAVE)
        await start(world, "db")
        await world.call("domain.rename", domain="db", name="renamed")
        assert await stop(world, "db") == {"renamed": SAVED}
        put(world, "db", "memory = 'wrong'")
        assert await start(world, "db") == {"db": RESTORED}
        assert await world.names() == ["renamed"]
        assert files(world) == []

    play(body)


def test_they_are_restored_before_others_are_created() -> None:
    async def body(world: World) -> None:
        for name in ("a", "b"):
            put(world, name)
        put(world, "z", SAVE, 'autostart_after = [ "needed" ]')
        put(world, "needed")
        names = ("a", "b", "z", "needed")
        await start(world, *names)
        await stop(world, *names)
        assert await start(world, *names) == {"a": UP, "b": UP, "needed": UP, "z": RESTORED}
        restoring = moment(world, "autostart z: restoring")
        assert moment(world, "autostart needed: starting") <= restoring
        assert moment(world, "autostart a: starting") >= restoring
        assert ("a", "waiting") in told(world)

    play(body)


def test_a_file_that_cannot_be_restored_is_kept_and_said() -> None:
    async def body(world: World) -> None:
        put(world, "db", SAVE)
        put(world, "web")
        await start(world, "db", "web")
        await stop(world, "db", "web")
        path = world.directory / "saved" / "db"
        whole = path.read_bytes()
        for data in (whole[:-8], b"nothing", whole[:-300] + b"\1" + whole[-299:]):
            path.write_bytes(data)
            rows = await world.call("autostart.start", names=["db", "web"])
            found = outcomes(rows)
            assert found["web"][0] in ("up", "already-running")
            outcome, reason = found["db"]
            assert (outcome, reason is not None and "its file stays" in reason) == ("failed", True)
            (error,) = [row["error"] for row in rows if row["name"] == "db"]
            assert f"xl restore {path} tries again; rm {path} gives its memory up" in error["hint"]
            assert path.read_bytes() == data
            assert await world.names() == ["web"]
        # Nor does anybody else make another one of that name, behind its back.
        with pytest.raises(XendError, match="db was saved as the host stopped, and waits in"):
            await world.create((world.directory / "db").read_text() + 'name = "db"\n')
        path.write_bytes(whole)
        assert (await world.call("domain.restore", file=str(path)))["name"] == "db"
        assert files(world) == []

    play(body)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('extra = "sim=hang-shutdown"', "did not answer a request to suspend itself within 60 s"),
        ('extra = "sim=ack-only"', "answered, and did not suspend itself within 60 s"),
        ("memory = 400000", "MiB left for a file of 400001 MiB"),
    ],
)
def test_what_cannot_be_saved_is_shut_down(line: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        put(world, "db", SAVE, line.replace("400000", "32"))
        put(world, "web", SAVE)
        await start(world, "db", "web")
        with monkeypatch.context() as patch:
            if "memory" in line:  # room for one of the two
                block, kib = 1024, 32 * 1024 + 2048
                rest = os.statvfs(world.directory)[5:]
                found = os.statvfs_result((block, block, kib, kib, kib, *rest))
                patch.setattr(os, "statvfs", lambda path: found)
            found_rows = await stop(world, "db", "web")
        names = {name for name, row in found_rows.items() if row == SAVED}
        (other,) = {"db", "web"} - names
        why = str(found_rows[other][1])
        expected = "MiB left for a file of 33 MiB" if "memory" in line else reason
        assert (why.startswith("it could not be saved: "), expected in why) == (True, True), why
        assert files(world) == sorted(names)
        assert await world.names() == []

    play(body)


@pytest.mark.parametrize("line", ["", SAVE])
def test_a_kernel_that_cannot_suspend_itself_holds_up_nobody(line: str) -> None:
    """NetBSD's answers and runs on: it is tried only where its own configuration wants that."""

    async def body(world: World) -> None:
        put(world, "db", line, 'extra = "sim=ignore-suspend"')
        await start(world, "db")
        began = world.now()
        ((outcome, reason),) = (await stop(world, "db", save=True)).values()
        assert outcome == "down"
        expected = "answered, and did not suspend itself within" if line else "does not say that it can"
        assert expected in str(reason)
        assert (world.now() - began < 30) == (not line)

    play(body)


def test_a_save_ends_at_the_deadline() -> None:
    async def body(world: World) -> None:
        put(world, "db", SAVE, 'extra = "sim=suspend-late=50"')
        await start(world, "db")
        began = world.now()
        found = await stop(world, "db", timeout_s=20)
        # There was time left to shut down, for who is not about to suspend itself.
        why = "it could not be saved: it took too long; it did not shut down within 7 s"
        assert found == {"db": ("destroyed", why)}
        assert 20 <= world.now() - began <= 35
        assert (files(world), await world.names()) == ([], [])

    play(body)


def test_an_older_file_stays_until_the_new_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be there by what xend does: somebody put it there."""

    async def body(world: World) -> None:
        put(world, "db", SAVE)
        await start(world, "db")
        (world.directory / "saved").mkdir(mode=0o700)
        path = world.directory / "saved" / "db"
        path.write_text("older")

        def full(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("xend.domain.save.write_all", full)
            (reason,) = [row[1] for row in (await stop(world, "db")).values()]
        assert "No space left" in str(reason)
        assert (files(world), path.read_text()) == (["db"], "older")

    play(body)


def test_nobody_else_may_put_files_there() -> None:
    async def body(world: World) -> None:
        put(world, "db", SAVE)
        await start(world, "db")
        directory = world.directory / "saved"
        directory.mkdir()
        directory.chmod(0o777)
        found = await stop(world, "db")
        assert "cannot be used" in str(found["db"][1])
        with pytest.raises(XendError, match="cannot be used"):
            await start(world, "db")

    play(body)


#: Steps of a restore of a file that is used up.
LAST = ["check what it needs", "restore its memory", "put its file away", "start it", "remove its file"]


@pytest.mark.parametrize("step", LAST)
def test_xend_is_killed_while_it_restores(step: str) -> None:
    """The domain runs and the file is gone, or it does not and the file is there."""

    async def body(world: World) -> None:
        put(world, "db", SAVE)
        await start(world, "db")
        await stop(world, "db")
        world.on_step = at("domain.restore", step, kill, "db")
        await world.call("autostart.start", names=["db"], wait_for="accepted", key="k")
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        is_over = step in LAST[3:]
        assert (await world.names(), files(world)) == ((["db"], []) if is_over else ([], ["db"]))
        assert await start(world, "db") == {"db": ("already-running", None) if is_over else RESTORED}
        assert files(world) == []

    play(body)


@pytest.mark.parametrize("step", ["suspend it and write its memory", "put the file in its place"])
def test_xend_is_killed_while_it_saves(step: str) -> None:
    async def body(world: World) -> None:
        put(world, "db", SAVE)
        await start(world, "db")
        world.on_step = at("domain.save", step, kill, "db")
        await world.call("autostart.stop", names=["db"], wait_for="accepted", key="k")
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        is_over = step == "put the file in its place"
        assert await stop(world, "db") == {"db": ("not-running", None) if is_over else SAVED}
        assert files(world) == ["db"]

    play(body)


def test_what_a_host_that_went_down_left_is_removed() -> None:
    async def body(world: World) -> None:
        put(world, "db")
        directory = world.directory / "saved"
        directory.mkdir(mode=0o700)
        for name in (".xend-save-0123", ".xend-restored-db", ".mine"):
            Path(directory, name).write_text("x")
        assert await start(world, "db") == {"db": UP}
        assert files(world) == [".mine"]

    play(body)
