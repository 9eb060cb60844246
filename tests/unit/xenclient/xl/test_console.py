"""xl console: bytes both ways, on a terminal and without one."""

import os
import pty
import termios
import tty

import pytest

from tests.unit.xenclient.xl.conftest import Xl, standard_input
from tests.unit.xenclient.xl.fake_xend import FakeConsole, FakeXend
from xenclient.cli.xl.terminal import before_escape

EVERY_BYTE = bytes(range(256))


@pytest.fixture
def viewed(xend: FakeXend, console: tuple[FakeConsole, int]) -> tuple[FakeConsole, int]:
    xend.consoles["d1"] = console[0]
    return console


def test_output_at_the_end_of_input_until_the_domain_goes(
    xl: Xl, viewed: tuple[FakeConsole, int], stdin_closed: None
) -> None:
    os.write(viewed[1], EVERY_BYTE)
    os.close(viewed[1])
    assert xl("console", "d1") == (0, EVERY_BYTE.decode("latin-1"), "")


def test_input_without_a_terminal_goes_through_raw(xl: Xl, viewed: tuple[FakeConsole, int]) -> None:
    """^] included; the guest's end comes once it has been given all of it."""
    fake, guest = viewed
    typed, keyboard = os.pipe()
    os.write(keyboard, EVERY_BYTE)
    os.close(keyboard)

    fake.on_write = lambda: os.close(guest) if len(fake.typed) == len(EVERY_BYTE) else None
    with standard_input(typed):
        assert xl("console", "-t", "pv", "-n", "0", "d1") == (0, "", "")
    assert fake.typed == EVERY_BYTE


@pytest.mark.parametrize(
    ("options", "typed", "sent"),
    [
        ([], b"ls\r\x1d rest", b"ls\r"),
        ([], b"\x03\x1a\x1d", b"\x03\x1a"),
        (["-e", "^A"], b"a\x1d\x01", b"a\x1d"),
        (["-e", "q"], b"abcq", b"abc"),
    ],
)
def test_a_terminal_is_raw_until_it_is_left(
    xl: Xl, viewed: tuple[FakeConsole, int], options: list[str], typed: bytes, sent: bytes
) -> None:
    keyboard, terminal = pty.openpty()
    kept = os.dup(terminal)
    before = termios.tcgetattr(kept)
    modes: list[int] = []

    def on_read() -> None:
        """Typed once the terminal is raw: before, it would edit and echo."""
        modes.append(termios.tcgetattr(kept)[3])
        os.write(keyboard, typed)

    viewed[0].on_read = on_read
    os.write(viewed[1], b"login: ")
    with standard_input(terminal):
        assert xl("console", *options, "d1") == (0, "login: ", "")
    assert viewed[0].typed == sent
    assert not modes[0] & (termios.ICANON | termios.ECHO | termios.ISIG)
    assert termios.tcgetattr(kept) == before
    for descriptor in (keyboard, kept, viewed[1]):
        os.close(descriptor)


def test_a_terminal_that_hangs_up_ends_it(xl: Xl, viewed: tuple[FakeConsole, int]) -> None:
    keyboard, terminal = pty.openpty()
    os.write(viewed[1], b"going")
    viewed[0].on_read = lambda: os.close(keyboard)
    with standard_input(terminal):
        assert xl("console", "d1") == (0, "going", "")
    os.close(viewed[1])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["-t", "vuart"], "--type 'vuart' is none of pv, serial"),
        (["-n", "1"], "--num 1: there is one paravirtual console, 0"),
        (["-e", "abc"], "--escape 'abc' is neither a character nor one like ^]"),
        (["-e", "^1"], "--escape '^1' is neither a character nor one like ^]"),
    ],
)
def test_what_is_not_there(xl: Xl, options: list[str], error: str) -> None:
    assert xl("console", *options, "d1") == (1, "", f"xl: console: {error} (usage: xl console DOM)\n")


def test_the_escape_byte() -> None:
    assert before_escape(b"ab\x1dcd\x1d", 0x1D) == (b"ab", True)
    assert before_escape(b"ab", 0x1D) == (b"ab", False)
    assert before_escape(b"ab\x1d", None) == (b"ab\x1d", False)


def test_a_serial_line_is_a_terminal_of_dom0s(xl: Xl, xend: FakeXend) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)  # as qemu has it
    xend.answers["serial.show"] = {"tty": os.ttyname(slave)}
    keyboard, terminal = pty.openpty()
    os.write(master, b"boot: ")
    os.write(keyboard, b"xy\x1d\n")
    with standard_input(terminal):
        status, output, _ = xl("console", "-t", "serial", "-n", "1", "d1")
    assert (status, output) == (0, "boot: ")
    assert os.read(master, 10) == b"xy"
    assert xend.given["serial.show"] == {"domain": "d1", "number": 1}
    for descriptor in (master, slave, keyboard):
        os.close(descriptor)


@pytest.mark.parametrize("path", ["/dev/null", "/none"])
def test_a_serial_line_that_is_none(xl: Xl, xend: FakeXend, path: str) -> None:
    xend.answers["serial.show"] = {"tty": path}
    status, _, said = xl("console", "-t", "serial", "d1")
    assert status == 1
    assert path in said
