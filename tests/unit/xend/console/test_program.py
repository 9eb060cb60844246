"""xenconsoled as a whole, less what it is told by options and signals."""

import re
import signal
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.unit.xend.console.world import Host, write_nodes
from xend.console import __main__ as program
from xend.console.options import Options, parse


class Running:
    """The daemon on a host in memory."""

    def __init__(self, host: Host, options: Options) -> None:
        self.host = host
        self.is_up = trio.Event()
        self.ended = trio.Event()
        self.daemon = program._Daemon(options, host.lines.append, lambda failure: self.is_up.set())
        self.signals, self.received = trio.open_memory_channel[int](10)

    async def run(self) -> None:
        async with self.host.client() as store:
            await self.daemon.serve(self.host, store, self.received)
        self.ended.set()


def test_it_records_what_it_is_asked_to_record(tmp_path: Path) -> None:
    line = f"--log=all --timestamp=hv --replace-escape --log-dir={tmp_path} -v"

    async def main() -> None:
        host = Host()
        running = Running(host, parse(line.split()))
        host.messages = b"(XEN) booted\n"
        ring = host.start(1)
        async with trio.open_nursery() as nursery, host.client() as toolstack:
            await write_nodes(toolstack, 1, "foo")
            nursery.start_soon(running.run)
            await running.is_up.wait()
            await trio.sleep(1)
            ring.say(b"\x1b[1mlogin:")
            await trio.sleep(1)
            (tmp_path / "guest-foo.log").rename(tmp_path / "moved")
            await running.signals.send(signal.SIGHUP)
            await trio.sleep(1)
            ring.say(b" again")
            await trio.sleep(1)
            tty = await toolstack.read("/local/domain/1/console/tty")
            assert re.fullmatch(rb"/dev/(pts/|ttyp|pty)\d+", tty)
            await running.signals.send(signal.SIGTERM)
            await running.ended.wait()
            assert await toolstack.read("/local/domain/1/console/tty") == b""
        assert host.lines == [
            "serving the consoles of the domains of a host in memory",
            "serving the console of domain 1 (foo)",
            "SIGTERM: stopping",
        ]

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert (tmp_path / "moved").read_bytes() == b".[1mlogin:"
    assert (tmp_path / "guest-foo.log").read_bytes() == b" again"
    recorded = (tmp_path / "hypervisor.log").read_bytes()
    assert re.fullmatch(rb"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \(XEN\) booted\n", recorded)


def test_it_records_nothing_by_default(tmp_path: Path) -> None:
    async def main() -> None:
        host = Host()
        running = Running(host, parse([f"--log-dir={tmp_path}"]))
        ring = host.start(1)
        async with trio.open_nursery() as nursery, host.client() as toolstack:
            await write_nodes(toolstack, 1, "foo")
            nursery.start_soon(running.run)
            await trio.sleep(1)
            ring.say(b"login:")
            await trio.sleep(1)
            await running.signals.send(signal.SIGINT)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "output", "errors"),
    [
        (["--help"], 0, "Usage: xenconsoled", ""),
        (["--version"], 0, "xenconsoled ", ""),
        (["--frobnicate"], 2, "", "xenconsoled: option --frobnicate not recognized; see --help\n"),
        (["--log=x"], 2, "", "xenconsoled: --log x: expected none, guest, hv, all\n"),
    ],
)
def test_usage(
    capfd: pytest.CaptureFixture[str], arguments: list[str], status: int, output: str, errors: str
) -> None:
    assert program.main(arguments) == status
    said = capfd.readouterr()
    assert said.out.startswith(output)
    assert said.err == errors


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--hypervisor", "sim:{tmp}"], "no simulated host"),
        (["--pid-file", "{tmp}/none/pid"], "{tmp}/none/pid: No such file or directory"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], what: str
) -> None:
    assert program.main(["-i", *(each.format(tmp=tmp_path) for each in arguments)]) == 1
    said = capfd.readouterr()
    assert said.err.startswith("xenconsoled: ")
    assert what.format(tmp=tmp_path) in said.err
    assert said.err.count("\n") == 1
    assert "internal error" not in said.err
