"""Hotplug scripts: how NetBSD and Linux call them, and what they have to leave in the store.

NetBSD: `script backend-path 2|6`.  Linux: a verb, and the rest in the environment (toolstack.md,
ring-and-boot.md 5 and 6).  Either tells how it went in the backend's hotplug-status.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import xenclient
from xenclient.store.aio import Client
from xend.device import remains
from xend.device.device import Device
from xend.device.nodes import texts
from xend.device.unrunnable import has_carriage_returns, unrunnable
from xend.errors import XendError
from xend.host import RunScript, ScriptOutcome
from xend.operation.steps import Work
from xend.settings import Settings

#: Where this program was installed: what belongs to it is found before anything else of the same name.
PREFIX = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
#: The store's programs that scripts call the most, in C (native/quick.c): what these do not do, they leave to
#: those of PREFIX.
QUICK = os.path.join(os.path.dirname(xenclient.__file__), "quick")
PATH = f"{QUICK}:{PREFIX}/sbin:{PREFIX}/bin:/usr/pkg/sbin:/usr/pkg/bin:/usr/sbin:/usr/bin:/sbin:/bin"


#: A script's argv and environment.
Command = tuple[list[str], dict[str, str]]


def command(device: Device, settings: Settings, put_in: bool) -> Command:
    """The script's argv and environment."""
    assert device.script is not None
    if settings.platform == "netbsd":
        return [device.script, device.backend_path, "2" if put_in else "6"], _environment(settings)
    script = remains.script_of(device)
    arguments, variables = script.more(device)
    return _linux(device, settings, script.verbs[0 if put_in else 1], arguments, variables)


def command_beside(device: Device, settings: Settings, put_in: bool) -> Command | None:
    """The same for the end of what is emulated beside the device; None: nothing is, or qemu sees to it."""
    found = None if settings.platform == "netbsd" else remains.script_of(device).beside(device)
    if found is None:
        return None
    verbs, arguments, variables = found
    return _linux(device, settings, verbs[0 if put_in else 1], arguments, variables)


def _linux(
    device: Device, settings: Settings, verb: str, arguments: Sequence[str], variables: Mapping[str, str]
) -> Command:
    assert device.script is not None
    environment = _environment(settings) | {
        "script": device.script,
        "XENBUS_TYPE": device.kind,
        "XENBUS_PATH": f"backend/{device.kind}/{device.domid}/{device.devid}",
        "XENBUS_BASE_PATH": "backend",
        **variables,
    }
    return [device.script, verb, *arguments], environment


class ScriptHost(Protocol):
    """What running scripts needs of a host."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Client: ...
    @property
    def run_script(self) -> RunScript: ...
    @property
    def log(self) -> Callable[[str], object]: ...


def _environment(settings: Settings) -> dict[str, str]:
    return {"PATH": PATH, "LC_ALL": "C", "XENSTORED_PATH": settings.store_socket}


async def plug(host: ScriptHost, work: Work, device: Device) -> None:
    """Run the script that puts a device in, and see that it says so.

    Raises:
        XendError: script_failed, with the script's own words.
    """
    try:
        outcome = await _run(host, work, device, put_in=True)
    except XendError as error:
        raise error.because(device.name) from error
    status = await _read(host, device, "hotplug-status")
    if outcome.status == 0 and status == "connected":
        for line in outcome.output.splitlines():  # a warning
            host.log(f"{device.name} of domain {device.domid}: {line}")
        return
    assert device.script is not None
    raise device.error(
        "script_failed",
        f"{device.script} {_ending(outcome, status)}",
        cause=await _read(host, device, "hotplug-error"),
        script_output=outcome.output or None,
        reason="carriage_return" if has_carriage_returns(device.script) else _reason(outcome),
    )


async def unplug(host: ScriptHost, work: Work, device: Device) -> None:
    """Run the script that takes a device out.

    Raises:
        XendError: script_failed: with what it may have left, its last words and the remedy; it is not run
            for a device for which it hung before in this work.
    """
    if device.script is None:
        return
    name = await remains.held(host, device)
    if _key(device) in work.facts.hung_scripts:  # it costs its deadline once, not on the way back too
        why = f"{device.script} hung before, and is not run to take it out"
        raise remains.left(device, name, XendError("script_failed", why), host.settings)
    try:
        outcome = await _run(host, work, device, put_in=False)
    except XendError as error:
        raise remains.left(device, name, error, host.settings) from error
    if outcome.status != 0:
        said = [line for line in outcome.output.splitlines() if line.strip()]
        last = said[-1].strip() if said else "it said nothing"
        why = f"{device.script} {_ending(outcome, 'connected')} as it took it out"
        failure = XendError("script_failed", why, cause=last, script_output=outcome.output or None)
        raise remains.left(device, name, failure, host.settings)


async def reclaim(host: ScriptHost) -> None:
    """Have what scripts left behind taken out whose backends are gone, vnds above all, if the scripts can."""
    program = os.fspath(host.settings.script_directory / "hotplug-reclaim")
    if not os.access(program, os.X_OK):
        return
    try:
        outcome = await host.run_script([program], _environment(host.settings), host.settings.hotplug_seconds)
    except XendError as error:
        host.log(str(error))
        return
    for line in outcome.output.splitlines():
        host.log(f"{program}: {line}")
    if outcome.status != 0:
        host.log(f"{program} {_ending(outcome, 'connected')}")


async def _run(host: ScriptHost, work: Work, device: Device, put_in: bool) -> ScriptOutcome:
    outcome = await _call(host, work, device, command(device, host.settings, put_in))
    beside = command_beside(device, host.settings, put_in)
    if beside is None or outcome.status != 0:
        return outcome
    also = await _call(host, work, device, beside)
    said = filter(None, (outcome.output, also.output))
    return ScriptOutcome(also.status, "\n".join(said))


async def _call(host: ScriptHost, work: Work, device: Device, command: Command) -> ScriptOutcome:
    argv, environment = command
    seconds = host.settings.hotplug_seconds
    try:
        with work.waiting(f"{argv[0]} to end ({device.name})", seconds + 1):
            return await host.run_script(argv, environment, seconds)
    except XendError as error:
        if "waited_s" in error.fields:
            work.facts.hung_scripts.append(_key(device))
        raise error.annotated(device=device.name) from error


def _key(device: Device) -> str:
    return f"{device.name} of {device.domid}"


async def _read(host: ScriptHost, device: Device, key: str) -> str | None:
    return (await texts(host.store, device.backend_path, (key,))).get(key)


def _ending(outcome: ScriptOutcome, status: str | None) -> str:
    if outcome.status < 0:
        return f"was ended by signal {-outcome.status}"
    if outcome.status > 0:
        return f"exited with status {outcome.status}"
    return f"ended without an error, but hotplug-status is {status or 'empty'}; 'connected' was expected"


def _reason(outcome: ScriptOutcome) -> str:
    """One of `reasons.SCRIPT_ENDED`, of a script that did not put its device in."""
    if outcome.status < 0:
        return "signal"
    return "exit_status" if outcome.status > 0 else "not_connected"


def check(script: str, device: str) -> None:
    """See that a script can be run, before anything is done.

    Raises:
        XendError: script_failed: what the kernel would refuse.
    """
    found = unrunnable(script, PATH)
    if found is not None:
        text = f"{device}: script {script} {found.complaint}"
        raise XendError("script_failed", text, device=device, reason=found.reason, hint=found.hint)
