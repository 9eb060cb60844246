"""Processes of device models: started, written down, found again, ended; here a shell stands for each."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest
import trio

from xend.errors import XendError
from xend.model import models as models_module
from xend.model import pids
from xend.model.log import tail_of
from xend.model.models import Model, Models
from xend.model.system import Order, Process, SystemProcesses


@attrs.define
class Host:
    """What a xend has of them; another one over the same directory is the next xend."""

    directory: Path
    deaths: list[Model] = attrs.field(factory=list)
    has_told: trio.Event = attrs.field(factory=trio.Event)
    logged: list[str] = attrs.field(factory=list)
    models: Models = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.models = Models(SystemProcesses(), self.directory / "models", self.died, self.logged.append)

    async def died(self, model: Model) -> None:
        self.deaths.append(model)
        self.has_told.set()

    async def start(self, script: str, domid: int = 7) -> Model:
        path = self.directory / "log"
        log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

        def made(process: Process) -> Model:
            return Model(
                domid=domid,
                uuid="0",
                name="foo",
                program="/bin/sh",
                pid=process.pid,
                start=process.start,
                log=str(path),
                is_shut_in=False,
            )

        try:
            order = Order(argv=["/bin/sh", "-c", script], environment={"PATH": "/bin:/usr/bin"}, log=log)
            return await self.models.start(made, order)
        finally:
            os.close(log)


def play(directory: Path, body: Callable[[Host], Awaitable[None]]) -> Host:
    """One xend's life."""
    host = Host(directory)

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await nursery.start(host.models.run)
                await body(host)
                nursery.cancel_scope.cancel()

    trio.run(main)
    return host


async def seen(path: Path, word: str) -> None:
    while not path.exists() or word not in path.read_text():
        await trio.sleep(0.01)


