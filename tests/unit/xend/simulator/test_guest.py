"""What a guest does when all is well: devices, control nodes, memory, its console."""

from pathlib import Path

import pytest
import trio

from tests.unit.xend.simulator.world import MIB, Terminal, World, world
from xend.hypervisor import SHUTDOWN_REASONS
from xend.simulator.description import Hardware
from xend.simulator.guest.console import PENDING_MAX
from xend.simulator.guest.control import CLOSE_SECONDS, LEAST_MEMORY_KIB

pytestmark = pytest.mark.trio

#: What stands in a frontend's directory once it is connected (tests/xen/recorded/running.txt).
VIF_NODES = [
    "backend", "backend-id", "state", "tx-ring-ref", "rx-ring-ref", "event-channel-tx", "event-channel-rx",
    "request-rx-copy", "feature-rx-notify", "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6",
    "feature-ipv6-csum-offload",
]  # fmt: skip
VBD_NODES = ["backend", "backend-id", "state", "ring-ref", "event-channel", "protocol", "feature-persistent"]


async def booted(w: World, command_line: str = "", **options: int) -> tuple[int, Terminal]:
    """A domain that runs, and somebody at its console who sees the login."""
    domid, rings = await w.boot(command_line, **options)
    terminal = w.terminal(domid, rings)
    await terminal.open()
    await terminal.expect("login: ")
    return domid, terminal


async def ended(w: World, domid: int) -> str:
    """Why a domain ended, once it has."""
    return SHUTDOWN_REASONS[(await w.ends(domid)).shutdown_reason or 0]


async def test_it_boots_connects_its_devices_and_shuts_down(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, rings = await w.create("root=/dev/xvda")
        home = f"/local/domain/{domid}"
        backs = [await w.attach(domid, "vif", 0), await w.attach(domid, "vbd", 51712)]
        await w.host.unpause(domid)
        for back in backs:
            await w.hotplug(back)
            await w.becomes(f"{back}/state", "4")
        await w.becomes(f"{home}/device/vif/0/state", "4")
        await w.becomes(f"{home}/device/vbd/51712/state", "4")
        assert await w.store.directory(f"{home}/device/vif/0") == VIF_NODES
        assert await w.store.directory(f"{home}/device/vbd/51712") == VBD_NODES
        for what in ("poweroff", "reboot", "suspend"):
            assert await w.value(f"{home}/control/feature-{what}") == "1"
        terminal = w.terminal(domid, rings)
        await terminal.open()
        banner = await terminal.expect("login: ")
        for part in (f"guest{domid}", f"{64 * MIB} KiB", "root=/dev/xvda", "vif 0", "vbd 51712"):
            assert part in banner
        await w.store.write(f"{home}/control/shutdown", "poweroff")
        assert await ended(w, domid) == "poweroff"
        for back in backs:
            await w.becomes(f"{back}/state", "6")
        await terminal.expect("Goodbye.")
        terminal.ring.close()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [("poweroff", "poweroff"), ("halt", "poweroff"), ("reboot", "reboot"), ("suspend", "suspend")],
)
async def test_shutdown(tmp_path: Path, autojump_clock: object, asked: str, reason: str) -> None:
    async with world(tmp_path) as w:
        domid, _ = await booted(w)
        node = f"/local/domain/{domid}/control/shutdown"
        await w.store.write(node, asked)
        assert await ended(w, domid) == reason
        assert await w.value(node) == ""


