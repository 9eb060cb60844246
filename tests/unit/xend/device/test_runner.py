"""Scripts of all kinds, run for real: nothing of them is left, and each says how it ended."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from xend.device import process, runner
from xend.device.descendants import end_all, from_proc, from_ps
from xend.device.runner import OUTPUT_MAX_BYTES, run_script
from xend.errors import XendError

pytestmark = [pytest.mark.trio, pytest.mark.process]
ENVIRONMENT = {"PATH": "/bin:/usr/bin"}
linux_only = pytest.mark.skipif(not process.has_reapers(), reason="a system without reapers")


@pytest.fixture(autouse=True, params=[pytest.param("reapers", marks=linux_only), "no reapers, as on NetBSD"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything is run as each system does."""
    if request.param != "reapers":
        monkeypatch.setattr(process, "has_reapers", lambda: False)
        monkeypatch.setattr(runner, "end_all", partial(end_all, processes=from_ps))
    return str(request.param)


@contextmanager
def alive(directory: Path) -> Iterator[tuple[Path, int]]:
    """A fifo that the processes of a script hold open, and its end here."""
    fifo = directory / "alive"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield fifo, reader
    finally:
        os.close(reader)


async def is_over(reader: int) -> None:
    """Returns once nobody has the fifo open any more; what was written into it is skipped."""
    with trio.fail_after(30):
        while True:
            await trio.lowlevel.wait_readable(reader)
            if not os.read(reader, 4096):
                return


def script(directory: Path, text: str, mode: int = 0o755, first: str = "#!/bin/sh\n") -> str:
    path = directory / "script"
    path.write_text(first + text)
    path.chmod(mode)
    return str(path)


ENDINGS = [
    ("exit 0", 0, ""),
    ("echo out; echo err >&2; exit 3", 3, "out\nerr"),
    ("kill -9 $$", -signal.SIGKILL, ""),
    ('echo "$XENBUS_PATH $1 $(pwd)"', 0, "backend/vif/1/0 online /"),
    ("read line; echo $?", 0, "1"),  # its input is at its end
    ("printf 'caf\\351'", 0, "caf\N{REPLACEMENT CHARACTER}"),
]


@pytest.mark.parametrize(("text", "status", "output"), ENDINGS)
async def test_how_it_ended_is_told(tmp_path: Path, text: str, status: int, output: str) -> None:
    argv = [script(tmp_path, text), "online"]
    outcome = await run_script(argv, {**ENVIRONMENT, "XENBUS_PATH": "backend/vif/1/0"}, 30)
    assert (outcome.status, outcome.output) == (status, output)


async def test_of_a_flood_the_end_is_kept(tmp_path: Path) -> None:
    argv = [script(tmp_path, "yes flood | head -c 3000000; echo last words; exit 1")]
    outcome = await run_script(argv, ENVIRONMENT, 30)
    assert outcome.output.endswith("\nlast words")
    assert len(outcome.output) <= OUTPUT_MAX_BYTES


async def test_one_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    argv = [script(tmp_path, f"exec 9>{fifo}; echo begun; sleep 1000 & wait")]
    with pytest.raises(XendError, match=r"did not end within 0\.5 s and was killed") as caught:
        await run_script(argv, ENVIRONMENT, 0.5)
    assert caught.value.fields == {"waited_s": 0.5, "reason": "timeout", "script_output": "begun"}
    with trio.fail_after(30):
        await trio.lowlevel.wait_readable(reader)  # nobody has it open any more
    assert os.read(reader, 1) == b""
    os.close(reader)


async def test_one_that_leaves_a_child_behind_does_not_hold_up(tmp_path: Path) -> None:
    outcome = await run_script([script(tmp_path, "sleep 1000 & echo forked")], ENVIRONMENT, 30)
    assert (outcome.status, outcome.output) == (0, "forked")


CANNOT = [
    (lambda path: os.unlink(path), "does not exist"),
    (lambda path: os.chmod(path, 0o644), "is not executable (chmod 755 {path})"),
    (lambda path: Path(path).write_bytes(b"\x7fELF"), "cannot be run: Exec format error"),
]


@pytest.mark.parametrize(("spoil", "why"), CANNOT)
async def test_one_that_cannot_be_run_says_why(tmp_path: Path, spoil: object, why: str) -> None:
    path = script(tmp_path, "")
    spoil(path)  # type: ignore[operator]
    with pytest.raises(XendError) as caught:
        await run_script([path], ENVIRONMENT, 30)
    assert str(caught.value) == f"{path} {why.format(path=path)}"