def test_one_runs_until_it_is_ended_and_nothing_is_left(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        model = await host.start("echo hello; exec sleep 1000")
        place = host.models.place(7)
        await seen(tmp_path / "log", "hello")
        os.mkdir(place.root, 0)
        Path(place.control).touch()
        assert pids.started(model.pid) == model.start
        await host.models.end(7)
        assert pids.started(model.pid) is None
        assert list((tmp_path / "models").iterdir()) == []
        await host.models.end(7)  # once more: nothing happens

    assert play(tmp_path, body).deaths == []


def test_what_it_begins_with(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.start(
            "umask; ulimit -c; pwd; ls /proc/self/fd 2>/dev/null | wc -l; env; read x || echo end"
        )
        await seen(tmp_path / "log", "end")
        await host.models.end(7)

    play(tmp_path, body)
    words = (tmp_path / "log").read_text().split()
    assert words[:3] == ["0077", "0", "/"]
    assert "end" in words  # its input is empty
    assert not any(word.startswith(("HOME=", "NOTIFY_SOCKET=")) for word in words)


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_module, "END_SECONDS", 0.1)

    async def body(host: Host) -> None:
        model = await host.start("trap '' TERM; echo ready; while :; do sleep 1; done")
        await seen(tmp_path / "log", "ready")
        await host.models.end(7)
        assert pids.started(model.pid) is None

    play(tmp_path, body)


@pytest.mark.parametrize(
    ("script", "death"),
    [("exit 3", "has ended with exit status 3"), ("kill -9 $$", "was ended by signal 9")],
)
def test_its_death_is_told(tmp_path: Path, script: str, death: str) -> None:
    async def body(host: Host) -> None:
        model = await host.start(f"echo last words; {script}")
        await model.has_ended.wait()
        await host.has_told.wait()
        assert model.last_words() == ["last words"]
        assert host.models.has_died(7)

    host = play(tmp_path, body)
    assert [each.death for each in host.deaths] == [death]


def test_a_program_that_cannot_be_run_says_so_in_the_log(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        log = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY, 0o600)
        process = await SystemProcesses().start(Order(argv=["/dev/null"], environment={}, log=log))
        os.close(log)
        await process.go()
        assert await process.wait() == 127

    play(tmp_path, body)
    assert (tmp_path / "log").read_text() == "/dev/null cannot be run: Permission denied\n"


def test_the_next_xend_finds_it_watches_it_and_ends_it(tmp_path: Path) -> None:
    started: list[Model] = []

    async def first(host: Host) -> None:
        started.append(await host.start("echo ready; exec sleep 1000"))
        await seen(tmp_path / "log", "ready")

    async def second(host: Host) -> None:
        model = host.models.get(7)
        assert model is not None
        assert (model.pid, model.start) == (started[0].pid, started[0].start)
        assert not host.models.has_died(7)
        os.kill(model.pid, signal.SIGKILL)
        await model.has_ended.wait()
        await host.has_told.wait()

    async def third(host: Host) -> None:
        assert host.models.has_died(7)
        await host.models.end(7)

    play(tmp_path, first)
    assert [each.death for each in play(tmp_path, second).deaths] == ["has ended"]
    assert play(tmp_path, third).deaths == []
    assert not (tmp_path / "models").exists()


def test_one_of_another_number_is_never_touched(tmp_path: Path) -> None:
    """Its number is somebody else's by now."""
    other = subprocess.Popen(["sleep", "1000"])

    async def first(host: Host) -> None:
        model = await host.start("exec sleep 1000")
        os.kill(model.pid, signal.SIGKILL)
        await model.has_ended.wait()
        model.pid, model.start, model.death = other.pid, "another start", None
        host.models._save(model)

    async def second(host: Host) -> None:
        assert host.models.has_died(7)
        await host.models.end(7)
        assert other.poll() is None
        pids.send(other.pid, "another start", signal.SIGKILL)
        assert other.poll() is None

    play(tmp_path, first)
    play(tmp_path, second)
    other.kill()
    other.wait()


def test_what_ps_says_of_a_process_stays_the_same_and_ends_with_it() -> None:
    """NetBSD's way; POSIX has no start of a process, but all have it."""
    process = subprocess.Popen(["sleep", "1000"])
    start = pids._from_ps(process.pid)
    assert start
    assert pids._from_ps(process.pid) == start
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert pids._from_ps(process.pid) is None  # not yet waited for
    process.wait()
    assert pids._from_ps(process.pid) is None


def test_where_xend_is_killed_before_it_is_written_down_it_ends(tmp_path: Path) -> None:
    program = (
        "import os, sys, trio\n"
        "from xend.model.system import Order, SystemProcesses\n"
        "async def main():\n"
        "    order = Order(argv=['/bin/sleep', '1000'], environment={}, log=1)\n"
        "    process = await SystemProcesses().start(order)\n"
        "    print(process.pid, process.start, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "trio.run(main)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False)
    assert killed.returncode == -9
    pid, start = killed.stdout.decode().split()
    trio.run(pids.await_end, int(pid), start)


def test_records_that_make_no_sense_are_told_and_left(tmp_path: Path) -> None:
    directory = tmp_path / "models"
    directory.mkdir(mode=0o700)
    for name, content in (("8", b""), ("9", b"\x81\xa5domid\x07"), ("10", os.urandom(200))):
        (directory / name).write_bytes(content)

    async def body(host: Host) -> None:
        assert list(host.models) == []

    assert len(play(tmp_path, body).logged) == 3


def test_a_disk_that_is_full_starts_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "/models/7")

    monkeypatch.setattr(models_module, "replace", full)

    async def body(host: Host) -> None:
        with pytest.raises(XendError, match="cannot write /models/7"):
            await host.start("echo it runs")
        await trio.sleep(0)

    play(tmp_path, body)
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="NetBSD has nothing of the kind")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_nothing_of_a_user_may_end_who_ends_it() -> None:
    uid = 2_030_000_000 + os.getpid()  # of no other test that runs now
    code = f"from xend.model import reaper; reaper.become({uid}); print(flush=True); input()"
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ender:
        assert ender.stdout
        assert ender.stdout.readline() == b"\n"
        code = f"import os; os.setuid({uid}); os.kill({ender.pid}, 9)"
        tried = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False)
        assert b"PermissionError" in tried.stderr
        ender.communicate(b"\n")
    assert ender.returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_all_of_a_user_is_ended_and_nobody_else() -> None:
    uid = 2_020_000_000 + os.getpid()  # of no other test that runs now
    ours, theirs = socket.socketpair()
    with ours, theirs:
        code = (
            f"import os, time; os.setuid({uid}); os.fork(); os.write({theirs.fileno()}, b'x'); "
            "time.sleep(1000)"
        )
        process = subprocess.Popen([sys.executable, "-c", code], pass_fds=[theirs.fileno()])
        for _ in range(2):
            assert ours.recv(1) == b"x"
        trio.run(SystemProcesses().end_all_of, uid)
        assert process.wait() == -9
        theirs.close()
        assert ours.recv(1) == b""  # the child of the child, too


def test_a_program_is_asked_once_which_qemu_it_is_until_it_is_another(tmp_path: Path) -> None:
    program = tmp_path / "qemu"

    def replace(version: str) -> None:
        new = tmp_path / "new"
        new.write_text(f"#!/bin/sh\necho asked >>{tmp_path}/asked\necho QEMU emulator version {version}\n")
        new.chmod(0o755)
        new.rename(program)

    async def main() -> None:
        system = SystemProcesses()
        assert await system.version(str(program)) is None
        for version in ((7, 2), (10, 0)):
            replace("{}.{}.1".format(*version))
            assert [await system.version(str(program)) for _ in range(2)] == [version, version]

    trio.run(main)
    assert (tmp_path / "asked").read_text().split() == ["asked"] * 2


def test_what_is_said_of_every_console_is_nobodys_last_word(tmp_path: Path) -> None:
    every_day = "qemu: failed to create 'console' device '0': declining to handle console type 'xenconsoled'"
    path = tmp_path / "log"
    path.write_text(f"no room\n{every_day}\n")
    assert tail_of(str(path)) == ["no room"]
