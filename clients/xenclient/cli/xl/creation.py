"""A domain is made of parameters of domain.create: with its console, or waited for, or undone."""

from __future__ import annotations

import os
import time

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.operation import perform
from xenclient.cli.xl.printing import log
from xenclient.xend.errors import BusError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    #: A domain as domain.create returns it, or an event.
    Map = Mapping[str, Any]

#: Events after which a domain does not come back, unless it is restarted.
GONE = ("destroyed", "reaped")
#: The step in which a boot loader runs, whose terminal is the domain's console meanwhile.
LOADER_STEP = "boot-loader"
#: How often it is looked whether that step has come, which is the domain's fifth or sixth.
LOOK_S = 0.1


def create(
    call: Call,
    parameters: dict[str, Any],
    method: str = "domain.create",
    made: Callable[[Map], object] = lambda created: None,
) -> Map:
    """Create the domain and return it; with -c show its console until that ends or is left.

    Args:
        method: by which it is created: domain.create or domain.restore.
        made: called once it is there.
    """
    how = {**parameters, "paused": call.given("paused")}
    if not call.given("console"):
        made(created := perform_or_undo(call, method, how))
        return created
    if method == "domain.create" and _has_boot_loader(call, parameters):
        made(created := _create_and_watch(call, how))
        return created
    # Paused until its console is attached, so that no output is missed.
    created = perform_or_undo(call, method, {**parameters, "paused": True})
    from xenclient.cli.xl.terminal import attach

    waiting = [] if call.given("paused") else [created["domid"]]

    def unpause() -> None:
        while waiting:
            call.client.call("domain.unpause", domain=waiting.pop())

    try:
        made(created)
        attach(call.client, created["domid"], unpause)
    except (ClientError, Failure):
        # Without its console it runs all the same.
        unpause()
        raise
    return created


def create_as_asked(
    call: Call, parameters: dict[str, Any], viewer: str | None, method: str = "domain.create"
) -> None:
    """Create the domain and, with --json, print the answer; with -F wait until the domain is gone.

    Args:
        viewer: the program that shows its screen; None: none does.
        method: as of `create`.
    """

    def show(created: Map) -> None:
        if viewer is not None:
            from xenclient.cli.xl.viewer import screen_of

            screen_of(call, created["domid"], call.given("vncviewer-autopass")).start(viewer)

    # Followed before the domain is there, so that no event is missed.
    events = call.client.events(kinds=["domain"]) if call.given("F") else None
    created = create(call, parameters, method, show)
    call.show(created, "")
    if events is not None:
        wait_until_gone(events, created["uuid"])


def _has_boot_loader(call: Call, parameters: Map) -> bool:
    """Whether a program of dom0 finds its kernel; xend is asked only where the text may say so."""
    words = [parameters.get("text", ""), *parameters.get("extra", ())]
    if not any("bootloader" in word for word in words):
        return False
    planned = call.client.call("domain.create", dry_run=True, **parameters)
    return "bootloader" in planned["config"]["b_info"]


def _create_and_watch(call: Call, parameters: dict[str, Any]) -> Map:
    """Create the domain and return it; its console is shown from its boot loader on, whose keys are typed."""
    from xenclient.cli.xl.terminal import attach

    parameters = {**parameters, "key": os.urandom(16).hex()}

    def watch() -> Map:
        operation = call.client.call("domain.create", wait_for="accepted", **parameters)["operation"]
        while (shown := call.client.call("operation.show", operation=operation))["state"] == "running":
            if shown["step_key"] == LOADER_STEP and shown["waiting"] is not None:
                attach(call.client, shown["domid"])
                break
            time.sleep(LOOK_S)
        # The same call with the same key does nothing itself, and is answered with what came of it.
        return perform(call, "domain.create", **parameters)

    return _undone_if_interrupted(call, "domain.create", parameters, watch)


def perform_or_undo(call: Call, method: str, parameters: dict[str, Any]) -> Map:
    """Call a method that may take long, and return its result; an interrupt has everything undone."""
    parameters = {**parameters, "key": os.urandom(16).hex()}
    return _undone_if_interrupted(call, method, parameters, lambda: perform(call, method, **parameters))


def _undone_if_interrupted(
    call: Call, method: str, parameters: dict[str, Any], make: Callable[[], Map]
) -> Map:
    try:
        return make()
    except KeyboardInterrupt:
        log(f"{call.settings.program}: interrupted; what was made is undone\n")
        _undo(call, method, parameters)
        raise


def _undo(call: Call, method: str, parameters: dict[str, Any]) -> None:
    """Cancel the operation, and wait until it is undone."""
    client = call.new_client()
    # The same call with the same key does nothing itself, and names the operation.
    operation = client.call(method, wait_for="accepted", **parameters)["operation"]
    client.call("operation.cancel", operation=operation)
    try:
        client.call("operation.wait", operation=operation)
        log(f"{call.settings.program}: that was too late: it is done\n")
    except BusError as error:
        if error.code != "cancelled":
            raise


def wait_until_gone(events: Iterable[Map], uuid: str) -> None:
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
