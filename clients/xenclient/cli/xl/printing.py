"""What xl prints: text or JSON on standard output, errors and progress on standard error."""

from __future__ import annotations

import os

from xenclient.cli import streams
from xenclient.cli.xl.failure import Failure


def write(text: str | bytes) -> None:
    """Write all of it to standard output, at once; names that are no UTF-8 as they came.

    Raises:
        BrokenPipeError: nobody reads it.
        Failure: it cannot be written.
    """
    try:
        streams.write(text if isinstance(text, bytes) else _encoded(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"standard output: {os.strerror(error.errno or 0)}") from error


def log(text: str) -> None:
    """Write all of it to standard error; an error in doing so is ignored."""
    streams.log(_encoded(text))


def write_json(value: object) -> None:
    """Print the value for programs, and for people: indented."""
    write(as_text(value, indent=2) + "\n")


def printable(line: str) -> str:
    """Without control characters: a guest, or a script, may have had a hand in it."""
    return _without_controls(line.expandtabs(), "")


def clean(text: str) -> str:
    """Lines of a table or of events without control characters but line ends and tabs, which are ours."""
    return _without_controls(text, "\n\t")


def as_text(value: object, indent: int | None = None) -> str:
    """JSON; bytes are a string if they are UTF-8, else {"base64": ...}."""
    import json  # slow to import and rarely wanted

    return json.dumps(value, indent=indent, default=streams.as_json)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _without_controls(text: str, kept: str) -> str:
    # Half a surrogate pair stands for a byte of an argument that is no UTF-8.
    return "".join(
        each if each.isprintable() or "\udc80" <= each <= "\udcff" or each in kept else "?" for each in text
    )
