"""Calls that change something, with their progress and warnings; a dry run prints their steps."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.each import for_each
from xenclient.cli.xl.errors import log_map
from xenclient.cli.xl.printing import write_json
from xenclient.xend.errors import BusError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Map = Mapping[str, Any]

#: Codes of errors of which `xl device-explain` may tell more: something went wrong with a device.
EXPLAINED = ("script_failed", "device_failed", "no_answer")


def perform(call: Call, method: str, **parameters: Any) -> Map:
    """Call the method and return its result; in a dry run print the steps it would take, and return its plan.

    Raises:
        BusError: xend refused, or it failed; its field "more", if any, says which command tells more.
    """
    if call.dry_run:
        planned = plan(call, method, **parameters)
        call.show(planned, "".join(f"{step}\n" for step in planned["steps"]))
        return planned
    from xenclient.cli.xl.progress import call_with_progress

    try:
        result = call_with_progress(call, method, parameters)
    except BusError as error:
        log_warnings(call, error.fields)
        _add_explain(call, error)
        raise
    log_warnings(call, result)
    return result


def perform_and_show(call: Call, method: str, **parameters: Any) -> int:
    """Call the method, and print its result if --json was given; returns the exit status.

    Raises:
        BusError: xend refused, or it failed.
    """
    result = perform(call, method, **parameters)
    if call.json and not call.dry_run:
        write_json(result)
    return 0


def change(call: Call, method: str, step: str, **parameters: Any) -> None:
    """Call a method that is done at once, of which Xen's xl prints nothing; a dry run prints the step.

    Raises:
        BusError: xend refused.
    """
    answer = call.client.call(method, dry_run=call.dry_run or None, **parameters)
    call.show(answer, f"{step}\n" if call.dry_run else "")


def perform_each(call: Call, method: str) -> int:
    """Call the method for each domain that is named; what xend refuses of one of several is logged.

    Returns 1 if it refused one, else 0.

    Raises:
        BusError: it refused the only one.
    """
    if len(call.arguments) == 1:
        perform(call, method, domain=call.arguments[0])
        return 0
    return for_each(call, call.arguments, lambda domain: perform(call, method, domain=domain))


def plan(call: Call, method: str, **parameters: Any) -> Map:
    """What the call would do: {"steps": [text, ...], ...}; its warnings are logged.

    Raises:
        BusError: xend refuses it.
    """
    try:
        planned: Map = call.client.call(method, dry_run=True, **parameters)
    except BusError as error:
        log_warnings(call, error.fields)
        raise
    log_warnings(call, planned)
    return planned


def log_warnings(call: Call, fields: Map) -> None:
    """Log what went wrong without stopping the operation; where JSON is printed, it has them too."""
    for warning in fields.get("warnings", ()):
        log_map(warning, f"{call.settings.program}: warning")


def _add_explain(call: Call, error: BusError) -> None:
    """Add "more" to a device's error, if its domain is still there and the device's story has this error."""
    domain, device = error.fields.get("domain"), error.fields.get("device")
    if not (domain and device and error.code in EXPLAINED):
        return
    try:
        story = call.client.call("device.explain", domain=domain, device=device)
    except ClientError:
        return  # the first error is the one to log
    last = story["error"]
    if last is None or last["message"] == error.message:
        error.fields["more"] = f"{call.settings.program} device-explain {domain} {device} tells more"
