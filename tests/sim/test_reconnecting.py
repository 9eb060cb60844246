"""A guest that is saved soon after it was restored: what it connects again is waited for, nothing else."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.sim.test_save import domains, refused, runs, saving
from tests.sim.world import World
from xend.stream import own

STATE = "/local/domain/{}/device/vbd/0/state"
CONTROL = "/local/domain/2/control/shutdown"
CONNECTED = "4"
#: Initialising, InitWait, Initialised.
AMID = ("1", "2", "3")


async def shows(world: World, domid: int, state: str) -> None:
    """Its front end, of which the simulated kernel takes no notice."""
    await world.client.write(STATE.format(domid), state)


def restored(
    body: Callable[[World, str], Awaitable[None]], tmp_path: Path, *, state: str, before: str = CONNECTED
) -> None:
    """In a world with one that was saved while its disk was in one state, and is in another one again."""

    async def main(world: World, file: str) -> None:
        await shows(world, 1, before)
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file)
        await runs(world, 2)
        await shows(world, 2, state)
        os.unlink(file)
        await body(world, file)

    saving(main, tmp_path)


@pytest.mark.parametrize("method", ["domain.save", "domain.suspend"])
@pytest.mark.parametrize("state", AMID)
def test_it_is_asked_once_its_disk_is_connected(tmp_path: Path, state: str, method: str) -> None:
    async def body(world: World, file: str) -> None:
        how = {"file": file} if method == "domain.save" else {}
        world.soon(partial(world.call, method, domain="example", **how))
        await trio.sleep(20)
        shown = [each["waiting"]["for"] for each in await world.call("operation.list") if each["waiting"]]
        assert shown == ["example to connect vbd 0x0 again"]
        assert await world.client.read(CONTROL) == b""
        await shows(world, 2, CONNECTED)
        await trio.sleep(2)
        assert await domains(world) == ([] if how else [("example", "shutdown")])
        assert os.path.exists(file) == bool(how)

    restored(body, tmp_path, state=state)


def test_one_that_stays_so_is_told_and_runs_on(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        error = await refused(world, "no_answer", "vbd 0x0", domain="example", file=file)
        assert (error.fields["device"], error.fields["waited_s"]) == ("vbd 0x0", 60)
        assert await domains(world) == [("example", "running")]
        assert not os.path.exists(file)
        # Another xend knows it, too.
        await world.kill_xend()
        await world.start_xend()
        await refused(world, "no_answer", "vbd 0x0", domain="example", file=file)
        await shows(world, 2, CONNECTED)
        await world.call("domain.save", domain="example", file=file)
        # And so does who restores it again before its guest has done so.
        await world.call("domain.restore", file=file)
        await runs(world, 3)

    restored(body, tmp_path, state="3")


@pytest.mark.parametrize(("before", "state"), [*(("1", state) for state in AMID), ("4", "5"), ("4", "6")])
def test_what_was_not_connected_or_was_closed_is_not_waited_for(
    tmp_path: Path, before: str, state: str
) -> None:
    async def body(world: World, file: str) -> None:
        began = world.now()
        await world.call("domain.save", domain="example", file=file)
        assert world.now() - began < 20
        assert await domains(world) == []

    restored(body, tmp_path, state=state, before=before)


def test_what_was_once_connected_again_is_not_waited_for(tmp_path: Path) -> None:
    """A driver that its guest loads anew is its own matter."""

    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        await shows(world, 2, "3")
        await world.call("domain.save", domain="example", file=file, checkpoint=True)

    restored(body, tmp_path, state=CONNECTED)


@pytest.mark.parametrize("wrong", [5, {"vbd/0": 1}, ["vbd/0", 0]])
def test_a_file_with_something_else_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: object
) -> None:
    async def body(world: World, file: str) -> None:
        def damaged(kept: own.Own) -> bytes:
            return pack(own.Own(fields={**kept.fields, "connected": wrong}))

        pack = own.pack
        monkeypatch.setattr(own, "pack", damaged)
        await world.call("domain.save", domain="example", file=file)
        await refused(world, "bad_request", "as devices", "domain.restore", file=file)

    saving(body, tmp_path)
