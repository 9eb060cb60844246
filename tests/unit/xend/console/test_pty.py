"""Real pseudo-terminals, as xenconsole uses them."""

import os
import stat
import termios
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.unit.xend.console.reader import Reader
from tests.unit.xend.console.world import Host, begin, serving
from xend.console.pty import Pty, open_pty

SECONDS = 20
EVERY_BYTE = bytes(range(256))


def play(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(SECONDS):
            await body()

    trio.run(main)


async def show(pty: Pty, data: bytes) -> None:
    while data:
        await pty.wait_room()
        data = data[pty.write(data) :]


def test_all_bytes_pass_both_ways_as_they_are() -> None:
    async def body() -> None:
        pty = open_pty()
        with Reader(pty.name) as reader:
            await show(pty, EVERY_BYTE)
            assert await reader.read(256) == EVERY_BYTE
            os.write(reader.fd, EVERY_BYTE)
            typed = b""
            while len(typed) < 256:
                typed += await pty.receive(100)
            assert typed == EVERY_BYTE
            assert not termios.tcgetattr(reader.fd)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        pty.close()

    play(body)


def test_it_is_nobody_elses() -> None:
    async def body() -> None:
        pty = open_pty()
        status = os.stat(pty.name)
        assert stat.S_ISCHR(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_uid == os.geteuid()
        pty.close()

    play(body)


def test_readers_may_come_and_go() -> None:
    async def body() -> None:
        pty = open_pty()
        for number in range(3):
            with Reader(pty.name) as reader:
                await show(pty, b"%d" % number)
                assert await reader.read(1) == b"%d" % number
                os.write(reader.fd, b"x")
                assert await pty.receive(10) == b"x"
        pty.close()

    play(body)


def test_what_nobody_reads_fills_it_and_never_blocks() -> None:
    async def body() -> None:
        pty = open_pty()
        written = 0
        while count := pty.write(b"x" * 4096):
            written += count
        while not pty.unread():  # the kernel hands it over in a thread of its own
            await trio.lowlevel.checkpoint()
        assert pty.unread() <= written
        with Reader(pty.name) as reader:
            assert await reader.read(written) == b"x" * written
        pty.close()

    play(body)


def test_closing_it_is_the_readers_end_of_file() -> None:
    async def body() -> None:
        pty = open_pty()
        with Reader(pty.name) as reader:
            pty.close()
            pty.close()
            assert await reader.read(1) == b""

    play(body)


def test_a_terminal_program_talks_with_a_guest() -> None:
    async def body() -> None:
        host = Host()
        host.open_pty = open_pty  # type: ignore[method-assign, assignment]
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            name = (await store.read("/local/domain/1/console/tty")).decode()
            with Reader(name) as reader:
                ring.say(b"login: ")
                assert await reader.read(7) == b"login: "
                os.write(reader.fd, b"root\r")
                heard = b""
                while len(heard) < 5:
                    heard += ring.hear()
                    await trio.sleep(0)
                assert heard == b"root\r"
                ring.say(b"bye\r\n")
                await consoles.end(1)
                assert await reader.read(100) == b"bye\r\n"

    play(body)


@pytest.mark.parametrize("attached", [False, True])
def test_the_rest_is_read_before_it_is_closed(attached: bool) -> None:
    async def body() -> None:
        host = Host()
        host.open_pty = open_pty  # type: ignore[method-assign, assignment]
        async with serving(host) as (consoles, store):
            ring = await begin(host, consoles, store)
            name = (await store.read("/local/domain/1/console/tty")).decode()
            with Reader(name) as reader:
                ring.say(b"x" * 2000)
                if attached:
                    assert await reader.read(2000) == b"x" * 2000
                ring.put(b"y" * 40)
                await consoles.end(1)
                assert await reader.read(5000) == (b"" if attached else b"x" * 2000) + b"y" * 40

    play(body)
