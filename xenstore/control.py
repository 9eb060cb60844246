"""CONTROL: the commands of `xenstore-control`, each with the answer Xen's C xenstored gives to it.

Formats: xenstore-control of Xen 4.22.  `live-update` is there where the daemon can be replaced; an unknown
command is refused with EINVAL.
"""

import os
from collections.abc import Callable, Sequence
from types import MethodType
from typing import NamedTuple, Protocol, cast

from xenstore.errors import BY_NAME, EINVAL, EIO, XenstoreError
from xenstore.limits import QUOTA_INDEX, QUOTAS
from xenstore.live_update import LiveUpdate
from xenstore.store import Session, Store

_OK = b"OK\0"
_SOFT = "soft-"
_VALUE_MAX = 2**31 - 1
#: Of a function's code: it takes any number of arguments more (CO_VARARGS, Python's code.h).
_TAKES_MORE = 0x04


class Tracing(Protocol):
    """What the commands need of the trace file (`xenstore.server.trace.Trace` is one)."""

    @property
    def is_open(self) -> bool: ...
    def switches(self) -> dict[str, bool]: ...
    def switch(self, setting: str) -> None: ...
    def on(self) -> None: ...
    def off(self) -> None: ...
    def redirect(self, name: str) -> None: ...
    def write(self, text: str) -> None: ...
    def append(self, name: str, text: str) -> None: ...


