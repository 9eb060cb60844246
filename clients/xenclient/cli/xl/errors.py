"""How errors are printed: a line on standard error, a script's last words below; with --json as JSON too."""

from __future__ import annotations

import os

from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.printing import as_text, log, printable, write
from xenclient.xend.errors import BusError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenclient.cli.xl.settings import Settings


def log_final_error(error: Exception, settings: Settings) -> int:
    """Log the error that ends the program, and print it as JSON with --json; returns the exit status."""
    if settings.json:
        # One line, as among events.
        _write_json({"error": as_map(error, settings)})
    if settings.verbose and not isinstance(error, Failure | ClientError):
        _log_traceback(error)
    log_error(error, settings)
    return error.status if isinstance(error, Failure) else 1


def log_error(error: Exception, settings: Settings) -> None:
    """The error's lines on standard error."""
    log_map(as_map(error, settings), settings.program)


def log_map(fields: Mapping[str, object], begin: str) -> None:
    """The lines of an error map on standard error: "xl: message: cause (hint)", its script's output, where to
    read more.

    Of a configuration everything that is wrong is printed, a line each.

    Args:
        begin: the first word of each such line: the program's name.
    """
    cause = fields.get("cause")
    output = fields.get("script_output") or ""
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output)
    lines = [
        *(f"{begin}: {_line(each)}" for each in _problems(fields)),
        *(f"    {printable(each)}" for each in text.splitlines() if each.strip() != cause),
    ]
    if more := fields.get("more"):
        lines.append(_one_line(more))
    log("\n".join(lines) + "\n")


def as_map(error: Exception, settings: Settings) -> dict[str, object]:
    """The error as a map: code where it is xend's, message, and what else is known.

    It names the sub-command that was typed, not the method that xl called for it.
    """
    command = settings.command
    if isinstance(error, Failure):
        return error.as_map(settings.program)
    if isinstance(error, BusError):
        message = f"{command}: {error.message}" if command and "method" in error.fields else error.message
        return {"code": error.code, "message": message, **error.fields}
    if isinstance(error, ClientError):
        return {"message": error.about(command) if command else str(error)}
    if isinstance(error, OSError) and error.errno:
        return {"message": os.strerror(error.errno)}
    return {
        "message": f"a fault of xl's own: {type(error).__name__}: {error}",
        "hint": f"{settings.program} -v shows where",
    }


def _problems(fields: Mapping[str, object]) -> list[Mapping[str, object]]:
    problems = fields.get("problems")
    return problems if isinstance(problems, list) and problems else [fields]


def _line(fields: Mapping[str, object]) -> str:
    line = _one_line(fields.get("message") or fields.get("code") or "failed")
    if cause := fields.get("cause"):
        line += f": {_one_line(cause)}"
    if hint := fields.get("hint"):
        line += f" ({_one_line(hint)})"
    return line


def _one_line(text: object) -> str:
    return printable(" ".join(str(text).split()))


def _write_json(error: object) -> None:
    try:
        write(as_text(error) + "\n")
    except (BrokenPipeError, Failure):
        return  # the error itself is logged, not this one


def _log_traceback(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)
