"""Helpers as processes, which fail in every way: what is said of it, and that nothing of them is left."""

import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.unit.xend.helper import fake_guest
from xend.helper.__main__ import ABANDONED
from xend.hypervisor import Blueprint, HypervisorError, Image, Rings
from xend.hypervisor.xen import process
from xend.hypervisor.xen.helpers import Helpers
from xend.hypervisor.xen.process import Helper

pytestmark = pytest.mark.trio
PATIENCE_SECONDS = 60.0
BLUEPRINT = Blueprint(uuid="x", max_vcpus=1, max_memory_kib=65536)


def fake(call: str = "parse", act: str = "nothing") -> list[str]:
    return [sys.executable, fake_guest.__file__, call, act]


def script(text: str) -> list[str]:
    """A program that says anything over its socket."""
    head = "import os, sys, time; say = lambda data: os.write(0, data); read = lambda: os.read(0, 99999)\n"
    return [sys.executable, "-c", head + text]


#: What every helper says first, as a line of a script.
READY = r"say(b'\x93\xa5ready\xa44.17\xa0'); read()" + "\n"
NO_MODULE = r"say(b'\x93\xa5ready\xc0\xa9no module'); read()"


class Bench:
    """Helpers under test.

    Attributes:
        image: what is built.
        started: all that were started.
        log: the lines that were logged.
    """

    def __init__(self, place: Path) -> None:
        kernel = place / "kernel"
        kernel.write_bytes(b"kernel")
        self.image = Image(blueprint=BLUEPRINT, memory_kib=65536, kernel=str(kernel))
        self.started: list[Helper] = []
        self.log: list[str] = []

    def helpers(self, command: list[str]) -> Helpers:
        return Helpers(self.log.append, command)

    async def failure(self, command: list[str]) -> HypervisorError:
        helpers = self.helpers(command)
        with pytest.raises(HypervisorError) as error, trio.fail_after(PATIENCE_SECONDS):
            await helpers.build(5, self.image)
        assert "\n" not in error.value.text
        self.check_ended()
        return error.value

    def check_ended(self) -> None:
        for helper in self.started:
            assert not helper.runs
            with pytest.raises(ProcessLookupError):
                os.kill(helper.pid, 0)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    start: Callable[..., None] = Helper.__init__

    def remembered(helper: Helper, command: list[str]) -> None:
        start(helper, command)
        made.started.append(helper)

    monkeypatch.setattr(Helper, "__init__", remembered)
    return made


async def test_a_build(bench: Bench) -> None:
    rings = await bench.helpers(fake()).build(5, bench.image)
    assert rings == Rings(store_gfn=0xFEFFC, store_port=1, console_gfn=0xFEFFF, console_port=2)
    bench.check_ended()


@pytest.mark.parametrize(
    ("act", "number", "text"),
    [
        ("segv", errno.EIO, "helper of the build of domain 5 was ended by SIGSEGV while reading the kernel"),
        ("kill", errno.EIO, "ended by SIGKILL (dom0 may be out of memory) while reading the kernel (parse)"),
        ("exit", errno.EIO, "ended with status 7 (free(): invalid pointer) while reading the kernel (parse)"),
        ("spin", errno.EIO, "was ended by SIGXCPU (it used more of the processor than it may) while reading"),
        ("eat", errno.ENOMEM, "dom0 has not enough memory, or the helper may not have so much"),
        ("refuse", errno.ENOEXEC, "/kernel is none that a pv domain can boot"),
        ("fault", errno.EIO, "a fault of the helper's: ZeroDivisionError"),
        ("write", errno.EIO, "a fault of the helper's: RuntimeError('File too large')"),
        ("junk", errno.EIO, "said what no helper says"),
        ("flood", errno.EIO, "said what no helper says"),
        ("unknown", errno.EIO, "said what no helper says"),
    ],
)  # fmt: skip
async def test_a_helper_that_fails(bench: Bench, act: str, number: int, text: str) -> None:
    error = await bench.failure(fake("parse", act))
    assert error.errno == number
    assert text in error.text


