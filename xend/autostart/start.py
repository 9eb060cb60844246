"""Brings domains up: each after those it needs, others at the same time, and never too many at once."""

import math
from collections.abc import Callable, Iterable, Mapping

import trio

from xend.autostart.acts import Acts
from xend.autostart.chosen import matching
from xend.autostart.one import Start
from xend.autostart.rows import Publish, Row, failed
from xend.autostart.wanted import Candidate, Wanted
from xend.errors import XendError

#: Domains that are created at the same time.  Their hotplug scripts wait for each other's locks, and a script
#: has 40 seconds (pkgsrc gives Xen's 180, since many interfaces at once did not come up in less); kernels are
#: read from the same disks.  Guests that boot count no longer.
PARALLEL = 4
GIVEN_UP = "domains are being stopped (xl autostop)"


async def missing(acts: Acts, wanted: Wanted) -> dict[str, str]:
    """The domains that some need, that are not among those wanted and do not run, and what to say of each."""
    words = dict.fromkeys(word for words in wanted.outside.values() for word in words)
    known = await acts.all() if words else []
    found = {}
    for word in words:
        infos = [each.info for each in matching(known, word) if each.info is not None]
        if not any(not (info.is_paused or info.is_shutdown or info.is_dying) for info in infos):
            found[word] = "which neither runs nor is among those to start"
    return found


class Starting:
    """One call's work.

    missing: domains outside that are needed and not up, and what is wrong with each.
    make: what brings a candidate up.
    """

    def __init__(
        self, wanted: Wanted, missing: Mapping[str, str], make: Callable[[Candidate], Start], publish: Publish
    ) -> None:
        self._wanted = wanted
        self._missing = missing
        self._make = make
        self._publish = publish
        self._pending = {each.name: each for each in wanted.candidates}
        self._rows: dict[str, Row] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        #: When what comes after a domain may start, on trio's clock.
        self._free_at: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._creating = 0
        #: Those that are restored and not made yet; others wait for that, but those that they need.
        self._to_restore = {each.name for each in wanted.candidates if each.saved is not None}
        self._needed_to_restore = self._with_needed(self._to_restore)
        self._changed = trio.Event()
        self._place = {each.name: index for index, each in enumerate(wanted.candidates)}
        #: Those that ask for a pause after them.
        self._pausing = [each for each in wanted.candidates if each.config.autostart_delay_s]

    async def run(self) -> list[Row]:
        """Start them; returns a row for each, those refused last."""
        for row in self._wanted.refused.values():
            self._end(row)
        async with trio.open_nursery() as nursery:
            while self._pending:
                self._changed = trio.Event()
                await self._start_ready(nursery)
                if not self._pending:
                    break
                with trio.move_on_at(self._next_time()):
                    await self._changed.wait()
        order = [*self._place, *(name for name in self._wanted.refused if name not in self._place)]
        return [self._rows[name] for name in order]

    def give_up(self, is_meant: Callable[[Candidate], bool]) -> None:
        """Start no more of those that are meant; what is under way is undone."""
        for candidate in self._wanted.candidates:
            if candidate.name in self._rows or not is_meant(candidate):
                continue
            if self._pending.pop(candidate.name, None) is not None:
                self._not_started(candidate.name, GIVEN_UP)
            elif candidate.name in self._scopes:
                self._scopes[candidate.name].cancel()

    # --- who may start ------------------------------------------------------------------------------------

    async def _start_ready(self, nursery: trio.Nursery) -> None:
        """All that may start now, in their order."""
        for name, candidate in list(self._pending.items()):
            if name not in self._pending:
                continue
            if (refusal := self._refusal(name)) is not None:
                del self._pending[name]
                self._not_started(name, refusal)
            elif awaited := self._awaited(name):
                self._publish_waiting(name, awaited)
            elif self._creating < PARALLEL:
                del self._pending[name]
                await nursery.start(self._start_one, candidate)

    def _refusal(self, name: str) -> str | None:
        """Why it cannot start any more; None: it may."""
        for word in self._wanted.outside.get(name, ()):
            if word in self._missing:
                return f"needs {word}, {self._missing[word]}"
        for before in self._wanted.after.get(name, ()):
            row = self._rows.get(before)
            if row is not None and row.outcome == "not-started":
                return f"needs {before}, which was not started"
            if row is not None and not row.is_well:
                return f"needs {before}, which failed: {row.reason}"
        return None

    def _awaited(self, name: str) -> str | None:
        """For people: what it waits for; None: nothing."""
        needed = self._wanted.after.get(name, ())
        if not_up := [before for before in needed if before not in self._rows]:
            return f"for {', '.join(not_up)}"
        if self._to_restore and name not in self._needed_to_restore:
            return f"until {', '.join(sorted(self._to_restore))} has been restored"
        now = trio.current_time()
        for before in self._pausing:
            if self._place[before.name] >= self._place[name]:
                break
            row = self._rows.get(before.name)
            if row is None or (row.is_well and now < self._free_at[before.name]):
                return f"until {before.name} has been up for {before.config.autostart_delay_s} s"
        return None

    def _with_needed(self, names: Iterable[str]) -> set[str]:
        """These, and all that come before them."""
        found, left = set[str](), list(names)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self._wanted.after.get(name, ())
        return found

    def _next_time(self) -> float:
        now = trio.current_time()
        return min((at for at in self._free_at.values() if at > now), default=math.inf)

    # --- one of them --------------------------------------------------------------------------------------

    async def _start_one(self, candidate: Candidate, *, task_status: trio.TaskStatus[None]) -> None:
        start = self._make(candidate)
        self._creating += 1
        with trio.CancelScope() as scope:
            self._scopes[candidate.name] = scope
            row = await self._up(start, candidate.name, task_status.started)
            self._free_at[candidate.name] = trio.current_time() + (start.pause_s if row.is_well else 0.0)
            self._end(row)
        if scope.cancelled_caught:
            self._not_started(candidate.name, GIVEN_UP)

    async def _up(self, start: Start, name: str, begun: Callable[[], object]) -> Row:
        try:
            try:
                if not await start.is_there():
                    self._publish("restoring" if name in self._to_restore else "starting", name)
            finally:
                begun()
            made = await start.create()
        except XendError as error:
            return failed(name, error)
        finally:
            self._creating -= 1
            self._to_restore.discard(name)
            self._changed.set()
        return await start.finish(made)

    def _publish_waiting(self, name: str, awaited: str) -> None:
        if self._told.get(name) != awaited:
            self._told[name] = awaited
            self._publish("waiting", name, reason=awaited)

    def _not_started(self, name: str, reason: str) -> None:
        self._end(Row(name=name, outcome="not-started", reason=reason))

    def _end(self, row: Row) -> None:
        self._to_restore.discard(row.name)
        self._rows[row.name] = row.published(self._publish)
        self._changed.set()
