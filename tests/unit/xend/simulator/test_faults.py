"""Guests and backends misbehave as they are told, and as no other way."""

from pathlib import Path

import pytest
import trio

from tests.unit.xend.simulator.test_guest import booted, ended
from tests.unit.xend.simulator.world import PATIENCE_SECONDS, World, world
from xend.simulator.description import Hardware
from xend.simulator.guest.faults import Faults, parse
from xend.simulator.guest.frontend import WILD_STATES
from xend.simulator.machine import CRASH, POWEROFF, REBOOT

pytestmark = pytest.mark.trio

LINES = {
    "": Faults(),
    "root=/dev/xvda ro simple=1": Faults(),
    "sim=flood": Faults(frozenset({"flood"})),
    "a sim=flood,no-balloon b sim=ack-only": Faults(frozenset({"flood", "no-balloon", "ack-only"})),
    "sim=crash-at=1,reboot-at=20,poweroff-at=3": Faults(ends=((1, CRASH), (20, REBOOT), (3, POWEROFF))),
    "sim=slow=0.5": Faults(slow_seconds=0.5),
}
WRONG = [
    "", "flod", "flood,", "flood=1", "crash-at", "crash-at=0", "crash-at=-1", "crash-at=x", "crash-at=\u0663",
    "slow", "slow=", "slow=-1", "slow=nan", "slow=inf", "slow=1e9", "FLOOD",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
async def test_words(line: str) -> None:
    assert parse(line) == LINES[line]


@pytest.mark.parametrize("word", WRONG)
async def test_wrong_words_are_named(word: str) -> None:
    with pytest.raises(ValueError, match="sim="):
        parse(f"root=/dev/xvda sim={word}")


async def test_a_wrong_word_is_a_panic(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, rings = await w.create("sim=flod")
        terminal = w.terminal(domid, rings)
        await terminal.open()
        await w.host.unpause(domid)
        await terminal.expect("panic: the command line has an unknown word: sim=flod")
        assert await ended(w, domid) == "crash"


async def still_runs(w: World, domid: int) -> bool:
    """Whether a domain runs after all patience."""
    await trio.sleep(PATIENCE_SECONDS)
    info = await w.host.domain(domid)
    assert info is not None
    return not info.is_shutdown


class TestGuests:
    async def test_never_answer(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, terminal = await booted(w, "sim=never-answer")
            home = f"/local/domain/{domid}"
            back = await w.attach(domid, "vif", 0)
            await w.hotplug(back)
            await w.store.write(f"{home}/control/shutdown", "poweroff")
            await w.store.write(f"{home}/memory/target", "4096")
            assert await still_runs(w, domid)
            assert await w.value(f"{home}/control/shutdown") == "poweroff"
            assert await w.value(f"{home}/control/feature-poweroff") == ""
            assert await w.value(f"{home}/device/vif/0/state") == "1"
            assert await w.value(f"{back}/state") == "2"
            await terminal.log_in_here()

    async def test_hang_shutdown(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w, "sim=hang-shutdown")
            node = f"/local/domain/{domid}/control/shutdown"
            await w.store.write(node, "poweroff")
            assert await still_runs(w, domid)
            assert await w.value(node) == "poweroff"

    async def test_ack_only(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w, "sim=ack-only")
            node = f"/local/domain/{domid}/control/shutdown"
            await w.store.write(node, "poweroff")
            await w.becomes(node, "")
            assert await still_runs(w, domid)

    async def test_no_balloon(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w, "sim=no-balloon")
            before = await w.host.domain(domid)
            await w.store.write(f"/local/domain/{domid}/memory/target", "16384")
            await w.settle()
            after = await w.host.domain(domid)
            assert before is not None
            assert after is not None
            assert after.memory_kib == before.memory_kib

    async def test_slow(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w, "sim=slow=7")
            await trio.sleep(60)
            before = trio.current_time()
            await w.store.write(f"/local/domain/{domid}/control/shutdown", "poweroff")
            assert await ended(w, domid) == "poweroff"
            assert trio.current_time() - before == 7

    async def test_jump_states(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w, "sim=jump-states")
            seen = set()
            for devid in range(12):
                back = await w.attach(domid, "vif", devid)
                await w.becomes(f"{back}/state", "2")
                await w.store.write(f"{back}/hotplug-status", "connected")
                await w.settle()
                seen.add(await w.value(f"/local/domain/{domid}/device/vif/{devid}/state"))
            assert len(seen) > 3
            assert seen <= set(WILD_STATES)

    async def test_flood(self, tmp_path: Path, autojump_clock: object) -> None:
        """It goes on for ever, and nobody else has to wait for it."""
        async with world(tmp_path) as w:
            domid, _ = await w.boot("sim=flood")
            other, terminal = await booted(w)
            await terminal.log_in_here()
            before = trio.current_time()
            assert await terminal.run("xenstore-read domid") == f"{other}\r\n"
            assert trio.current_time() - before < 1
            info = await w.host.domain(domid)
            assert info is not None
            assert info.is_running
            await w.host.destroy(domid)

    @pytest.mark.parametrize("end", ["crash", "reboot", "poweroff"])
    @pytest.mark.parametrize("number", [1, 2, 3, 7, 15, 20, 26])
    async def test_ending_at_a_request(
        self, tmp_path: Path, autojump_clock: object, end: str, number: int
    ) -> None:
        async with world(tmp_path) as w:
            domid, rings = await w.create(f"sim={end}-at={number}")
            terminal = w.terminal(domid, rings)
            await terminal.open()
            await w.attach(domid, "vif", 0)
            await w.host.unpause(domid)
            assert await ended(w, domid) == end
            await terminal.expect(f"store request {number}:")


class TestBackends:
    async def test_never_probe(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w)
            back = await w.attach(domid, "vif", 0, sim="never-probe")
            await trio.sleep(PATIENCE_SECONDS)
            assert await w.value(f"{back}/state") == "1"

    async def test_never_connect(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w)
            back = await w.attach(domid, "vbd", 51712, sim="never-connect")
            await w.hotplug(back)
            await w.becomes(f"/local/domain/{domid}/device/vbd/51712/state", "3")
            await trio.sleep(PATIENCE_SECONDS)
            assert await w.value(f"{back}/state") == "2"

    async def test_never_close(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w)
            back = await w.attach(domid, "vif", 0, sim="never-close")
            await w.hotplug(back)
            await w.becomes(f"{back}/state", "4")
            await w.store.write(f"{back}/online", "0")
            await w.store.write(f"{back}/state", "5")
            await w.becomes(f"/local/domain/{domid}/device/vif/0/state", "6")
            await trio.sleep(PATIENCE_SECONDS)
            assert await w.value(f"{back}/state") == "5"

    @pytest.mark.parametrize("kind", ["vif", "vbd"])
    async def test_error(self, tmp_path: Path, autojump_clock: object, kind: str) -> None:
        async with world(tmp_path) as w:
            domid, _ = await booted(w)
            back = await w.attach(domid, kind, 1, sim="error=no more rings")
            await w.hotplug(back)
            await w.becomes(f"{back}/state", "6")
            where = back.removeprefix("/local/domain/0/")
            assert await w.value(f"/local/domain/0/error/{where}/error") == "22 no more rings"

    async def test_for_all_of_a_host(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path, hardware=Hardware(backend_faults="never-probe")) as w:
            domid, _ = await booted(w)
            for devid in range(3):
                back = await w.attach(domid, "vif", devid)
                await w.settle()
                assert await w.value(f"{back}/state") == "1"
