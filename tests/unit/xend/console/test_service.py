"""Consoles of a host in memory: what goes in at one side comes out at the others, whoever misbehaves."""

import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.unit.xend.console.world import Host, begin, serving, write_nodes
from xend.console.console import INPUT_BYTES, RECENT_BYTES
from xend.console.flood import EVENTS_PER_PERIOD, PERIOD_SECONDS
from xend.console.service import SCAN_SECONDS
from xend.console.terminal import LINGER_SECONDS
from xend.console.viewer import BACKLOG_BYTES, Viewer
from xend.errors import XendError
from xend.hypervisor import HypervisorError


def play(body: Callable[[Host], Awaitable[None]]) -> None:
    trio.run(body, Host(), clock=MockClock(autojump_threshold=0))


async def rest(viewer: Viewer) -> bytes:
    """All until the end of file."""
    data = b""
    while piece := await viewer.receive():
        data += piece
    return data


def test_what_a_guest_says_is_logged_shown_and_seen(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        async with serving(host, tmp_path) as (consoles, store):
            ring = await begin(host, consoles, store)
            first, second = consoles.attach(1, 0), consoles.attach(1, 0)
            ring.say(b"hello\r\n")
            assert await first.receive() == b"hello\r\n"
            assert await second.receive() == b"hello\r\n"
            await wait_all_tasks_blocked()
            assert host.ptys[0].read() == b"hello\r\n"
            assert ring.heard == 1
        assert (tmp_path / "foo.log").read_bytes() == b"hello\r\n"
        assert host.lines == []

    play(body)


def test_what_is_typed_reaches_the_guest() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            await consoles.attach(1, 0).send(b"ls\r")
            assert ring.hear() == b"ls\r"
            host.ptys[0].type(b"ps\r")
            await wait_all_tasks_blocked()
            assert ring.hear() == b"ps\r"
            assert ring.heard == 2

    play(body)


def test_the_store_names_the_pty_only_while_it_is_there() -> None:
    async def body(host: Host) -> None:
        async with host.client() as client:
            async with serving(host) as (consoles, store):
                await begin(host, consoles, store, 1)
                await begin(host, consoles, store, 2, "bar")
                assert await client.read("/local/domain/1/console/tty") == b"/dev/pts/0"
                assert await client.read("/local/domain/2/console/tty") == b"/dev/pts/1"
                await client.rm("/local/domain/2")
            assert await client.read("/local/domain/1/console/tty") == b""
            assert not await client.exists("/local/domain/2"), "a dead domain's nodes must not come back"
            assert all(pty.closed for pty in host.ptys)
            assert all(ring.closed for ring in host.rings.values())

    play(body)


def test_nothing_is_made_in_the_store_for_a_domain_without_nodes() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = host.start(1)
            with pytest.raises(XendError) as caught:
                await consoles.serve(1, "foo", 77, 2)
            assert caught.value.code == "store_failed"
            assert not await store.exists("/local/domain/1")
            assert ring.closed
            assert host.ptys[0].closed
            assert consoles.domids == []

    play(body)


def test_a_ring_that_cannot_be_opened() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            await write_nodes(store, 1, "foo")
            with pytest.raises(XendError) as caught:
                await consoles.serve(1, "foo", 77, 2)
            assert caught.value.code == "hypervisor_failed"
            assert "no domain 1" in str(caught.value)

    play(body)


def test_output_of_before_is_shown_to_who_comes_later() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = host.start(1)
            ring.put(b"before anybody served it. ")
            await begin(host, consoles, store)
            await wait_all_tasks_blocked()
            ring.say(b"after.")
            await wait_all_tasks_blocked()
            assert await consoles.attach(1, 4096).receive() == b"before anybody served it. after."
            assert await consoles.attach(1, 6).receive() == b"after."
            nobody = consoles.attach(1, 0)
            nobody.close()
            assert await nobody.receive() == b""

    play(body)


def test_recent_output_is_bounded() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            for number in range(50):
                ring.say(b"%02d" % number * 1000)
                await trio.sleep(1)
            viewer = consoles.attach(1, 1 << 30)
            await consoles.end(1)
            data = await rest(viewer)
            assert len(data) == RECENT_BYTES
            assert data.endswith(b"49" * 1000)

    play(body)


def test_a_slow_viewer_loses_the_oldest_and_holds_up_nobody() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            slow, fast = consoles.attach(1, 0), consoles.attach(1, 0)
            said = b""
            for number in range(60):
                piece = b"%04d" % number * 500
                said += piece
                ring.say(piece)
                assert await fast.receive() == piece
                await trio.sleep(1)
            await consoles.end(1)
            data = await rest(slow)
            lost = len(said) - BACKLOG_BYTES
            assert data == b"\r\n[xend: %d bytes are missing here]\r\n" % lost + said[lost:]
            assert await fast.receive() == b""

    play(body)


def test_a_pty_that_nobody_reads_loses_the_oldest() -> None:
    async def body(host: Host) -> None:
        host.pty_capacity = 1000
        async with serving(host) as (consoles, store):
            host.start(1)
            await write_nodes(store, 1, "foo", limit="8192")
            await consoles.serve(1, "foo", 77, 2)
            viewer = consoles.attach(1, 0)
            said = b""
            for number in range(20):
                piece = b"%04d" % number * 500
                said += piece
                host.rings[1].say(piece)
                assert await viewer.receive() == piece
                await trio.sleep(1)
            seen = b""
            while piece := host.ptys[0].read():
                seen += piece
                await wait_all_tasks_blocked()
            assert seen == said[:1000] + said[-8192:]

    play(body)


def test_a_guest_waits_for_the_reader_where_overflow_is_kept() -> None:
    async def body(host: Host) -> None:
        host.pty_capacity = 1000
        async with serving(host, keep_overflow=True) as (consoles, store):
            ring = host.start(1)
            await write_nodes(store, 1, "foo", limit="4096")
            await consoles.serve(1, "foo", 77, 2)
            data = b"".join(b"%07d\n" % number for number in range(4000))
            left, seen = data, b""
            for _ in range(20):
                left = left[ring.put(left) :]
                ring.kick()
                await trio.sleep(1)
            assert len(data) - len(left) == 1000 + 4096 + 2048
            while piece := host.ptys[0].read():
                seen += piece
                await trio.sleep(SCAN_SECONDS)
                left = left[ring.put(left) :]
            assert seen == data

    play(body)


def test_a_guest_that_does_not_read_lets_typists_wait_not_xend() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            viewer = consoles.attach(1, 0)
            pasted = b"".join(b"%07d\n" % number for number in range(4096))
            with trio.move_on_after(10) as scope:
                await viewer.send(pasted)
            assert scope.cancelled_caught
            ring.say(b"still alive")
            assert await viewer.receive() == b"still alive"
            heard = b""
            while piece := ring.hear():
                heard += piece
                ring.kick()
                await trio.sleep(0.1)
            assert heard == pasted[: INPUT_BYTES + 1024]

    play(body)


def test_all_that_is_typed_arrives_once_the_guest_reads() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store), trio.open_nursery() as nursery:
            ring = await begin(host, consoles, store)
            pasted = b"".join(b"%07d\n" % number for number in range(8192))
            nursery.start_soon(consoles.attach(1, 0).send, pasted)
            await wait_all_tasks_blocked()
            heard = b""
            while piece := ring.hear(300):
                heard += piece
                ring.kick()
                await trio.sleep(0.1)
            assert heard == pasted

    play(body)


