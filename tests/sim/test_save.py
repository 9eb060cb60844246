"""Saving and restoring: what a domain keeps, guests that do not suspend, and xend killed at each step."""

import errno
import os
import random
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.sim import steps
from tests.sim.test_faults import at, kill, settled
from tests.sim.world import EXAMPLE, World, play
from xend.errors import XendError
from xend.operation.running import Operation


async def domains(world: World) -> list[tuple[str, str]]:
    return [(each["name"], each["state"]) for each in await world.call("domain.list") if each["domid"] != 0]


async def runs(world: World, domid: int | None = None) -> int:
    """Its domid: it runs, with its devices connected, and ends as others do."""
    found = [each for each in await world.call("domain.list") if each["domid"]]
    assert [(each["name"], each["state"]) for each in found] == [("example", "running")]
    assert domid in (None, found[0]["domid"])
    domid = int(found[0]["domid"])
    await world.connected(domid)
    return domid


async def refused(world: World, code: str, said: str, method: str = "domain.save", **how: Any) -> XendError:
    with pytest.raises(XendError) as error:
        await world.call(method, **how)
    assert (error.value.code, said in f"{error.value}: {error.value.fields}") == (code, True), error.value
    return error.value


def saving(body: Callable[[World, str], Awaitable[None]], tmp_path: Path, extra: str = "") -> None:
    """In a world with the example connected; the file's path."""

    async def main(world: World) -> None:
        domid = await world.create(EXAMPLE + extra)
        if "never" not in extra:
            await world.connected(domid)
        await body(world, str(tmp_path / "saved"))
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]

    play(main)


async def refusal(world: World, file: str) -> XendError | None:
    """Why a file cannot be restored."""
    try:
        await world.call("domain.restore", file=file)
    except XendError as error:
        return error
    return None


async def uptime(world: World) -> float:
    (found,) = [each for each in await world.call("domain.list") if each["domid"]]
    domain = world.host._domains[found["domid"]]
    assert domain.booted_at is not None
    return trio.current_time() - domain.booted_at


def test_a_domain_is_saved_and_goes_on(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        before = await world.call("domain.config", domain="example")
        names = await world.snapshot()
        await trio.sleep(50)
        age = await uptime(world)
        result = await world.call("domain.save", domain="example", file=file)
        assert result["file"] == file
        assert await domains(world) == []
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
        await trio.sleep(1000)
        made = await world.call("domain.restore", file=file)
        assert (made["name"], made["domid"]) == ("example", 2)
        await runs(world, 2)
        assert 0 <= await uptime(world) - age < 10  # it did not boot again; what lay between it does not know
        after = await world.call("domain.config", domain="example")
        assert after["config"] == before["config"]
        assert os.path.exists(file)
        await world.call("domain.destroy", domain="example")
        assert await domains(world) == []
        assert len(await world.snapshot()) <= len(names)

    saving(body, tmp_path)


@pytest.mark.parametrize(("how", "state"), [({"checkpoint": True}, "running"), ({"paused": True}, "paused")])
def test_a_checkpoint(tmp_path: Path, how: dict[str, bool], state: str) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file, **how)
        assert await domains(world) == [("example", state)]
        await refused(world, "name_in_use", "exists already", "domain.restore", file=file)
        if state == "paused":
            await world.call("domain.unpause", domain="example")
        await runs(world, 1)
        await world.call("domain.shutdown", domain="example", wait=True)
        await settled(world)
        assert await domains(world) == []
        assert (await world.call("domain.restore", file=file, paused=True))["domid"] == 2
        assert await domains(world) == [("example", "paused")]

    saving(body, tmp_path)


