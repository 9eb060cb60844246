"""Numbers that options and arguments hold."""

from __future__ import annotations

from xenclient.cli.xl.call import Call


def whole(call: Call, what: str, word: str) -> int:
    """The number of a word.

    what: what it is, for the error: "VCPU".

    Raises:
        Failure: it is none from 0 on.
    """
    if not (word.isascii() and word.isdigit()) or len(word) > 18:
        raise call.usage_error(f"{what} {word!r} is not a number from 0 on")
    return int(word)


def option_number(call: Call, key: str) -> int | None:
    """The number that an option was given last; None: it was not given. Raises: Failure: it is none."""
    word = call.value(key)
    return None if word is None else whole(call, f"--{key}", word)
