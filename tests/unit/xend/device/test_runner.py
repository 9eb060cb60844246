"""Scripts of all kinds, run for real: nothing of them is left, and each says how it ended."""

import os
import signal
from pathlib import Path

import pytest
import trio

from xend.device.runner import OUTPUT_MAX_BYTES, run_script
from xend.errors import XendError

pytestmark = pytest.mark.trio
ENVIRONMENT = {"PATH": "/bin:/usr/bin"}


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
    assert caught.value.fields == {"waited_s": 0.5, "script_output": "begun"}
    with trio.fail_after(30):
        await trio.lowlevel.wait_readable(reader)  # nobody has it open any more
    assert os.read(reader, 1) == b""
    os.close(reader)


async def test_one_that_leaves_a_child_behind_does_not_hold_up(tmp_path: Path) -> None:
    outcome = await run_script([script(tmp_path, "sleep 1000 & echo forked")], ENVIRONMENT, 30)
    assert (outcome.status, outcome.output) == (0, "forked")


CANNOT = [
    (lambda path: os.unlink(path), "No such file or directory"),
    (lambda path: os.chmod(path, 0o644), "Permission denied"),
    (lambda path: Path(path).write_text("#!/no/such/interpreter\n"), "No such file or directory"),
    (lambda path: Path(path).write_bytes(b"\x7fELF"), "Exec format error"),
]


@pytest.mark.parametrize(("spoil", "why"), CANNOT)
async def test_one_that_cannot_be_run_says_why(tmp_path: Path, spoil: object, why: str) -> None:
    path = script(tmp_path, "")
    spoil(path)  # type: ignore[operator]
    with pytest.raises(XendError) as caught:
        await run_script([path], ENVIRONMENT, 30)
    assert str(caught.value) == f"{path} cannot be run: {why}"


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
