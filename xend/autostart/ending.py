"""domain.stop: a domain is asked to shut down and, when it has or its time is over, removed.

One operation, so that nobody comes between: what its configuration says of poweroff, reboot and crash is the
keeper's to do with domains that nobody works on.  What xend's death cut off goes on when xend is back.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from xend.domain.change import ShutdownRequest, reason_name
from xend.domain.destroy import Destruction
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Plan, Step, Work
from xend.refusals import explained

KIND = "domain.stop"
#: How long one that is to be destroyed waits for those that have to be gone before, in seconds.
TURN_SECONDS = 60.0

#: Returns when those are gone that have to be before.
Turn = Callable[[], Awaitable[None]]


def stop_plan(host: Host, facts: dict[str, Any], turn: Turn | None = None) -> Plan:
    """For facts of destroy and {word: "poweroff", ask, seconds, last_resort, outcome, why}.

    Its result says {outcome: "down" or "destroyed", why: for people, or None}.

    Args:
        facts: ask: it can hear; else it is destroyed, with the outcome and the reason given.  seconds: how
            long it may take; counted anew by another xend.  last_resort: "destroy", or "leave".
        turn: awaited before what does not shut down is destroyed.
    """
    ending = _Ending(host, facts, turn)
    asked = [
        Step("ask its guest", ending.ask, ending.withdraw),
        Step("wait until it has shut down", ending.await_end),
    ]
    return Plan(
        kind=KIND,
        domain=facts["name"],
        facts=facts,
        steps=[
            *(asked if facts["ask"] else ()),
            *ending.destruction.steps(),
            Step("forget it", ending.forget),
        ],
        on_crash="resume",
    )


class _Ending(ShutdownRequest):
    def __init__(self, host: Host, facts: dict[str, Any], turn: Turn | None) -> None:
        super().__init__(host, facts)
        self.destruction = Destruction(host, facts)
        self._turn = turn

    async def await_end(self, work: Work) -> None:
        with explained("look at it", self.name):
            is_over = await self._ended()
        if not is_over:
            try:
                await self._follow(work, f"{self.name} to shut down", self.facts["seconds"], self._ended)
            except XendError as error:
                if error.code != "no_answer":
                    raise
                await self._overrun(work, error)
                return
        await self._has_ended(work)

    async def _overrun(self, work: Work, error: XendError) -> None:
        seconds = self.facts["seconds"]
        message = f"it did not shut down within {seconds:.0f} s"
        if self.facts["last_resort"] == "leave":
            raise XendError("no_answer", message, domain=self.name, waited_s=seconds) from error
        work.facts |= {"outcome": "destroyed", "why": message}
        if self._turn is not None:
            with trio.move_on_after(TURN_SECONDS):
                await self._turn()

    async def _has_ended(self, work: Work) -> None:
        with explained("look at it", self.name):
            info = await self.host.hypervisor.domain(self.domid)
        event = None if info is None or not info.is_shutdown else reason_name(info)
        if event == "crash":
            work.facts |= {"outcome": "destroyed", "why": "it crashed while it shut down"}
        if event is not None:
            what = "crashed" if event == "crash" else "shutdown"
            self.host.publish(
                "domain", what, domid=self.domid, name=self.name, uuid=self.facts["uuid"], reason=event
            )

    async def forget(self, work: Work) -> None:
        await self.destruction.forget(work)
        work.result |= {"outcome": work.facts["outcome"], "why": work.facts["why"]}