def test_suspend_and_resume(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await refused(world, "wrong_state", "not suspended", "domain.resume", domain="example")
        await world.call("domain.suspend", domain="example")
        await trio.sleep(200)
        assert await domains(world) == [("example", "shutdown")]
        await refused(world, "wrong_state", "shut down already", "domain.suspend", domain="example")
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        assert await domains(world) == [("example", "shutdown")]  # as it was before
        await world.call("domain.resume", domain="example")
        await runs(world, 1)
        await world.call("domain.suspend", domain="example")
        await world.call("domain.resume", domain="example")
        # The next end is told, and acted on.
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        await runs(world, 2)
        await world.call("domain.suspend", domain="example")
        await world.call("domain.save", domain="example", file=file)
        assert await domains(world) == []
        await world.call("domain.restore", file=file)
        await runs(world, 3)

    saving(body, tmp_path)


@pytest.mark.parametrize(
    ("fault", "code", "text", "seconds"),
    [
        ("hang-shutdown", "no_answer", "did not answer a request to suspend itself within 60 s", 60),
        ("ack-only", "no_answer", "answered, and did not suspend itself within 60 s", 60),
        ("ignore-suspend", "no_answer", "NetBSD's kernels cannot be saved", 60),
        ("crash-at-suspend", "guest_died", "example shut down (crash) in place of suspending itself", 0),
    ],
)
def test_guests_that_do_not_suspend(tmp_path: Path, fault: str, code: str, text: str, seconds: int) -> None:
    async def body(world: World, file: str) -> None:
        Path(file).write_text("older")
        began = trio.current_time()
        await refused(world, code, text, domain="example", file=file)
        assert seconds <= trio.current_time() - began <= seconds + 10
        assert Path(file).read_text() == "older"
        await settled(world)
        if code == "guest_died":
            assert await domains(world) == []  # on_crash
            return
        await runs(world, 1)
        node = "/local/domain/1/control/shutdown"
        if fault != "ignore-suspend":  # which removes it
            assert await world.client.read(node) == b""
            assert "n1" in [str(perm) for perm in await world.client.get_perms(node)]
        await refused(world, code, text, "domain.suspend", domain="example")
        await runs(world, 1)
        if fault == "ignore-suspend":  # it hears other requests, though it removed the node of this one
            await world.call("domain.shutdown", domain="example", wait=True)
            await settled(world)
            assert await domains(world) == []

    saving(body, tmp_path, f'extra="sim={fault}"\n')


@pytest.mark.parametrize("how", ["save", "suspend"])
def test_a_guest_that_suspends_late_is_resumed(tmp_path: Path, how: str) -> None:
    async def body(world: World, file: str) -> None:
        parameters = {"file": file} if how == "save" else {}
        text = "answered, and did not suspend itself"
        await refused(world, "no_answer", text, f"domain.{how}", domain="example", **parameters)
        await trio.sleep(60)
        await settled(world)
        await runs(world, 1)
        assert any("late" in line for line in world.logged)
        # What it is asked for from now on is heard.
        await world.call("domain.shutdown", domain="example", wait=True)
        await settled(world)
        assert await domains(world) == []

    saving(body, tmp_path, 'extra="sim=suspend-late=90"\n')


def test_what_is_refused(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        for wrong, text in (
            ("saved", "an absolute path was expected"),
            (str(tmp_path / "no" / "where"), "there is no directory"),
            (str(tmp_path), "is no regular file"),
        ):
            await refused(world, "bad_request", text, domain="example", file=wrong)
        await world.call("domain.pause", domain="example")
        await refused(world, "wrong_state", "is paused", domain="example", file=file)
        await refused(world, "wrong_state", "is paused", "domain.suspend", domain="example")
        await refused(world, "wrong_state", "Domain-0", domain=0, file=file)
        await refused(world, "bad_request", "No such file", "domain.restore", file=file)
        await refused(world, "bad_request", "absolute", "domain.restore", file="saved")
        Path(file).write_text("nothing")
        await refused(world, "bad_request", "at byte 0, header: truncated", "domain.restore", file=file)
        assert await domains(world) == [("example", "paused")]

    saving(body, tmp_path)


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World, file: str) -> None:
        Path(file).write_text("older")
        with monkeypatch.context() as patch:
            found = os.statvfs(tmp_path)
            patch.setattr(os, "statvfs", lambda path: os.statvfs_result((4096, 4096, 9, 9, 9, *found[5:])))
            await refused(world, "bad_request", "0 MiB of free space", domain="example", file=file)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def write(*arguments: object) -> None:
            raise full

        for place in ("xend.simulator.saved.write_all", "xend.domain.save.write_all", "os.fsync"):
            with monkeypatch.context() as patch:
                patch.setattr(place, write)
                for how in ({}, {"checkpoint": True}):
                    with pytest.raises(XendError, match=r"No space left|write its memory"):
                        await world.call("domain.save", domain="example", file=file, **how)
            await runs(world, 1)
            assert sorted(os.listdir(tmp_path)) == ["saved"]
            assert Path(file).read_text() == "older"

    saving(body, tmp_path)


def test_damaged_files(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file)
        whole = Path(file).read_bytes()
        chance = random.Random(7)
        for at_byte in [chance.randrange(len(whole)) for _ in range(150)]:
            damaged = bytearray(whole)
            damaged[at_byte] ^= 1 << chance.randrange(8)
            Path(file).write_bytes(damaged)
            error = await refusal(world, file)
            if error is None:  # libxl's part, which is not looked at where xend's own is there
                assert at_byte < len(whole) - 140_000
                await world.call("domain.destroy", domain="example")
            else:
                assert "\n" not in str(error)
                assert error.code != "internal", error
                assert await domains(world) == []
        for end in (len(whole) - 1, len(whole) // 2, 3000, 40):
            Path(file).write_bytes(whole[:end])
            await refused(world, "bad_request", "truncated", "domain.restore", file=file)
        Path(file).write_bytes(whole[:-20] + b"\1" + whole[-19:])
        Path(file).write_bytes(whole)
        await world.call("domain.restore", file=file)
        await runs(world)

    saving(body, tmp_path)


@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_a_host_that_lacks_what_the_domain_has_seen(tmp_path: Path, type: str) -> None:
    """What another host's newer processor can is missed by its name, and only by domains that saw it."""

    async def body(world: World, file: str) -> None:
        newer = (*world.host.hardware.features, "avx512f", "avx512dq")
        older = world.host.hardware
        world.host.hardware = attrs.evolve(older, features=newer)
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file)
        await runs(world)
        await world.call("domain.save", domain="example", file=file)
        world.host.hardware = older
        error = await refused(
            world, "unsupported", "this host's processor lacks avx512f and avx512dq, which example has seen",
            "domain.restore", file=file,
        )  # fmt: skip
        assert 'cpuid = "host,avx512f=0,avx512dq=0"' in error.fields["hint"]
        assert await domains(world) == []
        world.host.hardware = attrs.evolve(older, features=(*newer, "sha"))
        await world.call("domain.restore", file=file)
        await runs(world)

    saving(body, tmp_path, f'type = "{type}"\n')


def test_another_configuration(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        before = await world.call("domain.config", domain="example")
        text = EXAMPLE + 'on_crash="preserve"\n'
        await world.call("domain.save", domain="example", file=file, text=text)
        await world.call("domain.restore", file=file)
        after = await world.call("domain.config", domain="example")
        assert after["config"]["c_info"] == before["config"]["c_info"]
        assert after["config"]["nics"] == before["config"]["nics"]
        assert after["config"]["on_crash"] == "preserve"
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file, text=text.replace('"example"', '"other"'))
        assert await domains(world) == [("other", "running")]
        config = (await world.call("domain.config", domain="other"))["config"]
        assert config["c_info"]["uuid"] == before["config"]["c_info"]["uuid"]
        assert config["nics"] == before["config"]["nics"]
        await world.call("domain.save", domain="other", file=file)
        await refused(
            world, "bad_config", "a pv domain, its configuration", "domain.restore", file=file,
            text=text + 'type="pvh"\n',
        )  # fmt: skip

    saving(body, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "is_checkpoint"),
    [*((each, False) for each in steps.SAVE), *((each, True) for each in steps.CHECKPOINT)],
)
def test_killed_while_it_saves(tmp_path: Path, step: str, is_checkpoint: bool) -> None:
    """It runs on, and no file is there; or it is ended, and the file is whole."""

    async def body(world: World, file: str) -> None:
        world.on_step = at("domain.save", step, kill)
        how = {"checkpoint": is_checkpoint, "wait_for": "accepted"}
        await world.call("domain.save", domain="example", file=file, **how)
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
        if is_checkpoint or step in steps.SAVE_UNTIL_PLACED:
            await runs(world, 1)
            assert not os.path.exists(file)
            await world.call("domain.save", domain="example", file=file)
        assert await domains(world) == []
        await world.call("domain.restore", file=file)
        await runs(world, 2)

    saving(body, tmp_path)


