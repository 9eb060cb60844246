"""domain.stop: a domain is asked to shut down and, when it has or its time is over, removed.

One operation, so that nobody comes between: what its configuration says of poweroff, reboot and crash is the
keeper's to do with domains that nobody works on.  What xend's death cut off goes on when xend is back.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

import attrs
import trio
from attrs.validators import in_

from xend.domain.destroy import DestroyFacts, Destruction
from xend.domain.shutdown import ShutdownRequest, reason_name
from xend.errors import XendError
from xend.host import Host
from xend.operation.kind import Effect
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.stored import NOT_STORED
from xend.validators import number, typed

#: How long one that is to be destroyed waits for those that have to be gone before, in seconds.
TURN_SECONDS = 60.0

#: Operations that would bring a domain up again, or wait for what is going to happen now: they are cancelled.
IN_THE_WAY = (Effect.MAKES, Effect.RESTARTS, Effect.ASKS)

#: Returns when those are gone that have to be before.
Turn = Callable[[], Awaitable[None]]
LastResort = Literal["destroy", "leave"]


@attrs.define(kw_only=True)
class StopFacts(DestroyFacts):
    """Those of domain.stop.

    Attributes:
        ask: its guest can hear, and is asked; else it is destroyed, with the outcome and `why` given.
        seconds: how long it may take to shut down; counted anew by another xend.
        last_resort: what is done with one that does not shut down.
        outcome: what it came to, for the result.
        why: for people; None: it shut down as it was asked to.
        turn: awaited before what does not shut down is destroyed; None: nothing is, or another xend began it.
    """

    KIND = "domain.stop"

    ask: bool = attrs.field(validator=typed(bool))
    seconds: float = attrs.field(validator=number)
    last_resort: LastResort = attrs.field(validator=in_(("destroy", "leave")))
    outcome: str = attrs.field(validator=typed(str))
    turn: Turn | None = attrs.field(default=None, metadata=NOT_STORED)


def stop_steps(host: Host, facts: StopFacts) -> list[Step]:
    """The steps of domain.stop; its result is {outcome: "down" or "destroyed", why: for people, or None}."""
    stop = _Stop(host, facts)
    steps = [*stop.destruction.steps(), Step("forget", "forget it", stop.forget)]
    if not facts.ask:
        return steps
    request = stop.request()
    return [
        Step("ask", "ask its guest", request.ask_or_press, request.withdraw),
        Step("await-shutdown", "wait until it has shut down", stop.await_end),
        *steps,
    ]


class _Stop:
    def __init__(self, host: Host, facts: StopFacts) -> None:
        self._host = host
        self._facts = facts
        self.destruction = Destruction(host, facts)

    def request(self) -> ShutdownRequest:
        """What its guest is asked with."""
        domid, name, uuid = self.destruction.domid, self._facts.name, self._facts.uuid
        return ShutdownRequest(self._host, domid=domid, name=name, uuid=uuid, word="poweroff")

    async def await_end(self, work: Work) -> None:
        name, request = self._facts.name, self.request()
        with explained("look at it", name):
            is_over = await request.has_ended()
        if not is_over:
            try:
                await request.follow(work, f"{name} to shut down", self._facts.seconds, request.has_ended)
            except XendError as error:
                if error.code != "no_answer":
                    raise
                await self._overrun(error)
                return
        await self._has_ended()

    async def _overrun(self, error: XendError) -> None:
        seconds = self._facts.seconds
        message = f"it did not shut down within {seconds:.0f} s"
        if self._facts.last_resort == "leave":
            raise XendError("no_answer", message, domain=self._facts.name, waited_s=seconds) from error
        self._facts.outcome, self._facts.why = "destroyed", message
        if self._facts.turn is not None:
            with trio.move_on_after(TURN_SECONDS):
                await self._facts.turn()

    async def _has_ended(self) -> None:
        domid, name, uuid = self.destruction.domid, self._facts.name, self._facts.uuid
        with explained("look at it", name):
            info = await self._host.hypervisor.domain(domid)
        event = None if info is None or not info.is_shutdown else reason_name(info)
        if event == "crash":
            self._facts.outcome, self._facts.why = "destroyed", "it crashed while it shut down"
        if event is not None:
            what = "crashed" if event == "crash" else "shutdown"
            self._host.publish("domain", what, domid=domid, name=name, uuid=uuid, reason=event)

    async def forget(self, work: Work) -> None:
        await self.destruction.forget(work)
        work.result |= {"outcome": self._facts.outcome, "why": self._facts.why}