async def test_cancelling_kills_it(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    argv = [script(tmp_path, f"exec 9>{fifo}; echo up >&9; sleep 1000")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_script, argv, ENVIRONMENT, 1000)
        await trio.lowlevel.wait_readable(reader)
        assert os.read(reader, 3) == b"up\n"
        nursery.cancel_scope.cancel()
    await trio.lowlevel.wait_readable(reader)
    assert os.read(reader, 1) == b""
    os.close(reader)


FORK = "os.fork() and os._exit(0)"
DAEMON = f"import os, time; {FORK}; os.setsid(); {FORK}; time.sleep(1000)"
#: What a script may leave in a session of its own, and whether it is found where there are no reapers.
LEFT = {
    "a child in another session": ("setsid sleep 1000 &", True),
    "a grandchild in another session": ("sh -c 'setsid sleep 1000 & wait' &", True),
    "one whose parent has ended": ("(setsid sleep 1000 &)", False),
    "a daemon": (f"{sys.executable} -c '{DAEMON}'", False),
    "a daemon with an environment of its own": (f"env -i {sys.executable} -c '{DAEMON}'", False),
    "one that goes on starting others": ("setsid sh -c 'while :; do sleep 1000 & sleep .01; done' &", True),
    "one that takes no hint": ("setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000; sleep 1000' &", True),
    "one that is stopped": ("setsid sh -c 'kill -STOP $$' &", True),
}


@pytest.mark.parametrize("what", LEFT)
async def test_what_is_in_other_sessions_is_killed_with_it(tmp_path: Path, system: str, what: str) -> None:
    command, is_found = LEFT[what]
    if system != "reapers" and not is_found:
        pytest.skip("nothing but a reaper finds it: docs/hotplug.md says so")
    with alive(tmp_path) as (fifo, reader):
        with pytest.raises(XendError, match="did not end within 1 s and was killed"):
            await run_script([script(tmp_path, f"exec 9>{fifo}\n{command}\nsleep 1000")], ENVIRONMENT, 1)
        await is_over(reader)


async def test_a_daemon_of_a_script_that_has_ended_goes_on(tmp_path: Path) -> None:
    """The DHCP server that a script of an interface starts is meant to."""
    with alive(tmp_path) as (fifo, reader):
        daemon = f"exec 9>{fifo}; echo $$ >&9; exec sleep 1000"
        text = f"setsid sh -c '{daemon}' >/dev/null 2>&1 &\nread line <{fifo}.go"
        os.mkfifo(f"{fifo}.go")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_script, [script(tmp_path, text)], ENVIRONMENT, 30)
            await trio.lowlevel.wait_readable(reader)
            pid = int(os.read(reader, 100))
            Path(f"{fifo}.go").write_text("go\n")
        assert os.getsid(pid) == pid
        os.kill(pid, signal.SIGKILL)
        await is_over(reader)


async def test_what_it_adopts_is_no_concern_of_xend_s(tmp_path: Path) -> None:
    """Children of this process are those that it started, and the exit status of each is its own."""
    before = {pid for pid, parent in from_proc() if parent == os.getpid()}
    text = "(setsid sleep 0.1 &) ; (exit 3) ; exit $1"
    ends: dict[int, int] = {}

    async def run(status: int) -> None:
        ends[status] = (await run_script([path, str(status)], ENVIRONMENT, 30)).status

    path = script(tmp_path, text)
    async with trio.open_nursery() as nursery:
        for status in range(20):
            nursery.start_soon(run, status)
            nursery.start_soon(trio.run_process, ["/bin/sh", "-c", "exit 0"])
    assert ends == {status: status for status in range(20)}
    assert {pid for pid, parent in from_proc() if parent == os.getpid()} <= before


async def test_no_descriptor_of_xend_s_reaches_it_and_none_is_left(tmp_path: Path) -> None:
    leak = os.dup2(0, 77, inheritable=True)
    before = len(os.listdir("/proc/self/fd"))
    outcome = await run_script([script(tmp_path, "ls /proc/$$/fd")], ENVIRONMENT, 30)
    assert str(leak) not in outcome.output.split()
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(leak)


async def test_signals_are_as_a_program_expects_them(tmp_path: Path) -> None:
    """Python ignores SIGPIPE, and trio has handlers."""
    outcome = await run_script(
        [script(tmp_path, "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status")], ENVIRONMENT, 30
    )
    told = dict(line.split() for line in outcome.output.splitlines())
    assert int(told["SigBlk:"], 16) == 0
    assert not int(told["SigIgn:"], 16) & 1 << (signal.SIGPIPE - 1)


@linux_only
async def test_both_tables_of_processes_say_the_same() -> None:
    for table in (from_proc, from_ps):
        assert dict(table())[os.getpid()] == os.getppid()
