"""Helpers that save and restore: a descriptor goes to them, and they wait until the domain is suspended."""

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.unit.xend.helper.fake_guest import STREAM
from tests.unit.xend.hypervisor.xen.test_helpers import PATIENCE_SECONDS, READY, Bench, bench, fake, script
from xend._sum import Sum
from xend.hypervisor import HypervisorError, Rings

pytestmark = pytest.mark.trio
__all__ = ["bench"]


def of(data: bytes) -> Sum:
    checksum = Sum()
    checksum.add(data)
    return checksum


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "saved", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


async def test_a_save(bench: Bench, fd: int) -> None:
    seen: list[bytes] = []

    async def suspend() -> None:
        await trio.sleep(0)
        seen.append(os.pread(fd, 99, 0))

    helpers = bench.helpers(fake("none"))
    with trio.fail_after(PATIENCE_SECONDS):
        checksum = await helpers.save(6, fd, suspend, of(b"front"))
        await helpers.resume(6, True)
        await helpers.close()
    assert checksum.state == of(b"front" + STREAM).state
    assert seen == [STREAM[:3]]  # it waits
    assert os.pread(fd, 99, 0) == STREAM
    assert os.lseek(fd, 0, os.SEEK_CUR) == len(STREAM)
    assert len(bench.started) == 1  # who has saved it was there to resume it
    bench.check_ended()


async def test_a_restore(bench: Bench, fd: int) -> None:
    os.pwrite(fd, STREAM, 0)
    with trio.fail_after(PATIENCE_SECONDS):
        rings, checksum = await bench.helpers(fake("none")).restore(5, fd, bench.image, of(b"front"))
    assert checksum.state == of(b"front" + STREAM).state
    assert rings == Rings(store_gfn=0xFEFFC, store_port=1, console_gfn=0xFEFFF, console_port=2)
    assert os.lseek(fd, 0, os.SEEK_CUR) == len(STREAM)
    bench.check_ended()


async def test_a_library_that_has_its_own_ways_of_writing(bench: Bench, fd: int) -> None:
    helpers = bench.helpers(fake("summed"))
    checksum = await helpers.save(6, fd, suspended, of(b"front"))
    await helpers.close()
    assert checksum.state == of(b"front").state
    os.lseek(fd, 0, os.SEEK_SET)
    _, checksum = await bench.helpers(fake("summed")).restore(5, fd, bench.image, of(b"front"))
    assert checksum.state == of(b"front").state


async def test_a_checksum_that_is_none(bench: Bench, fd: int) -> None:
    done = READY + r"say(b'\x92\xa4done\x81\xa3sum\xc4\x01x'); read()"
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(HypervisorError, match="checksum that is none"):
        await bench.helpers(script(done)).restore(5, fd, bench.image, Sum())
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(HypervisorError, match="checksum that is none"):
        await bench.helpers(script(done)).save(5, fd, suspended, Sum())
    bench.check_ended()


async def test_a_guest_that_cannot_be_suspended(bench: Bench, fd: int) -> None:
    async def refuse() -> None:
        raise HypervisorError(errno.EBUSY, "not now")

    helpers = bench.helpers(fake("none"))
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(HypervisorError, match="not now"):
        await helpers.save(6, fd, refuse, Sum())
    await helpers.close()
    bench.check_ended()


@pytest.mark.parametrize(
    ("act", "text"),
    [
        ("segv", "the helper of the restore of domain 5 was ended by SIGSEGV while restoring the domain's"),
        ("kill", "ended by SIGKILL (dom0 may be out of memory) while restoring the domain's memory"),
        ("refuse", "cannot be restored"),
        ("write", "a fault of the helper's: RuntimeError('File too large')"),
        ("junk", "said what no helper says"),
    ],
)
async def test_a_stream_that_breaks_its_helper(bench: Bench, fd: int, act: str, text: str) -> None:
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(HypervisorError) as error:
        await bench.helpers(fake("restore", act)).restore(5, fd, bench.image, Sum())
    assert text in error.value.text
    bench.check_ended()


async def test_killed_while_it_saves(bench: Bench, fd: int) -> None:
    async def suspend() -> None:
        pass

    helpers = bench.helpers(fake("save", "kill"))
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(HypervisorError, match="SIGKILL") as error:
        await helpers.save(6, fd, suspend, Sum())
    assert error.value.errno == errno.EIO
    await helpers.close()
    bench.check_ended()


async def test_a_helper_that_asks_for_what_is_not_its_job(bench: Bench, fd: int) -> None:
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(HypervisorError, match="no helper says"):
        await bench.helpers(script(READY + r"say(b'\x91\xa7suspend'); read()")).restore(
            5, fd, bench.image, Sum()
        )
    bench.check_ended()


async def suspended() -> None:
    """The domain is."""


async def test_who_has_saved_a_domain_resumes_it(bench: Bench, fd: int) -> None:
    helpers = bench.helpers(fake("none"))
    await helpers.save(7, fd, suspended, Sum())
    assert os.pread(fd, 99, 0) == STREAM
    await helpers.build(5, bench.image)
    await helpers.resume(7, True)
    assert len(bench.started) == 2
    await helpers.resume(7, True)
    assert len(bench.started) == 3
    bench.check_ended()


async def test_who_has_saved_a_domain_has_its_file_open_no_longer(bench: Bench, fd: int) -> None:
    helpers = bench.helpers(fake("none"))
    await helpers.save(7, fd, suspended, Sum())
    files = Path(f"/proc/{bench.started[0].pid}/fd")
    if files.exists():
        assert all("/saved" not in str(each.readlink()) for each in files.iterdir())
    await helpers.close()
    bench.check_ended()


@pytest.mark.parametrize("act", ["forget", "close", "another save", "killed"])
async def test_who_has_saved_a_domain_ends_in_time(bench: Bench, fd: int, act: str) -> None:
    helpers = bench.helpers(fake("none"))
    await helpers.save(7, fd, suspended, Sum())
    assert bench.started[0].runs
    await helpers.forget(6)
    assert bench.started[0].runs
    if act == "forget":
        await helpers.forget(7)
    elif act == "close":
        await helpers.close()
    elif act == "killed":
        os.kill(bench.started[0].pid, signal.SIGKILL)
        await trio.to_thread.run_sync(bench.started[0]._process.wait)
        await helpers.resume(7, True)
        assert len(bench.started) == 2
    else:
        await helpers.save(8, fd, suspended, Sum())
        assert not bench.started[0].runs
        assert bench.started[1].runs
        await helpers.close()
    bench.check_ended()


async def test_a_save_that_fails_keeps_nobody(bench: Bench, fd: int) -> None:
    async def no_answer() -> None:
        raise ValueError("no answer")

    helpers = bench.helpers(fake("none"))
    with pytest.raises(ValueError, match="no answer"):
        await helpers.save(7, fd, no_answer, Sum())
    bench.check_ended()
