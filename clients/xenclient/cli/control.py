"""xenstore-control: commands to the daemon, with the texts and exit statuses of Xen's program (4.17).

Status 0 done, 1 no daemon, 2 wrong usage, 3 the daemon refused.
"""

from __future__ import annotations

import os
import time

from xenclient.cli import output
from xenclient.cli.options import atoi
from xenclient.cli.output import REFUSED, TIMEOUT_SECONDS, Failure, Output
from xenclient.store.blocking import Client
from xenclient.store.errors import ConnectError
from xenclient.store.strings import decode
from xenstore.errors import EINVAL, XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE_STATUS = 2
REFUSED_STATUS = 3
#: What libxenstore's errno is once the connection is gone (EBADF).
LOST_ERRNO = 9

LIVE_UPDATE_SECONDS = 60
BUSY = b"BUSY"
#: Bytes of a new program sent at once to a store that runs in a domain of its own and sees no files.
PIECE_BYTES = 2048

BINARY_FAILED = b"Setting update binary failed:\n"
TRANSFER_FAILED = b"Transfer of new binary failed:\n"
START_FAILED = b"Starting live update failed:\n"


def main() -> int:
    return output.run(_main)


def _main(argv: list[bytes], out: Output) -> int:
    words = argv[1:]
    if words[:1] == [b"--json"]:
        out.json = True
        del words[0]
    if not words:
        raise Failure(b"Usage:\n" + argv[0] + b" <command> [<arg>...]", USAGE_STATUS)
    try:
        client = Client(timeout=TIMEOUT_SECONDS, reconnect=0)
    except ConnectError as error:
        raise Failure(b"Failed to contact Xenstored.", 1) from error
    with client:
        if words[0] == b"live-update":
            _LiveUpdate(client, words[1:]).run()
            return 0
        answer = _command(client, words)
    out.add(answer + b"\n" if answer else b"", {"answer": decode(answer)})
    return 0


def _command(client: Client, words: list[bytes]) -> bytes:
    try:
        return _text(client.control(*words))
    except EINVAL as error:
        raise Failure(_valid_commands(client), REFUSED_STATUS) from error
    except REFUSED as error:
        number = error.errno if isinstance(error, XenstoreError) else LOST_ERRNO
        raise Failure(b"Error %d when trying to execute command." % number, REFUSED_STATUS) from error


def _valid_commands(client: Client) -> bytes:
    try:
        return b"Command not supported. Valid commands are:\n" + _text(client.control(b"help"))
    except REFUSED:
        return b"Error when executing command."


def _text(answer: bytes) -> bytes:
    return answer.partition(b"\0")[0]


class _LiveUpdate:
    """Put another program in the daemon's place: name it, its command line, then start it."""

    def __init__(self, client: Client, words: list[bytes]) -> None:
        self._client = client
        self._binary: bytes | None = None
        self._command_line: bytes | None = None
        self._force = False
        self._seconds = LIVE_UPDATE_SECONDS
        self._version: bytes | None = None
        rest = iter(words)
        for word in rest:
            if word == b"-c":
                self._command_line = _value(rest, b"command line")
            elif word == b"-t":
                self._seconds = atoi(_value(rest, b"timeout")) % 2**32
            elif word == b"-F":
                self._force = True
            elif word == b"-v":
                self._version = _value(rest, b"version")
            else:
                self._binary = word
        if self._binary is None:
            raise Failure(b"Missing binary specification", USAGE_STATUS)

    def run(self) -> None:
        assert self._binary is not None
        if self._in_a_domain():
            self._transfer(_program(self._binary))
        else:
            # Nothing has begun before this is accepted, so nothing is to be taken back.
            self._ask(BINARY_FAILED, b"-f", self._binary, abort=False)
        if self._command_line is not None:
            self._ask(BINARY_FAILED, b"-c", self._command_line)
        self._start()

    def _in_a_domain(self) -> bool:
        try:
            self._client.read(b"/tool/xenstored/domid")
        except XenstoreError:
            return False
        return True

    def _transfer(self, program: bytes) -> None:
        self._ask(START_FAILED, b"-b", b"%d" % len(program))
        for start in range(0, len(program), PIECE_BYTES):
            piece = program[start : start + PIECE_BYTES]
            self._ask(TRANSFER_FAILED, b"-d", b"%d" % len(piece), piece)

    def _start(self) -> None:
        """Ask once a second while the daemon has to wait for transactions to end."""
        words = [b"-s", b"-t", b"%d" % self._seconds] + ([b"-F"] if self._force else [])
        if self._version is not None:
            words += [b"-v", self._version]
        end = time.monotonic() + self._seconds
        answer = BUSY
        while answer == BUSY and time.monotonic() < end:
            answer = self._answer(START_FAILED, *words)
            if answer == BUSY:
                time.sleep(1)
        self._check(START_FAILED, answer)

    def _ask(self, failure: bytes, *words: bytes, abort: bool = True) -> None:
        self._check(failure, self._answer(failure, *words, abort=abort), abort=abort)

    def _answer(self, failure: bytes, *words: bytes, abort: bool = True) -> bytes:
        # The daemon answers the last step only when it has tried for `_seconds`.
        patient = self._client.within(TIMEOUT_SECONDS + self._seconds)
        try:
            return _text(patient.control(b"live-update", *words))
        except REFUSED as error:
            self._abort(abort)
            raise Failure(failure + output.strerror(error), REFUSED_STATUS) from error

    def _check(self, failure: bytes, answer: bytes, abort: bool = True) -> None:
        if answer != b"OK":
            self._abort(abort)
            raise Failure(failure + answer, REFUSED_STATUS)

    def _abort(self, wanted: bool) -> None:
        try:
            if wanted:
                self._client.control(b"live-update", b"-a")
        except REFUSED:
            return  # the first error is the one to log


def _value(rest: Iterator[bytes], name: bytes) -> bytes:
    value = next(rest, None)
    if value is None:
        raise Failure(b"Missing " + name + b" value", USAGE_STATUS)
    return value


def _program(path: bytes) -> bytes:
    """The file's content, unpacked if it is packed by gzip."""
    try:
        with open(path, "rb") as file:
            program = file.read()
        if program.startswith(b"\x1f\x8b"):
            import gzip  # slow to import and rarely wanted

            program = gzip.decompress(program)
    except (OSError, EOFError) as error:
        text = TRANSFER_FAILED + b"cannot read " + path + b": " + os.fsencode(str(error))
        raise Failure(text, REFUSED_STATUS) from error
    return program
