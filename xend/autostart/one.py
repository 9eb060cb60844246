"""One domain's way up: looked for, its hook run, created, its devices connected, its other hook run."""

from functools import partial
from typing import Any

import trio

from xend.autostart.acts import Acts, Living
from xend.autostart.connected import CONNECT_SECONDS, unconnected
from xend.autostart.hooks import Hooks
from xend.autostart.rows import Row, failed
from xend.autostart.saved import not_restored
from xend.autostart.wanted import Candidate
from xend.errors import XendError
from xend.host import Host
from xend.operation.locks import name_lock, uuid_lock
from xend.operation.registry import OperationRegistry

#: How long a domain that is about to go, or to be restarted, may take until somebody does that, in seconds,
#: and how often it is looked at.
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.5


class Start:
    """Brings one domain up.

    Attributes:
        pause_s: how long what comes after it still has to wait once it is up.
    """

    def __init__(
        self, host: Host, operations: OperationRegistry, acts: Acts, hooks: Hooks, candidate: Candidate
    ) -> None:
        self.pause_s = float(candidate.config.autostart_delay_s)
        self._host = host
        self._operations = operations
        self._acts = acts
        self._hooks = hooks
        self._name = candidate.name
        self._candidate = candidate
        config = candidate.config
        self._locks = [name_lock(config.name), *([uuid_lock(config.uuid)] if config.uuid else [])]

    async def is_there(self) -> bool:
        """Whether the domain is there, or somebody is about to make it; does not wait for that.

        Raises:
            XendError: that cannot be seen.
        """
        return self._operations.holder(self._locks) is not None or await self._find() is not None

    async def create(self) -> Living | dict[str, Any]:
        """The domain that was there already, or what creating it came to.

        Raises:
            XendError: why it cannot be.
        """
        found = await self._found()
        if found is None:
            await self._hooks.run(self._hooks.before, self._name)
            found = await self._found()
        while found is None:
            try:
                return await self._make()
            except XendError as error:
                if error.code != "busy":  # somebody else does the same
                    raise
            found = await self._found()
        return found

    async def _make(self) -> dict[str, Any]:
        saved, text = self._candidate.saved, self._candidate.text
        if saved is None:
            assert text is not None
            return await self._acts.create(self._name, text)
        try:
            return await self._acts.restore(saved)
        except XendError as error:
            raise error if error.code == "busy" else not_restored(saved, error) from error

    async def finish(self, made: Living | dict[str, Any]) -> Row:
        """Wait until it is up; what it came to."""
        try:
            return await (self._new(made) if isinstance(made, dict) else self._there(made))
        except XendError as error:
            return failed(self._name, error)

    async def _new(self, made: dict[str, Any]) -> Row:
        how = "up" if self._candidate.saved is None else "restored"
        amiss = await self._unconnected(self._identity(made), CONNECT_SECONDS)
        try:
            await self._hooks.run(self._hooks.after, self._name)
        except XendError as error:
            amiss.append(str(error))
            return self._row(how, made["domid"], amiss, error)
        return self._row(how, made["domid"], amiss)

    def _identity(self, made: dict[str, Any]) -> str:
        known = self._host.domains.get(made["domid"])
        return made["uuid"] if known is None else known.uuid

    async def _there(self, found: Living) -> Row:
        """It is up; if not for long, devices and delay are waited for as if it had been started here."""
        info, domain = found.info, found.managed
        if info.is_shutdown:
            raise self._in_the_way(found, "has shut down", f"xl destroy {found.name} ends it")
        if info.is_paused:
            raise self._in_the_way(found, "is paused", f"xl unpause {found.name} lets it run")
        if domain is None or domain.start_time is None:
            self.pause_s = 0.0
            return self._row("already-running", found.domid, [])
        age_s = max(0.0, self._host.wall_clock() - domain.start_time)
        amiss = []
        if age_s < CONNECT_SECONDS:
            amiss = await self._unconnected(domain.uuid, CONNECT_SECONDS - age_s)
        else:
            self.pause_s = max(0.0, self.pause_s - age_s)
        return self._row("already-running", found.domid, amiss)

    async def _unconnected(self, uuid: str, seconds: float) -> list[str]:
        names = await unconnected(self._host, self._operations, uuid, seconds)
        return [f"{name} is not connected after {CONNECT_SECONDS:g} s" for name in names]

    async def _found(self) -> Living | None:
        """The domain of that name, once nobody works on it and nothing is about to become of it."""
        until = trio.current_time() + SETTLE_SECONDS
        while True:
            while (holder := self._operations.holder(self._locks)) is not None:
                await holder.ended.wait()
            found = await self._find()
            if found is None or not _is_unsettled(found):
                return found
            if trio.current_time() >= until:
                raise self._in_the_way(found, f"does not go in {SETTLE_SECONDS:g} s", "see xl list")
            await trio.sleep(LOOK_SECONDS)

    async def _find(self) -> Living | None:
        return await self._acts.find(self._candidate.config.name)

    def _in_the_way(self, found: Living, what: str, hint: str) -> XendError:
        message = f"a domain {found.name} is there (domid {found.domid}) and {what}"
        return XendError("wrong_state", message, domain=found.name, hint=hint)

    def _row(self, outcome: str, domid: int, amiss: list[str], error: XendError | None = None) -> Row:
        make = partial(Row, name=self._name, outcome=outcome, domid=domid, error=error)
        return make(reason="; ".join(amiss) or None)


def _is_unsettled(found: Living) -> bool:
    """Whether the keeper, or the hypervisor, is about to do something with it."""
    ours = found.managed
    return found.info.is_dying or (found.info.is_shutdown and ours is not None and not ours.seen_shutdown)
