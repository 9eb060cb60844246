"""What a forked process does to be like one of a fresh interpreter, and to run what that would run."""

import fcntl
import importlib.util
import os
import signal
import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.starter import system
from tests.starter.request import Request

#: Above every descriptor that a program is given.
_ABOVE = 1100
#: What an interpreter's option is followed by that says what to run.
_MODULE, _CODE = "-m", "-c"


def run(request: Request) -> int:
    """The program's exit status; or it ends otherwise."""
    try:
        _become(request)
        return _run([os.fsdecode(word) for word in request.argv])
    except BaseException:
        traceback.print_exc()
        return 120


def _become(request: Request) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    system.enter_namespaces_of(request.pid)
    os.fchdir(request.directory)
    os.umask(request.umask)
    _take_descriptors(request)
    os.environ.clear()
    for name, value in request.environment.items():
        os.environb[name] = value
    variables = [name + b"=" + value for name, value in request.environment.items()]
    system.set_command_line(request.argv, variables)


def _take_descriptors(request: Request) -> None:
    """Those of the request take their places; there are no others."""
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for fd in request.descriptors]
    os.closerange(0, _ABOVE)
    for fd, number in zip(moved, request.numbers, strict=True):
        os.dup2(fd, number)
    os.closerange(_ABOVE, _ABOVE + len(moved))
    sys.stdin, sys.stdout, sys.stderr = (
        _stream(fd, mode, errors)
        for fd, mode, errors in ((0, "r", None), (1, "w", None), (2, "w", "backslashreplace"))
    )


def _stream(fd: int, mode: str, errors: str | None) -> Any:
    try:
        is_terminal = os.isatty(fd)
        return open(
            fd,
            mode,
            buffering=1 if is_terminal or fd == 2 else -1,
            encoding="utf-8",
            errors=errors or _error_handler(),
            closefd=False,
        )
    except OSError:  # closed
        return None


def _error_handler() -> str:
    """Of PEP 540."""
    is_posix = os.environ.get("LC_ALL", "C") in ("C", "POSIX")
    return "surrogateescape" if is_posix else "strict"


def _run(argv: list[str]) -> int:
    """What the interpreter's arguments ask for, up to its exit status."""
    sys.executable, sys.orig_argv = argv[0], list(argv)
    main, code = _main(argv)
    sys.modules["__main__"] = main
    try:
        exec(code, vars(main))
        status = 0
    except SystemExit as end:
        status = _status(end)
    except KeyboardInterrupt:
        traceback.print_exc()
        _flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    except BaseException:
        traceback.print_exc()
        status = 1
    return _flush() or status


def _main(argv: list[str]) -> tuple[ModuleType, CodeType]:
    """The module that is run, and its code."""
    place = 1
    is_safe = False
    while argv[place].startswith("-") and argv[place] not in (_MODULE, _CODE):
        is_safe = is_safe or "P" in argv[place]
        place += 1
    kind, what = argv[place], argv[min(place + 1, len(argv) - 1)]
    main = ModuleType("__main__")
    if kind == _MODULE:
        first, sys.argv = os.getcwd(), argv[place + 1 :]
        spec = importlib.util.find_spec(what)
        if spec is not None and spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{what}.__main__")
        assert spec is not None, f"no module {what}"
        assert spec.origin is not None
        main.__spec__, main.__file__, main.__package__ = spec, spec.origin, spec.parent
        sys.argv[0] = spec.origin
        code = spec.loader.get_code(spec.name)  # type: ignore[union-attr]
    elif kind == _CODE:
        first, sys.argv = "", [kind, *argv[place + 2 :]]
        code = compile(what, "<string>", "exec")
    else:
        first, sys.argv = os.path.dirname(os.path.realpath(kind)), argv[place:]
        main.__file__ = kind
        code = compile(Path(kind).read_text(), kind, "exec")
    if not is_safe:
        sys.path.insert(0, first)
    return main, code


def _status(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def _flush() -> int:
    """120, as the interpreter has it, if something cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            return 120
    return 0
