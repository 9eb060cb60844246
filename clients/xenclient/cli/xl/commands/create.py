"""xl create: the configuration's text, read here, goes to xend, which parses it."""

from __future__ import annotations

import os

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.configurations import configuration_text
from xenclient.cli.xl.operation import perform, plan
from xenclient.cli.xl.printing import log, write
from xenclient.cli.xl.source import read_source
from xenclient.xend.errors import BusError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    #: A domain as domain.create returns it, or an event.
    Map = Mapping[str, Any]

#: Events after which a domain does not come back, unless it is restarted.
GONE = ("destroyed", "reaped")


def run(call: Call) -> int:
    for viewer in ("vncviewer", "vncviewer-autopass"):
        if call.given(viewer):
            raise call.usage_error(
                f"--{viewer}: PV and PVH domains have no screen; a viewer comes with the device model of HVM "
                "domains, which is not there yet (xl console shows their text)"
            )
    file, assignments = _file_and_assignments(call)
    source = read_source(file)
    if not call.given("quiet"):
        log(f"Parsing config from {source.path}\n")
    parameters: dict[str, Any] = {**source.parameters(), "extra": assignments}
    if call.given("ignore-global-affinity-masks"):
        parameters["ignore_masks"] = True
    if call.given("dry-run"):
        perform(call, "domain.create", **parameters)
        return 0
    # -N before the sub-command prints the configuration, as Xen's xl does, and no steps.
    is_dry_run = call.given("dryrun") or call.settings.dry_run
    if is_dry_run or call.given("debug"):
        planned = plan(call, "domain.create", **parameters)
        text = configuration_text(call, planned["config"])
        if is_dry_run:
            write(text)
            return 0
        log(text)
    if call.given("F"):
        # Followed before the domain is there, so that no event is missed.
        events = call.client.events(kinds=["domain"])
        _wait_until_gone(events, _create(call, parameters)["uuid"])
    else:
        _create(call, parameters)
    return 0


CREATE = Command(
    "FILE [KEY=VALUE ...]",
    run,
    Option("f", "defconfig", "the configuration file", "FILE"),
    Option("p", "paused", "leave the domain paused"),
    Option("c", "console", "attach to its console"),
    Option("n", "dryrun", "print the configuration as JSON, create nothing"),
    Option("q", "quiet", "do not name the configuration file"),
    Option("d", "debug", "print the configuration as JSON too"),
    Option("e", "", "accepted: xend, not xl, waits for the domain's end"),
    Option("F", "", "wait until the domain is gone"),
    Option("V", "vncviewer", "refused: a viewer needs a device model, which is not there yet"),
    Option("A", "vncviewer-autopass", "refused, as -V"),
    Option("", "ignore-global-affinity-masks", "pass over vm.cpumask and its like in xl.conf"),
    DRY_RUN,
    least=0,  # -f may name the file
)


def _file_and_assignments(call: Call) -> tuple[str, list[str]]:
    files = [word for word in call.arguments if "=" not in word]
    if (file := call.value("defconfig")) is not None:
        files.insert(0, file)
    if not files:
        raise call.usage_error("needs a configuration file; /dev/null is one")
    if len(files) > 1:
        raise call.usage_error(f"{files[1]!r} is neither an option nor KEY=VALUE")
    return files[0], [word for word in call.arguments if "=" in word]


def _create(call: Call, parameters: dict[str, Any]) -> Map:
    """Create the domain and return it; with -c show its console until that ends or is left."""
    if not call.given("console"):
        return _create_or_undo(call, {**parameters, "paused": call.given("paused")})
    # Paused until its console is attached, so that no output is missed.
    created = _create_or_undo(call, {**parameters, "paused": True})
    from xenclient.cli.xl.terminal import attach

    waiting = [] if call.given("paused") else [created["domid"]]

    def unpause() -> None:
        while waiting:
            call.client.call("domain.unpause", domain=waiting.pop())

    try:
        attach(call.client, created["domid"], unpause)
    except ClientError:
        # Without its console it runs all the same.
        unpause()
        raise
    return created


def _create_or_undo(call: Call, parameters: dict[str, Any]) -> Map:
    """Create the domain and return it; an interrupt has everything undone."""
    parameters = {**parameters, "key": os.urandom(16).hex()}
    try:
        return perform(call, "domain.create", **parameters)
    except KeyboardInterrupt:
        log(f"{call.settings.program}: interrupted; what was made is undone\n")
        _undo(call, parameters)
        raise


def _undo(call: Call, parameters: dict[str, Any]) -> None:
    """Cancel the operation, and wait until it is undone."""
    client = call.new_client()
    # The same call with the same key does nothing itself, and names the operation.
    operation = client.call("domain.create", wait_for="accepted", **parameters)["operation"]
    client.call("operation.cancel", operation=operation)
    try:
        client.call("operation.wait", operation=operation)
    except BusError as error:
        if error.code != "cancelled":
            raise


def _wait_until_gone(events: Iterable[Map], uuid: str) -> None:
    """Read events until the domain of this UUID is gone for good, through its restarts."""
    restarting = False
    for event in events:
        what = event["what"]
        if event.get("uuid") != uuid:
            continue
        # Between two lives, an event that has a reason says that somebody ended it.
        if what in GONE and (not restarting or "reason" in event):
            return
        restarting = what == "restarting" or (restarting and what not in ("created", "waiting"))