@pytest.mark.parametrize("call", ["open", "domain", "set_kernel", "populate", "load", "boot", "seed_grants"])
async def test_killed_at_each_step(bench: Bench, call: str) -> None:
    error = await bench.failure(fake(call, "kill"))
    assert (error.errno, "was ended by SIGKILL" in error.text) == (errno.EIO, True)
    assert bench.log == [error.text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ended with status 0"),
        ("sys.exit('no module named xend')", "ended with status 1 (no module named xend)"),
        (r"say(b'\x92\xa4step\xa5parse'); read()", "said what no helper says"),
        (READY, "ended with status 0"),
        (READY + READY, "said what no helper says"),
        (READY + r"say(b'\x92\xa4done\x80'); read()", "gave rings that are none"),
        (READY + r"say(b'\x92\xa4done\x81\xa1\n\x01'); read()", "gave rings that are none"),
        (READY + "os.close(0); os.execvp('sleep', ['sleep', '99'])", "closed its socket and went on"),
    ],
)  # fmt: skip
async def test_a_hostile_helper(bench: Bench, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    if "went on" in said:
        monkeypatch.setattr(process, "END_SECONDS", 0.1)
    error = await bench.failure(script(text))
    assert said in error.text
    assert error.errno == errno.EIO


@pytest.mark.parametrize("value", [-1, 0, 1 << 60, True, "1", None, 1.5])
async def test_rings_that_are_none(bench: Bench, value: object) -> None:
    fields = {"store_gfn": 1, "store_port": 1, "console_gfn": 2, "console_port": value}
    text = f"import msgpack; say(msgpack.packb(['done', {fields!r}])); read()"
    assert "gave rings that are none" in (await bench.failure(script(READY + text))).text


async def test_the_text_of_a_refusal_is_one_line(bench: Bench) -> None:
    text = "import msgpack; say(msgpack.packb(['failed', 12, 'a\\n\\x1b[31mb'])); read()"
    error = await bench.failure(script(READY + text))
    assert (error.errno, error.text) == (12, "a\\n\\x1b[31mb")


async def test_one_that_gives_no_sign(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STEP_SECONDS", 0.2)
    error = await bench.failure(script(READY + "time.sleep(99)"))
    assert "gave no sign for 0.2 s and was killed" in error.text


async def test_a_program_that_cannot_be_started(bench: Bench) -> None:
    helpers = bench.helpers(["/nonexistent/python"])
    helpers.prepare(5)
    assert "not started ahead" in bench.log[0]
    with pytest.raises(HypervisorError, match="cannot be started") as error:
        await helpers.build(5, bench.image)
    assert error.value.errno == errno.ENOENT


async def test_one_that_is_prepared_is_used(bench: Bench) -> None:
    helpers = bench.helpers(fake())
    helpers.prepare(5)
    helpers.prepare(5)
    assert len(bench.started) == 1
    await helpers.build(5, bench.image)
    assert len(bench.started) == 1
    await helpers.build(5, bench.image)
    assert len(bench.started) == 2
    bench.check_ended()


async def test_one_that_died_before_its_job_is_replaced(bench: Bench) -> None:
    helpers = bench.helpers(fake())
    helpers.prepare(5)
    os.kill(bench.started[0].pid, signal.SIGKILL)
    await trio.to_thread.run_sync(bench.started[0]._process.wait)
    await helpers.build(5, bench.image)
    assert len(bench.started) == 2
    bench.check_ended()


async def test_one_that_has_no_job_is_ended(bench: Bench) -> None:
    helpers = bench.helpers(fake())
    helpers.prepare(5)
    await helpers.close()
    await helpers.close()
    bench.check_ended()


async def test_one_whose_domain_is_gone_is_ended(bench: Bench) -> None:
    helpers = bench.helpers(fake())
    helpers.prepare(5)
    await helpers.forget(6)
    assert bench.started[0].runs
    await helpers.forget(5)
    bench.check_ended()
    await helpers.forget(5)


async def test_several_at_once(bench: Bench) -> None:
    helpers = bench.helpers(fake())
    helpers.prepare(5)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(helpers.build, 5, bench.image)
    assert len(bench.started) == 3
    bench.check_ended()


async def reached(bench: Bench, step: str) -> Helper:
    with trio.fail_after(PATIENCE_SECONDS):
        while not bench.started or bench.started[-1].step != step:
            await trio.sleep(0.001)
    return bench.started[-1]


@pytest.mark.parametrize("step", ["open", "parse", "load"])
async def test_a_build_that_is_cancelled(bench: Bench, step: str) -> None:
    helpers = bench.helpers(fake(step, "hang"))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helpers.build, 5, bench.image)
            await reached(bench, step)
            scope.cancel()
    bench.check_ended()


@asynccontextmanager
async def dumping(bench: Bench, path: Path) -> AsyncIterator[Helper]:
    """A dump that hangs, its file begun."""
    helpers = bench.helpers(fake("dump_core", "hang"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(failing, helpers.dump_core, 5, str(path))
        helper = await reached(bench, "dump")
        assert len(os.listdir(path.parent)) == 1
        yield helper


async def failing(call: Callable[..., Any], *arguments: Any) -> None:
    with pytest.raises(HypervisorError):
        await call(*arguments)


async def test_nothing_is_left_of_a_dump_whose_helper_is_killed(bench: Bench, tmp_path: Path) -> None:
    place = tmp_path / "dumps"
    place.mkdir()
    async with dumping(bench, place / "core") as helper:
        os.kill(helper.pid, signal.SIGKILL)
    assert os.listdir(place) == []


async def test_a_dump(bench: Bench, tmp_path: Path) -> None:
    await bench.helpers(fake()).dump_core(5, str(tmp_path / "core"))
    assert (tmp_path / "core").read_bytes() == b"".join(fake_guest.CORE)
    assert sorted(os.listdir(tmp_path)) == ["core", "kernel"]
    bench.check_ended()


async def test_a_helper_ends_with_xend(bench: Bench, tmp_path: Path) -> None:
    """In the middle of a call of the libraries, and takes along what it has begun."""
    place = tmp_path / "dumps"
    place.mkdir()
    helper = Helper(fake("dump_core", "hang"))
    arguments = {"domid": 5, "path": str(place / "core"), "temporary": str(place / "new")}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lost, helper, arguments)
        await reached(bench, "dump")
        assert os.listdir(place) == ["new"]
        nursery.cancel_scope.cancel()
    await helper._stream.aclose()
    with trio.fail_after(PATIENCE_SECONDS):
        assert await trio.to_thread.run_sync(helper._process.wait) == ABANDONED
    assert os.listdir(place) == []
    await helper.end()


async def lost(helper: Helper, arguments: dict[str, object]) -> None:
    await helper.do("dump", arguments)


async def test_one_without_a_job_ends_with_xend(bench: Bench) -> None:
    helper = Helper(fake())
    await helper.ready()
    await helper._stream.aclose()
    with trio.fail_after(PATIENCE_SECONDS):
        assert await trio.to_thread.run_sync(helper._process.wait) == 0
    await helper.end()


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (fake(), None),
        (script(READY.replace("4.17", "4.18")), "xend was built for Xen 4.18, this is 4.17: install "),
        (script(NO_MODULE), "xend has no module for Xen's libraries (no module): install "),
        (script(""), "xend's helper ended with status 0"),
    ],
)  # fmt: skip
async def test_the_release_it_was_built_for(bench: Bench, command: list[str], text: str | None) -> None:
    helpers = bench.helpers(command)
    if text is None:
        await helpers.check("4.17")
    else:
        with pytest.raises(HypervisorError) as error:
            await helpers.check("4.17")
        assert error.value.errno == errno.ENOSYS
        assert error.value.text.startswith(text)
    bench.check_ended()


async def test_a_job_that_is_too_long(bench: Bench) -> None:
    long = Image(blueprint=BLUEPRINT, memory_kib=4, kernel="/k", command_line="x" * 70_000)
    with pytest.raises(HypervisorError, match="its command line is too long") as error:
        await bench.helpers(fake()).build(5, long)
    assert error.value.errno == errno.EINVAL
    bench.check_ended()
