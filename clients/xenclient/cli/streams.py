"""Standard output and standard error, without buffers; the exit status of a program that nobody reads."""

from __future__ import annotations

import os

#: What a shell reports of a program ended by SIGINT or SIGPIPE, as Xen's are.
INTERRUPTED_STATUS = 130
BROKEN_PIPE_STATUS = 141


class ReaderGone(Exception):
    """Nobody reads standard output any more.

    It is no OSError: that would be taken for a lost connection.
    """


def write(data: bytes) -> None:
    """Write all of it to standard output.

    Raises:
        BrokenPipeError: nobody reads it.
        OSError: it cannot be written.
    """
    _write(1, data)


def log(data: bytes) -> None:
    """Write all of it to standard error; an error in that is ignored, as there is no place left to log it."""
    try:
        _write(2, data)
    except OSError:
        return


def as_json(value: bytes) -> object:
    """A value as JSON can hold it: a string if it is UTF-8, else {"base64": ...}."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        import binascii

        return {"base64": binascii.b2a_base64(value, newline=False).decode()}


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