def test_a_lost_notification_is_made_good_by_a_slow_look() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            await wait_all_tasks_blocked()
            viewer = consoles.attach(1, 0)
            ring.put(b"nobody was told")
            with trio.fail_after(2 * SCAN_SECONDS):
                assert await viewer.receive() == b"nobody was told"

    play(body)


def test_a_flood_of_notifications_is_looked_at_so_often_only() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            quiet = await begin(host, consoles, store, 2, "bar")
            viewer = consoles.attach(2, 0)
            await wait_all_tasks_blocked()
            start = trio.current_time()
            sent = 0
            while trio.current_time() < start + 10 * PERIOD_SECONDS:
                sent += ring.put(b"x")
                ring.kick()
                await trio.sleep(0.001)
            quiet.say(b"me too")
            assert await viewer.receive() == b"me too"
            periods = (trio.current_time() - start) / PERIOD_SECONDS + 1
            assert ring.heard <= (EVENTS_PER_PERIOD + 1) * periods
            seen = consoles.attach(1, 1 << 20)
            await consoles.end(1)
            assert len(await rest(seen)) == sent, "nothing is lost, it only comes later"

    play(body)


@pytest.mark.parametrize(("index", "value"), [("out_prod", 5000), ("in_cons", 77)])
def test_a_hostile_index_breaks_its_own_console_only(tmp_path: Path, index: str, value: int) -> None:
    async def body(host: Host) -> None:
        async with serving(host, tmp_path) as (consoles, store):
            ring = await begin(host, consoles, store)
            good = await begin(host, consoles, store, 2, "bar")
            viewer, other = consoles.attach(1, 0), consoles.attach(2, 0)
            ring.say(b"innocent")
            assert await viewer.receive() == b"innocent"
            ring[index] = value
            ring.kick()
            await viewer.send(b"x")
            assert b"[xend: the guest set " + index.encode() in await viewer.receive()
            with pytest.raises(XendError) as caught:
                await viewer.send(b"x")
            assert caught.value.code == "device_failed"
            for _ in range(100):
                ring.kick()
                await trio.sleep(1)
            host.ptys[0].type(b"nobody takes this")
            good.say(b"fine")
            assert await other.receive() == b"fine"
            assert len(host.lines) == 1
            assert "domain 1 (foo)" in host.lines[0]
            assert index in host.lines[0]
            await consoles.end(1)
            assert await viewer.receive() == b""
        assert b"innocent" in (tmp_path / "foo.log").read_bytes()

    play(body)