async def test_an_unknown_kind_of_shutdown_is_cleared_and_ignored(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with world(tmp_path) as w:
        domid, terminal = await booted(w)
        await w.store.write(f"/local/domain/{domid}/control/shutdown", "sleep")
        await terminal.expect("'sleep' is not known here")
        assert await w.value(f"/local/domain/{domid}/control/shutdown") == ""


async def test_a_backend_that_does_not_close_delays_the_end_only(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with world(tmp_path, hardware=Hardware(backend_faults="never-close")) as w:
        domid, _ = await booted(w)
        back = await w.attach(domid, "vif", 0)
        await w.hotplug(back)
        await w.becomes(f"{back}/state", "4")
        await w.becomes(f"/local/domain/{domid}/device/vif/0/state", "4")
        before = trio.current_time()
        await w.store.write(f"/local/domain/{domid}/control/shutdown", "poweroff")
        assert await ended(w, domid) == "poweroff"
        assert trio.current_time() - before == CLOSE_SECONDS
        assert await w.value(f"{back}/state") == "4"


@pytest.mark.parametrize(("letter", "reason"), [("c", "crash"), ("b", "reboot"), ("o", "poweroff")])
async def test_sysrq_ends(tmp_path: Path, autojump_clock: object, letter: str, reason: str) -> None:
    async with world(tmp_path) as w:
        domid, _ = await booted(w)
        await w.store.write(f"/local/domain/{domid}/control/sysrq", letter)
        assert await ended(w, domid) == reason
        assert await w.value(f"/local/domain/{domid}/control/sysrq") == ""


async def test_sysrq_prints(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, terminal = await booted(w)
        await w.store.write(f"/local/domain/{domid}/control/sysrq", "s")
        await terminal.expect("sysrq: synced")
        await w.becomes(f"/local/domain/{domid}/control/sysrq", "")


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        (32 * MIB, 32 * MIB),
        (32 * MIB + 3, 32 * MIB),
        (96 * MIB, 96 * MIB),
        (1 << 40, 128 * MIB),
        (0, LEAST_MEMORY_KIB),
    ],
)
async def test_it_balloons(tmp_path: Path, autojump_clock: object, target: int, reached: int) -> None:
    async with world(tmp_path) as w:
        domid, terminal = await booted(w, max_memory_kib=128 * MIB)
        free = (await w.host.host_info()).free_memory_kib
        await w.store.write(f"/local/domain/{domid}/memory/target", str(target))
        await terminal.expect(f"balloon: {64 * MIB} KiB -> {reached} KiB")
        info = await w.host.domain(domid)
        assert info is not None
        assert info.memory_kib == reached
        assert (await w.host.host_info()).free_memory_kib == free + 64 * MIB - reached


async def test_it_balloons_no_further_than_the_hosts_memory(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path, hardware=Hardware(memory_kib=256 * MIB)) as w:
        domid, terminal = await booted(w, max_memory_kib=1024 * MIB)
        free = (await w.host.host_info()).free_memory_kib
        await w.store.write(f"/local/domain/{domid}/memory/target", str(1024 * MIB))
        await terminal.expect(f"KiB -> {64 * MIB + free} KiB")
        assert (await w.host.host_info()).free_memory_kib == 0


async def test_a_device_comes_goes_and_comes_again(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, _ = await booted(w)
        front = f"/local/domain/{domid}/device/vif/0"
        for _ in range(2):
            back = await w.attach(domid, "vif", 0)
            await w.hotplug(back)
            await w.becomes(f"{back}/state", "4")
            await w.becomes(f"{front}/state", "4")
            async with w.store.transaction() as t:
                await t.write(f"{back}/online", "0")
                await t.write(f"{back}/state", "5")
            await w.becomes(f"{back}/state", "6")
            assert await w.value(f"{front}/state") == "6"
            await w.store.rm(front)
            await w.store.rm(back)
        await w.settle()
        assert await w.value(back) is None


async def test_it_connects_again_when_its_backend_begins_anew(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, _ = await booted(w)
        front = f"/local/domain/{domid}/device/vbd/51712"
        back = await w.attach(domid, "vbd", 51712)
        await w.hotplug(back)
        await w.becomes(f"{front}/state", "4")
        first = await w.value(f"{front}/ring-ref")
        await w.store.write(f"{back}/state", "1")
        await w.becomes(f"{back}/state", "4")
        await w.becomes(f"{front}/state", "4")
        assert await w.value(f"{front}/ring-ref") != first


async def test_paused_it_does_nothing(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, terminal = await booted(w)
        await w.host.pause(domid)
        terminal.type("root\r")
        await w.store.write(f"/local/domain/{domid}/control/shutdown", "poweroff")
        await trio.sleep(100)
        terminal.look()
        assert terminal.text == ""
        assert await w.value(f"/local/domain/{domid}/control/shutdown") == "poweroff"
        await w.host.unpause(domid)
        assert await ended(w, domid) == "poweroff"


async def test_its_cpu_time_grows_while_it_runs(tmp_path: Path, autojump_clock: object) -> None:
    async with world(tmp_path) as w:
        domid, _ = await booted(w)

        async def used() -> int:
            info = await w.host.domain(domid)
            assert info is not None
            return info.cpu_time_ns

        before = await used()
        await trio.sleep(10)
        after = await used()
        await w.host.pause(domid)
        await trio.sleep(10)
        assert before < after == await used()


COMMANDS = {
    "help": "crash exit help logout ls poweroff ps reboot uptime xenstore-read\r\n",
    "ls": "bin  dev  etc  home  proc  root  tmp  usr  var\r\n",
    "ls /etc nothing": "hostname  motd  passwd\r\nls: nothing: No such file or directory\r\n",
    "ls /etc/motd": "/etc/motd\r\n",
    "xenstore-read domid name": "1\r\nguest1\r\n",
    "xenstore-read nothing": "xenstore-read: nothing: ENOENT\r\n",
    "xenstore-read /local/domain/0/name": "xenstore-read: /local/domain/0/name: EACCES\r\n",
    "xenstore-read": "usage: xenstore-read PATH...\r\n",
    "uptime": "up 0:00:00, 65536 KiB of memory\r\n",
    "rm -rf /": "rm: not found; try `help`\r\n",
    "": "",
}


class TestTheShell:
    async def test_commands(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            _, terminal = await booted(w)
            terminal.type("\r\x04nobody\r")
            await terminal.expect("$ ")
            assert {command: await terminal.run(command) for command in COMMANDS} == COMMANDS
            assert "PID" in await terminal.run("ps")

    async def test_line_editing(self, tmp_path: Path, autojump_clock: object) -> None:
        async with world(tmp_path) as w:
            _, terminal = await booted(w)
            terminal.type("root\r")
            await terminal.expect("$ ")
            terminal.type("\x7flx\x7f\bls \x1b\x00/home\x03ls /ho")
            await terminal.expect("^C\r\n$ ls /ho")
            terminal.type("\x04me\n")
            assert await terminal.expect("$ ") == "me\r\n\r\n$ "
            terminal.type("x" * 300 + "\r")
            assert (await terminal.expect("\r\n")) == "x" * 256 + "\r\n"

    @pytest.mark.parametrize("command", ["exit\r", "logout\r", "\x04"])
    async def test_leaving(self, tmp_path: Path, autojump_clock: object, command: str) -> None:
        async with world(tmp_path) as w:
            _, terminal = await booted(w)
            terminal.type("root\r" + command)
            await terminal.expect("logout\r\n")
            await terminal.expect("login: ")

    @pytest.mark.parametrize("command", ["poweroff", "reboot", "crash"])
    async def test_ending(self, tmp_path: Path, autojump_clock: object, command: str) -> None:
        async with world(tmp_path) as w:
            domid, terminal = await booted(w)
            terminal.type(f"root\r{command}\r")
            assert await ended(w, domid) == command

    async def test_nobody_reads(self, tmp_path: Path, autojump_clock: object) -> None:
        """Output is bounded, the kernel goes on, and the shell comes back with room in the ring."""
        async with world(tmp_path) as w:
            domid, terminal = await booted(w)
            for _ in range(500):
                await w.store.write(f"/local/domain/{domid}/control/sysrq", "h")
                await w.becomes(f"/local/domain/{domid}/control/sysrq", "")
            terminal.type("root\rhelp\r")
            await terminal.expect("sysrq")
            for _ in range(100):
                terminal.look()
                await trio.sleep(1)
            assert PENDING_MAX < len(terminal.text) < PENDING_MAX + 4096
            assert (await terminal.run("ls /usr")) == "bin  share\r\n"
