"""A domain's console on this terminal, or on whatever standard input and output are.

Bytes are copied unchanged. It ends when the console does; on a terminal, which is raw meanwhile, also when ^]
is typed. The end of standard input does not end it: what the domain writes is still shown.
"""

from __future__ import annotations

import os

from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.printing import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenclient.xend.blocking import Client, Console

ESCAPE = 0x1D  # ^]
CHUNK_BYTES = 4096


def attach(
    client: Client, domain: str | int, attached: Callable[[], object] = lambda: None, escape: int = ESCAPE
) -> None:
    """Show the console until it ends or ^] is typed; `attached` is called once no output can be missed."""
    with client.console(domain) as viewed:
        attached()
        with _RawTerminal(0):
            _copy(viewed, escape if os.isatty(0) else None)


def attach_line(path: str, escape: int = ESCAPE) -> None:
    """The same of a serial line, which ends in a terminal of dom0's.

    Raises:
        Failure: it cannot be opened.
    """
    line = _Line(path)
    try:
        with _RawTerminal(0):
            _copy(line, escape if os.isatty(0) else None)
    finally:
        line.close()


class _Line:
    """A terminal as a console."""

    def __init__(self, path: str) -> None:
        import termios
        import tty

        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            raise Failure(f"cannot open {path}: {os.strerror(error.errno or 0)}") from error
        if not os.isatty(self._descriptor):
            os.close(self._descriptor)
            raise Failure(f"{path} is no terminal")
        tty.setraw(self._descriptor, termios.TCSANOW)  # what is said already is not lost

    def fileno(self) -> int:
        return self._descriptor

    def read(self, timeout_s: float) -> bytes | None:
        """What there is; None: nothing yet; b"": its other end is gone."""
        try:
            return os.read(self._descriptor, CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """All of it: what its other end does not take is lost, as on any serial line."""
        try:
            os.write(self._descriptor, data)
        except OSError:
            return

    def close(self) -> None:
        os.close(self._descriptor)


def _copy(viewed: Console | _Line, escape: int | None) -> None:
    """Copy both ways, by turns, until the console ends or the escape byte is typed.

    Raises:
        ReaderGone: nobody reads standard output any more.
    """
    from xenclient.cli.reader import Reader

    reader = Reader()
    sources = {viewed.fileno(), 0}
    while True:
        output = viewed.read(0)
        if output == b"":
            return
        if output:
            write(output)
        if 0 in reader.wait(sources, 0 if output else None):
            typed = _read_typed()
            if not typed and escape is not None:
                return  # the terminal hung up
            if not typed:
                sources.discard(0)
            kept, is_escaped = before_escape(typed, escape)
            if kept:
                viewed.write(kept)
            if is_escaped:
                return


def _read_typed() -> bytes:
    """What can be read of standard input; b"" at its end, or if the terminal hung up."""
    try:
        return os.read(0, CHUNK_BYTES)
    except OSError:
        return b""


def before_escape(typed: bytes, escape: int | None) -> tuple[bytes, bool]:
    """What stands before the escape byte, and whether there is one."""
    if escape is None or escape not in typed:
        return typed, False
    return typed[: typed.index(escape)], True


class _RawTerminal:
    """Makes the terminal raw, and restores it afterwards, even if a signal ends the program."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)

    def __enter__(self) -> None:
        if self._is_terminal:
            import signal
            import termios
            import tty

            self._before = termios.tcgetattr(self._descriptor)
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                    signal.signal(number, _exit_by_signal)
            tty.setraw(self._descriptor, termios.TCSANOW)

    def __exit__(self, *_: object) -> None:
        if self._is_terminal:
            import termios

            try:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            except termios.error:
                return  # it hung up
            if os.isatty(1):
                write(b"\r\n")


def _exit_by_signal(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