@pytest.mark.parametrize(
    ("failure", "what"),
    [
        (HypervisorError(3, "no such domain"), "its event channel failed: no such domain"),
        (OSError(errno.EIO, "Input/output error"), "its event channel failed: [Errno 5] Input/output error"),
        (trio.ClosedResourceError(), "was closed, which opening it elsewhere does"),
    ],
)
def test_a_console_that_another_program_took_over_is_let_alone(failure: Exception, what: str) -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            await wait_all_tasks_blocked()
            ring.fail(failure)
            await wait_all_tasks_blocked()
            ring.put(b"for the other program")
            await trio.sleep(10 * SCAN_SECONDS)
            assert ring["out_cons"] == 0
            viewer = consoles.attach(1, 4096)
            await consoles.end(1)
            assert what.encode() in await rest(viewer)
            assert ring["out_cons"] == 0
        assert len(host.lines) == 1
        assert what in host.lines[0]

    play(body)


def test_a_living_domain_whose_console_is_served_no_more_has_no_tty() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            await begin(host, consoles, store)
            await consoles.end(1)
            await trio.sleep(2 * LINGER_SECONDS)
            assert await store.read("/local/domain/1/console/tty") == b""

    play(body)


def test_the_last_words_come_before_the_end_of_file(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        async with serving(host, tmp_path) as (consoles, store):
            ring = await begin(host, consoles, store)
            viewer = consoles.attach(1, 0)
            await wait_all_tasks_blocked()
            ring.put(b"Power down.")
            await consoles.end(1)
            assert await rest(viewer) == b"Power down."
            assert ring.closed
            assert consoles.domids == []
            with pytest.raises(XendError) as caught:
                await viewer.send(b"anybody?")
            assert caught.value.code == "guest_died"
            with pytest.raises(XendError) as caught:
                consoles.attach(1, 0)
            assert caught.value.code == "no_such_device"
            await consoles.end(1)
            assert not host.ptys[0].closed, "its reader has a moment"
            await wait_all_tasks_blocked()
            assert host.ptys[0].read() == b"Power down."
            await trio.sleep(LINGER_SECONDS / 2)
            assert host.ptys[0].closed
        assert (tmp_path / "foo.log").read_bytes() == b"Power down."

    play(body)


def test_a_pty_without_reader_is_closed_soon_after_its_domain() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            ring.say(b"x" * 2000)
            await wait_all_tasks_blocked()
            await consoles.end(1)
            await trio.sleep(LINGER_SECONDS * 1.5)
            assert host.ptys[0].closed

    play(body)


def test_a_typist_who_waits_is_told_of_the_end() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store), trio.open_nursery() as nursery:
            await begin(host, consoles, store)

            async def paste() -> None:
                with pytest.raises(XendError) as caught:
                    await consoles.attach(1, 0).send(b"x" * 100_000)
                assert caught.value.code == "guest_died"

            nursery.start_soon(paste)
            await wait_all_tasks_blocked()
            await consoles.end(1)

    play(body)


