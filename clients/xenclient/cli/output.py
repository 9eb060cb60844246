"""What a command line prints: the text Xen's programs print, or JSON; and how it ends."""

from __future__ import annotations

import os
import sys

from xenclient.store.errors import ClientError, ConnectError
from xenclient.store.strings import decode
from xenstore.errors import XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: What a shell reports of a program ended by SIGINT or SIGPIPE, as Xen's are.
INTERRUPTED_STATUS = 130
BROKEN_PIPE_STATUS = 141

#: A program gives up when the server does not answer for so long, or does not come back.
TIMEOUT_SECONDS = 120.0
RECONNECT_SECONDS = 5.0

#: What a request may end with instead of an answer.
REFUSED = (XenstoreError, ClientError)


class ReaderGone(Exception):
    """Nobody reads standard output any more; no OSError, for which a connection would be taken to be lost."""


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
        _write(1, b"".join(self._text))
        self._text.clear()

    def flush_item(self) -> None:
        """Print each item on a line of its own, or the text."""
        for item in self._items:
            _write(1, _dump(item))
        self._items.clear()
        self.flush()

    def finish(self, failure: Failure | None) -> None:
        """Print the rest: the text, or all items as one array, or the error as an object."""
        if self.json:
            error = failure and {"error": _described(failure)}
            _write(1, _dump(error or self._items))
        self.flush()


def run(program: Callable[[list[bytes], Output], int]) -> int:
    """The exit status of `program(argv, output)`, its output printed and its errors told."""
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
            _tell(failure)
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except (BrokenPipeError, ReaderGone):
        return BROKEN_PIPE_STATUS
    except OSError as error:
        complain(argv[0], b"standard output: " + strerror(error))
        return 1
    return status


def complain(program: bytes, text: bytes) -> None:
    """A line on standard error, after the program's name."""
    tell(os.path.basename(program) + b": " + text)


def tell(text: bytes) -> None:
    """A line on standard error; where that cannot be, nobody wants to know."""
    try:
        _write(2, text + b"\n")
    except OSError:
        return


def strerror(error: BaseException | None) -> bytes:
    """What the C library says to the errno of a refusal; other errors in their own words."""
    if isinstance(error, XenstoreError | OSError) or (isinstance(error, ConnectError) and error.errno):
        return os.fsencode(os.strerror(error.errno or 0))
    return os.fsencode(str(error))


def as_json(value: bytes) -> object:
    """A value as JSON can hold it: a string if it is UTF-8, else {"base64": ...}."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        import binascii

        return {"base64": binascii.b2a_base64(value, newline=False).decode()}


def _tell(failure: Failure) -> None:
    tell(failure.text)
    cause = failure.__cause__
    xens_words_do = isinstance(cause, ConnectError) and len(cause.tried) < 2
    if isinstance(cause, ClientError) and not xens_words_do:
        complain(os.fsencode(sys.argv[0]), os.fsencode(str(cause)))


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


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