@pytest.mark.parametrize("wait_s", [1, 30])
@pytest.mark.parametrize("how", ["save", "suspend"])
def test_killed_while_a_guest_suspends_itself(tmp_path: Path, how: str, wait_s: int) -> None:
    """It answered, and does so before or after another xend is there."""

    async def body(world: World, file: str) -> None:
        parameters = {"file": file} if how == "save" else {}
        await world.call(f"domain.{how}", domain="example", wait_for="accepted", **parameters)
        await trio.sleep(5)
        await world.kill_xend()
        await trio.sleep(wait_s)
        await world.start_xend()
        await trio.sleep(60)
        await settled(world)
        await runs(world, 1)
        assert os.listdir(tmp_path) == []

    saving(body, tmp_path, 'extra="sim=suspend-late=20"\n')


@pytest.mark.slow
@pytest.mark.parametrize("step", steps.RESTORE)
def test_killed_while_it_restores(tmp_path: Path, step: str) -> None:
    """Nothing is left of it, and it can be restored; or it runs, once."""

    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file)
        world.on_step = at("domain.restore", step, kill)
        await world.call("domain.restore", file=file, wait_for="accepted")
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        if step != "start it":
            assert await domains(world) == []
            assert [info.domid for info in await world.host.domains()] == [0]
            await world.call("domain.restore", file=file)
        await runs(world)
        assert len(await world.host.domains()) == 2

    saving(body, tmp_path)


