"""Talks with a domain's device model while it runs: commands of QMP, of whose answers nothing is believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from xend.errors import XendError
from xend.host import Host
from xend.model.models import Model
from xend.model.qmp import Conversation, QmpError
from xend.operation.steps import Work

__all__ = ["model_of", "talk"]

#: How long all that is said in one conversation may take, in seconds (libxl: 10, for discs 40).
TALK_SECONDS = 40.0


def model_of(host: Host, domid: int, name: str) -> Model:
    """The device model of a domain, which runs.

    Raises:
        XendError: wrong_state, device_failed.
    """
    model = host.models.get(domid)
    if model is None:
        raise XendError(
            "wrong_state",
            f"{name} has no device model (qemu)",
            domain=name,
            hint="hvm domains have one, and those with devices that no kernel serves",
        )
    if model.has_ended.is_set():
        raise XendError(
            "device_failed",
            f"{model.called} {model.death or 'has ended'}",
            domain=name,
            hint=f"all that it said is in {model.log}; start the domain anew",
        )
    return model


@asynccontextmanager
async def talk(host: Host, work: Work, domid: int, name: str) -> AsyncIterator[Conversation]:
    """A conversation with it, begun; it may be over at any time.

    Raises:
        XendError: there is no device model, it does not answer, or refuses: device_failed; no_answer.
    """
    model = model_of(host, domid, name)
    with work.waiting(f"{model.called} to answer", TALK_SECONDS):
        try:
            stream = await host.models.system.connect(host.models.place(domid).control)
        except OSError as error:
            raise XendError(
                "device_failed", f"{model.called} cannot be asked", domain=name, cause=error.strerror
            ) from error
        try:
            conversation = Conversation(stream, host.models.system.send_descriptor)
            await conversation.begin()
            yield conversation
        except QmpError as error:
            what = "refuses" if error.is_refusal else "does not answer as it should"
            raise XendError(
                "device_failed", f"{model.called} {what}", domain=name, cause=str(error)
            ) from error
        finally:
            await trio.aclose_forcefully(stream)
