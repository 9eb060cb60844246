"""xl config-check: what is to be said of a configuration before it is started.

Exit status: 0 nothing, 1 warnings, 2 errors, or that it cannot be looked at.  What has no effect is told,
too, and no reason for a status.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command, Option
from xenclient.cli.xl.errors import log_final_error, log_map
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.printing import clean, write, write_json
from xenclient.cli.xl.source import read_source
from xenclient.xend.errors import ClientError, ConnectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Map = Mapping[str, Any]

#: What a program that answers for xend may take.
SECONDS = 60
CLEAN, WARNINGS, ERRORS = 0, 1, 2


def run(call: Call) -> int:
    try:
        return _run(call)
    except (Failure, ClientError) as error:
        log_final_error(error, call.settings)
        return ERRORS  # what was not looked at is not said to be nearly right


def _run(call: Call) -> int:
    file, *words = call.arguments
    for word in words:
        if "=" not in word:
            raise call.usage_error(f"{word!r} is no KEY=VALUE")
    source = read_source(file)
    report = _report(call, {**source.parameters(), "extra": words})
    status = ERRORS if report["problems"] else WARNINGS if report["warnings"] else CLEAN
    if call.json:
        write_json({"file": source.path, "status": status, **report})
        return status
    if report["config"] is not None and not call.given("quiet"):
        write(clean("".join(f"{line}\n" for line in _tree(report["config"]))))
    for kind, begin in (("problems", ""), ("warnings", ": warning"), ("notes", ": note")):
        for each in report[kind]:
            log_map(each, f"{call.settings.program}{begin}")
    write(clean(f"{source.path}: {_verdict(report)}\n"))
    return status


CONFIG_CHECK = Command(
    "FILE [KEY=VALUE ...]",
    run,
    Option("q", "quiet", "without the effective configuration"),
    JSON,
)


def _report(call: Call, parameters: dict[str, Any]) -> Map:
    """xend's answer; where none runs, what can be said of the text alone."""
    try:
        found: Map = call.client.call("config.check", **parameters)
        return found
    except ConnectError as error:
        return {**_of_text_alone(parameters), "xend": str(error)}


def _of_text_alone(parameters: dict[str, Any]) -> Map:
    """By a program of xend's that needs no xend: only that knows the options."""
    import json
    import os
    import subprocess

    from xenstore.daemon import child

    done = subprocess.run(
        child.module("xend.check"),
        env=child.environment(os.environ),
        cwd=child.DIRECTORY,
        input=json.dumps(parameters),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise Failure(f"xend does not answer, and its checker failed: {last}")
    found: Map = json.loads(done.stdout)
    return found


def _verdict(report: Map) -> str:
    counts = {
        "error": len(report["problems"]),
        "warning": len(report["warnings"]),
        "note": len(report["notes"]),
    }
    words = [f"{number} {word}{'s' * (number != 1)}" for word, number in counts.items() if number]
    alone = f"; only its text was looked at: {report['xend']}" if "xend" in report else ""
    return (", ".join(words) or "nothing to say") + alone


def _tree(config: Map, indent: str = "") -> Iterator[str]:
    """The effective configuration for people, in the words of libxl's JSON: a line a value."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _tree(value, indent + "    ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, each in enumerate(value):
                yield f"{indent}{key} {number}:"
                yield from _tree(each, indent + "    ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{indent}{key}: {shown}"