def test_another_xend_goes_on_where_this_one_stopped(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        ring = host.start(1, 0xFFFFFFF0)
        for part in range(3):
            async with serving(host, tmp_path) as (consoles, store):
                await begin(host, consoles, store)
                ring.closed = False
                ring.say(b"part %d " % part)
                await consoles.attach(1, 0).send(b"typed %d " % part)
                await wait_all_tasks_blocked()
                assert await store.read("/local/domain/1/console/tty") == b"/dev/pts/%d" % part
            ring.put(b"meanwhile ")
        assert ring.hear() == b"typed 0 typed 1 typed 2 "
        expected = b"part 0 meanwhile part 1 meanwhile part 2 "
        assert (tmp_path / "foo.log").read_bytes() == expected

    play(body)


def test_serving_again_ends_what_was_served_before() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            old = await begin(host, consoles, store)
            viewer = consoles.attach(1, 0)
            old.put(b"old kernel")
            new = host.start(1)
            await begin(host, consoles, store)
            assert await rest(viewer) == b"old kernel"
            new.say(b"new kernel")
            assert await consoles.attach(1, 0).receive() == b"new kernel"
            assert await store.read("/local/domain/1/console/tty") == b"/dev/pts/1"

    play(body)


def test_a_domain_that_ends_while_its_console_is_opened() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store), trio.open_nursery() as nursery:
            ring = host.start(1)
            await write_nodes(store, 1, "foo")

            async def serve() -> None:
                with pytest.raises(XendError) as caught:
                    await consoles.serve(1, "foo", 77, 2)
                assert caught.value.code == "guest_died"

            nursery.start_soon(serve)
            while not host.ptys:
                await trio.lowlevel.checkpoint()
            with pytest.raises(XendError) as caught:
                await consoles.serve(1, "foo", 77, 2)
            assert caught.value.code == "busy"
            await consoles.end(1)
            await wait_all_tasks_blocked()
            assert ring.closed
            assert host.ptys[0].closed
            assert consoles.domids == []

    play(body)


def test_a_renamed_domain_has_another_log(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        async with serving(host, tmp_path) as (consoles, store):
            ring = await begin(host, consoles, store)
            viewer = consoles.attach(1, 0)
            for name in ("foo", "foo-1", "../evil", "bar"):
                consoles.rename(1, name)
                ring.say(name.encode())
                assert await viewer.receive() == name.encode()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
            "foo.log": b"foo",
            "foo-1.log": b"foo-1",
            "bar.log": b"bar",
        }
        assert len(host.lines) == 1
        assert "../evil" in host.lines[0]

    play(body)


def test_no_pty_left_is_no_reason_to_have_no_console() -> None:
    async def body(host: Host) -> None:
        host.pty_error = OSError(errno.ENOSPC, "No space left on device")
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            ring.say(b"hello")
            assert await consoles.attach(1, 100).receive() == b"hello"
            assert await store.read("/local/domain/1/console/tty") == b""
            await consoles.end(1)
        assert len(host.lines) == 1

    play(body)


def test_a_lost_pty_is_no_reason_either() -> None:
    async def body(host: Host) -> None:
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            await wait_all_tasks_blocked()
            host.ptys[0].fail()
            await wait_all_tasks_blocked()
            viewer = consoles.attach(1, 0)
            ring.say(b"hello")
            assert await viewer.receive() == b"hello"
            await consoles.end(1)
            await wait_all_tasks_blocked()
            assert host.ptys[0].closed
        assert len(host.lines) == 1
        assert "/dev/pts/0 is lost: Input/output error" in host.lines[0]

    play(body)
