"""xl console: a domain's console on this terminal, or on whatever standard input and output are.

Bytes go through as they are. On a terminal, which is raw meanwhile, ^] leaves; the console's end ends it.
Standard input that ends does not: there is still to be read what the domain says.
"""

from __future__ import annotations

import os

from xenclient.cli.xl.printing import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenclient.cli.xl.call import Call
    from xenclient.xend.blocking import Client, Console

ESCAPE = 0x1D  # ^]
CHUNK_BYTES = 4096


def console(call: Call) -> int:
    """xl console."""
    escape = escape_byte(call)
    _check_kind(call)
    attach(call.client, call.arguments[0], escape=escape)
    return 0


def attach(
    client: Client, domain: str | int, attached: Callable[[], object] = lambda: None, escape: int = ESCAPE
) -> None:
    """Show the console until it ends or is left; `attached` is called once nothing of it can be missed."""
    with client.console(domain) as viewed:
        attached()
        with _raw(0):
            _copy(viewed, escape if os.isatty(0) else None)


def escape_byte(call: Call) -> int:
    """The byte that -e names: a character, or ^ and a letter."""
    word = call.value("escape")
    if word is None:
        return ESCAPE
    if len(word) == 1 and word.isascii():
        return ord(word)
    if len(word) == 2 and word[0] == "^" and "@" <= word[1].upper() <= "_":
        return ord(word[1].upper()) & 0x1F
    raise call.usage(f"--escape {word!r} is neither a character nor one like ^]")


def _check_kind(call: Call) -> None:
    if call.value("type") not in (None, "pv"):
        raise call.usage(f"--type {call.value('type')!r} is not there yet: pv")
    if call.value("num") not in (None, "0"):
        raise call.usage(f"--num {call.value('num')!r} is not there yet: 0")


def _copy(viewed: Console, escape: int | None) -> None:
    """Both ways, by turns, until the console ends or the escape byte is typed.

    Raises:
        ReaderGone: nobody sees it any more.
    """
    from xenclient.cli.reader import Reader

    reader = Reader()
    sources = {viewed.fileno(), 0}
    while True:
        said = viewed.read(0)
        if said == b"":
            return
        if said:
            write(said)
        if 0 in reader.wait(sources, 0 if said else None):
            typed = _typed()
            if not typed and escape is not None:
                return  # the terminal hung up
            if not typed:
                sources.discard(0)
            kept, is_left = before_escape(typed, escape)
            if kept:
                viewed.write(kept)
            if is_left:
                return


def _typed() -> bytes:
    """What is there of standard input; b"" at its end, of which a terminal that hung up is one."""
    try:
        return os.read(0, CHUNK_BYTES)
    except OSError:
        return b""


def before_escape(typed: bytes, escape: int | None) -> tuple[bytes, bool]:
    """What stands before the escape byte, and whether there is one."""
    if escape is None or escape not in typed:
        return typed, False
    return typed[: typed.index(escape)], True


class _raw:
    """The terminal raw meanwhile, and as it was afterwards, even if a signal ends the program."""

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
                    signal.signal(number, _leave)
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


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
