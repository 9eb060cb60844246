"""Waits until a domain's device model runs and answers, of which nothing is believed."""

import re
from collections.abc import Sequence
from typing import Any

import trio

from xend.device.kinds import KINDS
from xend.device.nodes import texts, value_of
from xend.device.xenbus import XenbusState
from xend.domain.nodes import home
from xend.errors import XendError
from xend.host import Host
from xend.model.models import Model
from xend.model.part import Part, Screen, screen_of
from xend.model.qmp import Conversation, QmpClosed, QmpError
from xend.operation.steps import Work
from xend.refusals import explained
from xenstore.daemon.groups import alone

__all__ = ["await_model", "restate", "state_path"]

#: How long it may take to begin, as with libxl, and to answer then, in seconds.
READY_SECONDS = 60.0
ANSWER_SECONDS = 10.0
#: How long the end of one that has closed its socket is waited for, in seconds: its process ends after that.
END_SECONDS = 5.0
#: How often its socket is tried, in seconds.
RETRY_SECONDS = 0.1
_RUNNING = b"running"
#: What qemu calls a terminal that it has made, which it chose itself: one, or nothing.
_PTY = "pty:"
_TERMINAL = re.compile(r"pty:/dev/(pts/[0-9]{1,6}|tty[p-zP-T][0-9a-zA-Z])")


def state_path(domid: int) -> str:
    """Below which it says how far it has come."""
    return f"{home(0)}/device-model/{domid}"


async def await_model(
    host: Host, work: Work, name: str, parts: Sequence[Part], domid: int, lines: int = 0
) -> None:
    """Returns once it runs, has answered, and shows the domain's screen.

    lines: how many serial lines the domain has.

    Raises:
        XendError: it has ended, or does not come so far; with what it said last.
    """
    model = host.models.get(domid)
    if model is None:
        raise XendError("internal", "its device model was not started", domain=name)

    async def watch_end(scope: trio.CancelScope) -> None:
        await model.has_ended.wait()
        scope.cancel()

    try:
        with alone(XendError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch_end, nursery.cancel_scope)
                await _await_state(host, work, model)
                if screen_of(parts) is not None:
                    await restate(host, model)
                await _converse(host, work, model, parts, lines)
                nursery.cancel_scope.cancel()
    except XendError as error:
        if not model.has_ended.is_set():
            raise _failed(model, error) from error
    if model.has_ended.is_set():
        raise _failed(model, None)


async def _await_state(host: Host, work: Work, model: Model) -> None:
    path = f"{state_path(model.domid)}/state"
    with (
        explained("follow its device model", model.name),
        work.waiting(f"{model.called} to say that it runs", READY_SECONDS),
    ):
        async with host.store.watch(path) as watch:
            while await value_of(host.store, path) != _RUNNING:
                await watch.next()


async def restate(host: Host, model: Model) -> None:
    """Say again how far the backends of a paravirtual screen are.

    QEMU 9.1 and newer take them up as they start, and write all nodes of such a screen anew after that, the
    first state included; they go on from where they were.
    """
    with explained("say how far its screen is", model.name):
        for name in (name for kind in KINDS.values() if kind.model_restates for name in kind.model_backends):
            path = f"{home(0)}/backend/{name}/{model.domid}/0"
            found = await texts(host.store, path, ("state", "hotplug-status"))
            if found == {"state": str(XenbusState.INITIALISING.value), "hotplug-status": "connected"}:
                await host.store.write(f"{path}/state", str(XenbusState.INIT_WAIT.value))


async def _converse(host: Host, work: Work, model: Model, parts: Sequence[Part], lines: int) -> None:
    """See that it answers, and have it show the screen: that it runs is not the end of its start."""
    screen = screen_of(parts)
    with work.waiting(f"{model.called} to answer", ANSWER_SECONDS):
        stream = await _connected(host, model)
        try:
            conversation = Conversation(stream)
            await conversation.begin()
            await conversation.ask("query-status")
            if lines:
                await _name_lines(host, model, conversation, lines)
            if screen is not None and screen.vnc:
                await _show(host, model, conversation, screen)
            for part in parts:
                if part.spice is not None and not part.spice.is_open:
                    await conversation.ask("set_password", protocol="spice", password=part.spice.password)
        except QmpError as error:
            if isinstance(error, QmpClosed):
                with trio.move_on_after(END_SECONDS):
                    await model.has_ended.wait()
            raise XendError(
                "device_failed", f"{model.called} does not answer as it should", cause=str(error)
            ) from error
        finally:
            await trio.aclose_forcefully(stream)


async def _connected(host: Host, model: Model) -> trio.abc.Stream:
    while True:
        try:
            return await host.models.system.connect(host.models.place(model.domid).control)
        except OSError:
            await trio.sleep(RETRY_SECONDS)


async def _show(host: Host, model: Model, conversation: Conversation, screen: Screen) -> None:
    """Where the screen is, for xl vncviewer: what it chose itself is a port, or it is nothing."""
    if screen.vnc_password:
        await conversation.ask("change-vnc-password", password=screen.vnc_password)
    found = await conversation.ask("query-vnc")
    service = found.get("service") if isinstance(found, dict) else None
    if not isinstance(service, str) or not (service.isascii() and service.isdigit() and len(service) <= 5):
        raise QmpError("query-vnc: it names no port")
    console = f"{home(model.domid)}/console"
    with explained("write where its screen is", model.name):
        await host.store.write(f"{console}/vnc-listen", screen.vnc_listen)
        await host.store.write(f"{console}/vnc-port", service)


async def _name_lines(host: Host, model: Model, conversation: Conversation, lines: int) -> None:
    """Which terminals in dom0 its serial lines are, for xl console -t serial."""
    found = await conversation.ask("query-chardev")
    names = {f"serial{number}": number for number in range(lines)}
    for each in found if isinstance(found, list) else ():
        label, name = (each.get(key) if isinstance(each, dict) else None for key in ("label", "filename"))
        if label not in names or not isinstance(name, str) or not name.startswith(_PTY):
            continue
        if not _TERMINAL.fullmatch(name):
            raise QmpError("query-chardev: it names no terminal")
        with explained("write where its serial lines are", model.name):
            path = f"{home(model.domid)}/serial/{names[label]}/tty"
            await host.store.write(path, name.removeprefix(_PTY))


def _failed(model: Model, error: XendError | None) -> XendError:
    """Why it is not ready, with what it said."""
    words = model.last_words()
    if error is None:
        error = XendError("device_failed", f"{model.called} {model.death or 'has ended'} as it started")
    fields: dict[str, Any] = {
        "domain": model.name,
        "cause": words[-1] if words else "it said nothing",
        "script_output": "\n".join(words) or None,
        "hint": f"all that it said is in {model.log}",
    }
    return error.annotated(**fields)
