"""CONTROL live-update: how an administrator puts another program in this daemon's place.

The dialogue of Xen's C xenstored, its texts and its rules about open transactions: one session names the
program (-f) and perhaps its arguments (-c), then asks to start (-s), which is answered once it is done; any
session may abort (-a).  Errors are replies, too.  Nothing here starts a program: `on_start` is called when
somebody should, and looks at `verdict` until it is time.

Source: live-update.md 3 (xenstored 4.22).
"""

import os
import stat
from collections.abc import Callable, Sequence

from xenstore.errors import EINVAL
from xenstore.records import VERSIONS
from xenstore.store import Session, Store

OK = "OK"
_SECONDS_MAX = 2**31 - 1


class Attempt:
    """What one session has asked for.

    Attributes:
        session: who asks.
        program: path of the new program.
        arguments: the new program's; None: those of the old one.
        timeout_seconds: how long to wait for transactions to end.
        force: go on then nevertheless.
        version: of the stream; None: not chosen.
        started: when -s was asked, on the store's clock; None: not yet.
    """

    def __init__(self, session: Session, program: str) -> None:
        self.session = session
        self.program = program
        self.arguments: list[str] | None = None
        self.timeout_seconds = 0
        self.force = False
        self.version: int | None = None
        self.started: float | None = None


class LiveUpdate:
    """Answers `live-update` requests: `LiveUpdate(store, log)(session, words)` is the text; None: later."""

    def __init__(self, store: Store, log: Callable[[str], object]) -> None:
        self._store = store
        self._log = log
        self._attempt: Attempt | None = None
        #: Called when an attempt has been started.
        self.on_start: Callable[[], object] = lambda: None

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt; None: there is none, or its session has gone."""
        if self._attempt is not None and self._attempt.session.closed:
            self._end()
        return self._attempt

    @property
    def is_asked(self) -> bool:
        """Whether an attempt waits for its end, or goes on."""
        return self.attempt is not None and self.attempt.started is not None

    def __call__(self, session: Session, words: Sequence[str]) -> str | None:
        """The reply's text; None: `finish` gives it.

        Raises:
            EINVAL: there is no such command, or not with these arguments.
        """
        match words:
            case ["-f", program]:
                return self._choose_program(session, program)
            case ["-c", arguments]:
                return self._choose_arguments(session, arguments)
            case ["-s", *options]:
                return self._start(session, options)
            case ["-a"]:
                return self._abort()
        raise EINVAL(f"live-update {' '.join(words)}: -f <file>, -c <arguments>, -s and -a are known")

    def _choose_program(self, session: Session, program: str) -> str:
        try:
            mode = os.stat(program).st_mode
        except (OSError, ValueError):
            return "File not accessible."
        if not stat.S_ISREG(mode) or not mode & 0o111:
            return "File not executable."
        if self.attempt is not None:
            return "live-update session already active."
        self._attempt = Attempt(session, program)
        return OK

    def _choose_arguments(self, session: Session, arguments: str) -> str:
        if self.attempt is None or self.attempt.session is not session:
            return "Not in live-update session."
        self.attempt.arguments = arguments.split()
        return OK

    def _start(self, session: Session, options: Sequence[str]) -> str | None:
        attempt = self.attempt
        seconds, version, force = 0, None, False
        rest = iter(options)
        for option in rest:
            if option == "-F":
                force = True
            elif option == "-t":
                seconds = _number(next(rest, ""))
            elif option == "-v":
                version = _number(next(rest, ""))
            else:
                raise EINVAL(f"live-update -s {option}: -t, -F and -v are known")
        if attempt is None or attempt.session is not session:
            return "Not in live-update session."
        if version is not None and version not in VERSIONS:
            return "Migration stream version not supported."
        attempt.timeout_seconds, attempt.force, attempt.version = seconds, force, version
        attempt.started = self._store.now
        self._log(f"live update to {attempt.program}: begun, as xenstore-control asks")
        self.on_start()
        return None

    def _abort(self) -> str:
        attempt = self.attempt
        if attempt is None:
            return "No live-update session active."
        if attempt.started is not None:
            self.finish("Cancellation was requested")
        else:
            self._end()
        return OK

    def finish(self, text: str) -> None:
        """Answer -s, with OK or what went wrong, and end the attempt."""
        attempt = self._attempt
        if attempt is None:
            return
        self._log(f"live update to {attempt.program}: {'done' if text == OK else text}")
        self._end()
        attempt.session.answer(os.fsencode(text) + b"\0")

    def _end(self) -> None:
        self._attempt = None
        self._store.pause_transactions(False)

    def hold_transactions(self) -> None:
        """From now on, until the end of the attempt, who has no transaction open waits with the next."""
        self._store.pause_transactions(True)

    def verdict(self, attempt: Attempt, now: float) -> str | None:
        """Whether open transactions stand in the way: OK, or why not; None: wait."""
        assert attempt.started is not None
        open_seconds = [
            (session.domid, now - session.transacting_since)
            for session in self._store.all_sessions()
            if session.transaction_count
        ]
        old = [each for each in open_seconds if each[1] >= attempt.timeout_seconds]
        if not open_seconds or (attempt.force and len(old) == len(open_seconds)):
            return OK
        if now - attempt.started < attempt.timeout_seconds:
            return None
        if attempt.force:
            return OK
        if not old:
            return "Overlapping transactions"
        lines = [f"Domain {domid}: {int(seconds)} s" for domid, seconds in sorted(old)]
        return "\n".join(["Domains with long running transactions:", *lines])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _SECONDS_MAX):
        raise EINVAL(f"live-update: {text!r} is not a number of 0 to {_SECONDS_MAX}")
    return int(text)