@pytest.mark.parametrize("step", [*steps.SUSPEND, *steps.RESUME])
def test_killed_while_it_suspends_or_resumes(tmp_path: Path, step: str) -> None:
    """It runs: a suspend is undone, a resume is done."""

    async def body(world: World, file: str) -> None:
        how = "resume" if step in steps.RESUME else "suspend"
        if how == "resume":
            await world.call("domain.suspend", domain="example")
        world.on_step = at(f"domain.{how}", step, kill)
        await world.call(f"domain.{how}", domain="example", wait_for="accepted")
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        await runs(world, 1)
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        await runs(world, 2)

    saving(body, tmp_path)


@pytest.mark.parametrize("step", [steps.PLACE, "pause it", "remove its nodes", "forget it"])
def test_from_the_file_on_nobody_cancels_a_save(tmp_path: Path, step: str) -> None:
    """It would leave a domain that is suspended for ever, beside a file that is whole."""

    async def body(world: World, file: str) -> None:
        def cancel() -> None:
            (running,) = [each for each in world.xend.operations.all() if not each.ended.is_set()]
            running.cancel()

        world.on_step = at("domain.save", step, cancel)
        assert (await world.call("domain.save", domain="example", file=file))["file"] == file
        assert await domains(world) == []

    saving(body, tmp_path)


def test_the_file_is_on_the_disk_before_its_domain_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a host that goes down at any moment leaves is the domain's disks, and one of the two files."""

    async def body(world: World, file: str) -> None:
        done: list[str] = []
        fsync, rename, destroy = os.fsync, os.rename, world.host.destroy

        def synced(fd: int) -> None:
            done.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
            fsync(fd)

        def renamed(source: str, target: str) -> None:
            done.append("name" if target == file else "other")
            rename(source, target)

        async def destroyed(domid: int) -> None:
            done.append("end")
            await destroy(domid)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", synced)
            patch.setattr(os, "rename", renamed)
            patch.setattr(world.host, "destroy", destroyed)
            await world.call("domain.save", domain="example", file=file)
        assert [each for each in done if each != "other"] == ["file", "name", "directory", "end"]

    saving(body, tmp_path)


def test_progress_is_told(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        told: list[tuple[str, Any]] = []
        changed = world.xend.operations._publish

        def publish(what: str, operation: Operation) -> None:
            changed(what, operation)
            if what == "progress":
                told.append((operation.kind.name, operation.as_map()["progress"]))

        world.xend.operations._publish = publish
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file)
        assert {kind for kind, _ in told} == {"domain.save", "domain.restore"}
        for _, progress in told:
            assert 0 < progress["done_kib"] <= progress["total_kib"] == 64 * 1024

    saving(body, tmp_path)


def test_cancelled_while_it_waits(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        operation = (await world.call("domain.save", domain="example", file=file, wait_for="accepted"))[
            "operation"
        ]
        await trio.sleep(5)
        await world.call("operation.cancel", operation=operation)
        await settled(world)
        await runs(world, 1)
        assert not os.path.exists(file)
        assert await world.client.read("/local/domain/1/control/shutdown") == b""

    saving(body, tmp_path, 'extra="sim=hang-shutdown"\n')