class Control:
    """Answers one CONTROL request: `Control(store, tracing, log)(session, arguments) -> reply payload`.

    None instead of a payload: the reply comes later, by `Session.answer`.  `log` takes a line for the
    administrator.  Raises the errors of `xenstore.errors`; who may send CONTROL is the session's business.
    """

    def __init__(
        self,
        store: Store,
        tracing: Tracing,
        log: Callable[[str], object],
        live_update: LiveUpdate | None = None,
    ) -> None:
        self._store = store
        self._tracing = tracing
        self._log = log
        self._commands = {
            "check": _Command(self._check, ""),
            "log": _Command(self._log_switch, "[on|off|+<switch>|-<switch>]"),
            "logfile": _Command(self._logfile, "<file>"),
            "memreport": _Command(self._memreport, "[<file>]"),
            "print": _Command(self._print, "<string>"),
            "quota": _Command(self._quota, "[set <name> <val>|<domid>|max [-r]]"),
            "quota-soft": _Command(self._quota_soft, "[set <name> <val>]"),
            "help": _Command(self._help, ""),
        }
        self._live_update = live_update

    def __call__(self, session: Session, arguments: list[bytes]) -> bytes | None:
        name, *rest = [os.fsdecode(argument) for argument in arguments] or [""]
        if name == "live-update" and self._live_update is not None:
            text = self._live_update(session, rest)
            return None if text is None else _text(text)
        command = self._commands.get(name)
        if command is None:
            raise EINVAL(f"unknown command {name!r}")
        try:
            return _call(command.run, rest)
        except OSError as error:
            raise _on_the_wire(error) from error

    def _check(self) -> bytes:
        for problem in self._store.check():
            self._log(f"check: {problem}")
        if self._store.journal_failure is not None:
            raise EIO(f"the journal is not complete: {self._store.journal_failure}")
        return _OK

    def _log_switch(self, setting: str | None = None) -> bytes:
        if setting is None:
            switches = self._tracing.switches()
            lines = [f"{name:<8}: {'on' if on else 'off'}\n" for name, on in switches.items()]
            return _text("Log switch settings:\n", *lines)
        if setting == "on":
            self._tracing.on()
        elif setting == "off":
            self._tracing.off()
        else:
            try:
                self._tracing.switch(setting)
            except ValueError as error:
                raise EINVAL(str(error)) from error
        return _OK

    def _logfile(self, name: str) -> bytes:
        self._tracing.redirect(name)
        return _OK

    def _memreport(self, name: str | None = None) -> bytes:
        if name is not None:
            self._tracing.append(name, self._store.report())
        elif self._tracing.is_open:
            self._tracing.write(self._store.report())
        else:
            raise EINVAL("memreport: no trace file is open; name a file")
        return _OK

    def _print(self, text: str) -> bytes:
        self._log(f"control: {text}")
        return _OK

    def _quota(self, what: str | None = None, *rest: str) -> bytes:
        if what is None:
            return self._settings(soft=False)
        if what == "set":
            return _call(self._set_hard, rest)
        if what == "max":
            return _call(self._maxima, rest)
        return _call(self._of_domain, [what, *rest])

    def _quota_soft(self, what: str | None = None, *rest: str) -> bytes:
        if what is None:
            return self._settings(soft=True)
        if what == "set":
            return _call(self._set_soft, rest)
        raise EINVAL(f"quota-soft {what}: only 'set' is known")

    def _settings(self, *, soft: bool) -> bytes:
        values = self._store.quotas
        lines = [
            f"{quota.name.removeprefix(_SOFT):<17}: {values[quota.name]:8} {quota.description}\n"
            for quota in QUOTAS
            if quota.name.startswith(_SOFT) == soft
        ]
        return _text("Quota settings:\n", *lines)

    def _set_hard(self, name: str, value: str) -> bytes:
        return self._set(name if not name.startswith(_SOFT) else "", value)

    def _set_soft(self, name: str, value: str) -> bytes:
        return self._set(_SOFT + name, value)

    def _set(self, name: str, value: str) -> bytes:
        number = _number(value)
        if name not in QUOTA_INDEX or number < 1:
            raise EINVAL("expected the name of a quota and a value of 1 or more")
        self._store.set_quota(name, number)
        return _OK

    def _maxima(self, option: str | None = None) -> bytes:
        if option not in (None, "-r"):
            raise EINVAL(f"quota max {option}: only -r is known")
        seen = self._store.maxima(option == "-r")
        lines = [f"{name:<17}: {seen[name]:8}\n" for name in _hard() if name in seen]
        return _text("Max. seen accounting values:\n", *lines)

    def _of_domain(self, domid: str) -> bytes:
        number = _number(domid)
        used, peaks = self._store.usage(number), self._store.peaks(number)
        lines = [f"{name:<17}: {used[name]:8} (max {peaks[name]:8})\n" for name in _hard() if name in used]
        return _text(f"Domain {number}:\n", *lines)

    def _help(self) -> bytes:
        parameters = {name: command.parameters for name, command in self._commands.items()}
        if self._live_update is not None:
            parameters["live-update"] = "[-c <arguments>] [-F] [-t <seconds>] [-v <version>] <file>"
        return _text(*[f"{name:<15} {what}\n" for name, what in parameters.items()])


class _Command(NamedTuple):
    run: Callable[..., bytes]
    parameters: str


def _call(run: Callable[..., bytes], arguments: Sequence[str]) -> bytes:
    """Runs a command; EINVAL if it takes fewer or more arguments."""
    if not _takes(run, len(arguments)):
        raise EINVAL(f"{len(arguments)} arguments are too few or too many")
    return run(*arguments)


def _takes(run: Callable[..., bytes], count: int) -> bool:
    """Whether a method may be called with so many arguments; `inspect` costs 4 ms to import."""
    method = cast(MethodType, run).__func__
    most = method.__code__.co_argcount - 1  # self is none
    least = most - len(method.__defaults__ or ())
    return least <= count and (count <= most or bool(method.__code__.co_flags & _TAKES_MORE))


def _hard() -> list[str]:
    return [quota.name for quota in QUOTAS if not quota.name.startswith(_SOFT)]


def _text(*lines: str) -> bytes:
    return os.fsencode("".join(lines)) + b"\0"


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _VALUE_MAX:
        raise EINVAL(f"{text!r} is not a number of 0 to {_VALUE_MAX}")
    return int(text)


def _on_the_wire(error: OSError) -> XenstoreError:
    for cls in BY_NAME.values():
        if cls.errno == error.errno:
            return cls(str(error))
    return EIO(str(error))
