"""xl console: attach to a domain's console."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Command, Option
from xenclient.cli.xl.terminal import ESCAPE, attach


def run(call: Call) -> int:
    escape = _escape_byte(call)
    _check_kind(call)
    attach(call.client, call.arguments[0], escape=escape)
    return 0


CONSOLE = Command(
    "DOM",
    run,
    Option("t", "type", "kind of console: pv", "TYPE"),
    Option("n", "num", "number of the console: 0", "N"),
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


def _check_kind(call: Call) -> None:
    """Raises: Failure: it is another console than the one there is."""
    if call.value("type") not in (None, "pv"):
        raise call.usage_error(f"--type {call.value('type')!r} is not there yet: pv")
    if call.value("num") not in (None, "0"):
        raise call.usage_error(f"--num {call.value('num')!r} is not there yet: 0")
