"""xl console: attach to a domain's console."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command, Option
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.terminal import ESCAPE, attach, attach_line


def run(call: Call) -> int:
    escape = _escape_byte(call)
    kind = call.value("type")
    if kind not in (None, "pv", "serial"):
        raise call.usage_error(f"--type {kind!r} is none of pv, serial")
    number = whole(call, "--num", call.value("num") or "0")
    if kind == "serial":
        line = call.client.call("serial.show", domain=call.arguments[0], number=number)
        attach_line(line["tty"], escape)
        return 0
    if number:
        raise call.usage_error(f"--num {number}: there is one paravirtual console, 0")
    attach(call.client, call.arguments[0], escape=escape)
    return 0


CONSOLE = Command(
    "DOM",
    run,
    Option("t", "type", "kind of console", "pv|serial"),
    Option("n", "num", "number of the serial line, from 0", "N"),
    Option("e", "escape", "what ends it, ^] unless given", "CHAR"),
)


def _escape_byte(call: Call) -> int:
    """The byte that -e names: a character, or ^ and a letter."""
    word = call.value("escape")
    if word is None:
        return ESCAPE
    if len(word) == 1 and word.isascii():
        return ord(word)
    if len(word) == 2 and word[0] == "^" and "@" <= word[1].upper() <= "_":
        return ord(word[1].upper()) & 0x1F
    raise call.usage_error(f"--escape {word!r} is neither a character nor one like ^]")
