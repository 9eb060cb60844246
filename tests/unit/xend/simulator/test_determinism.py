"""One seed, one world: all that differs between two runs comes from the seed."""

import random
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.unit.xend.simulator.world import World, world
from xend.simulator.description import Hardware


async def _trace(directory: Path, seed: int) -> list[str]:
    async with world(directory, seed, Hardware(cpus=2)) as w:
        lines = []
        ends = []
        for command_line in ("", "sim=jump-states", "sim=crash-at=24", "sim=slow=1"):
            domid, rings = await w.create(command_line)
            backs = [await w.attach(domid, "vif", 0), await w.attach(domid, "vbd", 1)]
            terminal = w.terminal(domid, rings)
            await terminal.open()
            await w.host.unpause(domid)
            for back in backs:
                await w.hotplug(back)
            ends.append((domid, terminal))
        await trio.sleep(30)
        for domid, terminal in ends:
            lines += [f"{node} {await w.value(node)}" for node in await _below(w, f"/local/domain/{domid}")]
            await w.store.write(f"/local/domain/{domid}/control/shutdown", "poweroff")
            await trio.sleep(10)
            terminal.look()
            lines += terminal.text.splitlines()
            terminal.ring.close()
            await w.host.destroy(domid)
        text = (await w.host.message_buffer()).decode().replace(str(directory), "")
        return lines + text.splitlines()


async def _below(w: World, path: str) -> list[str]:
    nodes = [path]
    for name in await w.store.directory(path):
        nodes += await _below(w, f"{path}/{name}")
    return nodes


def test_a_seed_gives_the_same_trace_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, seed: int) -> list[str]:
        # trio shuffles its tasks, too.
        monkeypatch.setattr("trio._core._run._r", random.Random(seed))
        (tmp_path / name).mkdir()
        return trio.run(_trace, tmp_path / name, seed, clock=MockClock(autojump_threshold=0))

    first, again, other = run("1", 1), run("2", 1), run("3", 2)
    assert first == again
    assert first != other
    assert len(first) > 150
