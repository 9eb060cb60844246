"""Standard output: text, or JSON."""

from __future__ import annotations

import os

from xenclient.cli.xl.failure import Failure


def write(text: str | bytes) -> None:
    """All of it, at once; names that are no UTF-8 as they came.

    Raises:
        BrokenPipeError: nobody reads it.
        Failure: it cannot be written.
    """
    try:
        _write(1, text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"standard output: {os.strerror(error.errno or 0)}") from error


def complain(text: str) -> None:
    """All of it on standard error; where that cannot be, nobody wants to know."""
    try:
        _write(2, text)
    except OSError:
        return


def write_json(value: object) -> None:
    """The value for programs, and for people: indented."""
    write(as_text(value, indent=2) + "\n")


def _write(descriptor: int, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(descriptor, data) :]


def printable(line: str) -> str:
    """Without control characters: a guest, or a script, may have had a hand in it."""
    return _without_controls(line.expandtabs(), "")


def clean(text: str) -> str:
    """Lines of a table or of events, likewise; their ends and tabs are ours."""
    return _without_controls(text, "\n\t")


def _without_controls(text: str, kept: str) -> str:
    # Half a surrogate pair stands for a byte of an argument that is no UTF-8.
    return "".join(
        each if each.isprintable() or "\udc80" <= each <= "\udcff" or each in kept else "?" for each in text
    )


def as_text(value: object, indent: int | None = None) -> str:
    """JSON; bytes are a string if they are UTF-8, else {"base64": ...}."""
    import json  # slow to import and rarely wanted

    from xenclient.cli.output import as_json

    return json.dumps(value, indent=indent, default=as_json)
