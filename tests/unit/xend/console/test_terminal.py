"""A console's last words on its pty."""

from collections.abc import Awaitable, Callable

import trio
import trio.testing

from tests.unit.xend.console.fake_pty import FakePty
from xend.console.terminal import LINGER_SECONDS, Terminal

WORDS = bytes(range(256)) * 256


class Looked(FakePty):
    """Counts how often it is asked whether something is unread."""

    looks = 0

    def unread(self) -> int:
        self.looks += 1
        return super().unread()


def play(body: Callable[[], Awaitable[None]]) -> None:
    trio.run(body, clock=trio.testing.MockClock(autojump_threshold=0))


def test_who_reads_a_little_at_a_time_gets_all() -> None:
    async def body() -> None:
        pty = Looked("/dev/pts/0")
        terminal = Terminal(pty, len(WORDS))
        terminal.show(WORDS)
        read = bytearray()

        async def reader() -> None:
            while True:
                await trio.sleep(0.01)
                read.extend(pty.read())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader)
            began = trio.current_time()
            await terminal.linger()
            assert trio.current_time() - began < LINGER_SECONDS
            nursery.cancel_scope.cancel()
        assert read == WORDS

    play(body)


def test_where_nobody_reads_it_is_looked_at_a_few_times() -> None:
    async def body() -> None:
        pty = Looked("/dev/pts/0")
        terminal = Terminal(pty, len(WORDS))
        terminal.show(WORDS)
        began = trio.current_time()
        await terminal.linger()
        assert trio.current_time() - began == LINGER_SECONDS
        assert pty.looks == 0, "there is more to write"
        terminal.backlog.drop(len(WORDS))
        await terminal.linger()
        assert 5 < pty.looks < 15

    play(body)


def test_what_was_read_late_ends_it_soon() -> None:
    async def body() -> None:
        pty = FakePty("/dev/pts/0")
        terminal = Terminal(pty, 100)
        terminal.show(b"Power down.")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(terminal.linger)
            await trio.sleep(0.5)
            assert pty.read() == b"Power down."
            with trio.fail_after(0.11):
                while nursery.child_tasks:
                    await trio.sleep(0.001)

    play(body)
