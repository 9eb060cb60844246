"""What a command line prints: the text Xen's programs print, or JSON; and how it ends."""

from __future__ import annotations

import os
import sys

from xenclient.cli import streams
from xenclient.cli.streams import BROKEN_PIPE_STATUS, INTERRUPTED_STATUS, ReaderGone, write
from xenclient.store.errors import ClientError, ConnectError
from xenclient.store.strings import decode
from xenstore.errors import XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: A program gives up when the server does not answer for so long, or does not come back.
TIMEOUT_SECONDS = 120.0
RECONNECT_SECONDS = 5.0

#: What a request may end with instead of an answer.
REFUSED = (XenstoreError, ClientError)


class Failure(Exception):
    """The program ends with this text on standard error.

    Its cause, if it is the store's or the connection's error, appears in the JSON; on standard error too,
    after Xen's words, if it is a lost connection, or that neither of several places has a store.
    """

    def __init__(self, text: bytes, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Output:
    """Collects what is printed, as text or as JSON, until `flush`."""

    def __init__(self) -> None:
        self.json = False
        self._text: list[bytes] = []
        self._items: list[object] = []

    def add(self, text: bytes, item: object) -> None:
        """The same thing for people and for programs; one of them is printed."""
        if self.json:
            self._items.append(item)
        else:
            self._text.append(text)

    def clear(self) -> None:
        """Forget what was not flushed."""
        self._text.clear()
        self._items.clear()

    def flush(self) -> None:
        """Print the text."""
        write(b"".join(self._text))
        self._text.clear()

    def flush_item(self) -> None:
        """Print each item on a line of its own, or the text."""
        for item in self._items:
            write(_dump(item))
        self._items.clear()
        self.flush()

    def finish(self, failure: Failure | None) -> None:
        """Print the rest: the text, or all items as one array, or the error as an object."""
        if self.json:
            error = failure and {"error": _described(failure)}
            write(_dump(error or self._items))
        self.flush()


def run(program: Callable[[list[bytes], Output], int]) -> int:
    """The exit status of `program(argv, output)`, its output printed and its errors logged."""
    argv = [os.fsencode(argument) for argument in sys.argv]
    output = Output()
    try:
        failure = None
        status = 0
        try:
            status = program(argv, output)
        except Failure as error:
            failure = error
            status = error.status
        output.finish(failure)
        if failure is not None:
            _log_failure(failure)
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except (BrokenPipeError, ReaderGone):
        return BROKEN_PIPE_STATUS
    except OSError as error:
        log(b"standard output: " + strerror(error), argv[0])
        return 1
    return status


def log(text: bytes, program: bytes | None = None) -> None:
    """A line on standard error, after the program's name if that is given by its path."""
    begin = b"" if program is None else os.path.basename(program) + b": "
    streams.log(begin + text + b"\n")


def strerror(error: BaseException | None) -> bytes:
    """What the C library says to the errno of a refusal; other errors in their own words."""
    if isinstance(error, XenstoreError | OSError) or (isinstance(error, ConnectError) and error.errno):
        return os.fsencode(os.strerror(error.errno or 0))
    return os.fsencode(str(error))


def _log_failure(failure: Failure) -> None:
    log(failure.text)
    cause = failure.__cause__
    # Where only one place was tried, Xen's words say enough.
    is_told = isinstance(cause, ConnectError) and len(cause.tried) < 2
    if isinstance(cause, ClientError) and not is_told:
        log(os.fsencode(str(cause)), os.fsencode(sys.argv[0]))


def _described(failure: Failure) -> dict[str, object]:
    cause = failure.__cause__
    described: dict[str, object] = {"text": decode(failure.text)}
    if isinstance(cause, XenstoreError):
        described["name"] = cause.name
    if cause is not None:
        described["cause"] = str(cause)
    return described


def _dump(item: object) -> bytes:
    import json  # slow to import and rarely wanted

    return json.dumps(item).encode() + b"\n"
