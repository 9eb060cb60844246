"""autostart.*"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

from xend.autostart.chosen import Down, by_age, chosen
from xend.autostart.ending import LastResort
from xend.autostart.files import ConfigDirectory, Text, check_pattern
from xend.autostart.hooks import Hooks
from xend.autostart.one import Start
from xend.autostart.rows import Publish, Row
from xend.autostart.runs import Runs
from xend.autostart.saved import SavedDirectory
from xend.autostart.saves import Saves, drafts
from xend.autostart.start import Starting, missing
from xend.autostart.stop import Stopping, clear_way
from xend.autostart.wanted import Candidate, Wanted, examine
from xend.bus.kinds import FLAG, SECONDS, TEXT, TEXTS, choice
from xend.bus.methods import OPERATION, Call, Method, optional
from xend.calls.domains import DomainCalls
from xend.calls.saving import SavingCalls
from xend.domain.target import DOM0, Between, Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.operation.registry import OperationRegistry


@attrs.frozen
class HostActs:
    """What xend.autostart.acts.Acts asks for, by the calls that anybody makes."""

    domains: DomainCalls
    saving: SavingCalls
    targets: Targets
    call: Call

    async def create(self, name: str, text: Text) -> dict[str, Any]:
        return await self.domains.create(
            self.call, text.text, name=name, path=text.path, directory=text.directory
        )

    async def restore(self, path: str) -> dict[str, Any]:
        return await self.saving.restore(self.call, path)

    async def find(self, name: str) -> Target | None:
        try:
            found = await self.targets.find_any(name)
            return None if isinstance(found, Between) else found
        except XendError as error:
            if error.code != "no_such_domain":
                raise
            return None

    async def all(self) -> Sequence[Target | Between]:
        return [each for each in await self.targets.all() if each.domid != DOM0]


class AutostartCalls:
    """The methods, over a host.

    directory: of configurations.
    """

    def __init__(
        self,
        host: Host,
        operations: OperationRegistry,
        domains: DomainCalls,
        saving: SavingCalls,
        targets: Targets,
        runs: Runs,
        directory: ConfigDirectory,
    ) -> None:
        self._host = host
        self._operations = operations
        self._domains = domains
        self._saving = saving
        self._targets = targets
        self._runs = runs
        self._directory = directory
        self._saved = SavedDirectory(host)
        self._starting: list[Starting] = []

    def methods(self) -> list[Method]:
        """All of them."""
        common = {"names": optional(TEXTS), "dry_run": optional(FLAG), **OPERATION}
        start = {
            **common,
            "prehook": optional(TEXT),
            "posthook": optional(TEXT),
            "saved": optional(FLAG),
        }
        stop = {
            **common,
            "all": optional(FLAG),
            "save": optional(FLAG),
            "timeout_s": optional(SECONDS),
            "last_resort": optional(choice("destroy", "leave")),
        }
        return [
            Method("autostart.start", "operate", start, self.start),
            Method("autostart.stop", "operate", stop, self.stop),
        ]

    async def start(
        self,
        call: Call,
        names: list[str] | None = None,
        prehook: str | None = None,
        posthook: str | None = None,
        saved: bool = False,
        dry_run: bool = False,
        **how: Any,
    ) -> object:
        check_pattern("prehook", prehook)
        check_pattern("posthook", posthook)
        if dry_run:
            return {"steps": self._examined(names, saved).lines()}
        hooks = Hooks(host=self._host, directory=self._directory, before=prehook, after=posthook)

        async def body(publish: Publish) -> list[Row]:
            self._saved.sweep(drafts(self._operations))
            return await self._start(self._acts(call), self._examined(names, saved), hooks, publish)

        return await self._answer(body, **how)

    async def stop(
        self,
        call: Call,
        names: list[str] | None = None,
        all: bool = False,
        save: bool = False,
        timeout_s: float | None = None,
        last_resort: LastResort = "destroy",
        dry_run: bool = False,
        **how: Any,
    ) -> object:
        if all and names is not None:
            raise XendError("bad_request", "names, or all, not both", method="autostart.stop")
        words = None if all else self._directory.listed() if names is None else names
        acts, saves = self._acts(call), Saves(self._host, self._operations, everyone=save)
        if dry_run:
            down, _ = await _down(acts, words)
            return {"steps": down.lines(saves.is_wanted)}

        async def body(publish: Publish) -> list[Row]:
            self._give_up_starting(words)
            await clear_way(self._operations, lambda name: words is None or name in words)
            down, strange = await _down(acts, words)
            stopping = Stopping(self._host, self._operations, down, timeout_s, last_resort, saves, publish)
            rows = await stopping.run()
            return rows + [Row(name=word, outcome="not-running").published(publish) for word in strange]

        return await self._answer(body, **how)

    async def _answer(
        self,
        body: Callable[[Publish], Awaitable[list[Row]]],
        key: str | None = None,
        wait_for: str | None = None,
    ) -> object:
        run = self._runs.start(key, body)
        if wait_for == "accepted":
            return {"ended": run.ended.is_set()}
        return await run.outcome()

    async def _start(self, acts: HostActs, wanted: Wanted, hooks: Hooks, publish: Publish) -> list[Row]:
        def make(candidate: Candidate) -> Start:
            return Start(self._host, self._operations, acts, hooks, candidate)

        starting = Starting(wanted, await missing(acts, wanted), make, publish)
        self._starting.append(starting)
        try:
            return await starting.run()
        finally:
            self._starting.remove(starting)

    def _examined(self, names: Sequence[str] | None, with_all_saved: bool) -> Wanted:
        saved = self._saved.all(self._host.random)
        return examine(self._directory, names, self._host.settings.defaults, saved, with_all_saved)

    def _give_up_starting(self, words: Sequence[str] | None) -> None:
        """What is being stopped is not to be started any more."""
        for starting in self._starting:
            starting.give_up(lambda each: words is None or each.name in words or each.config.name in words)

    def _acts(self, call: Call) -> HostActs:
        return HostActs(self._domains, self._saving, self._targets, call)


async def _down(acts: HostActs, words: Sequence[str] | None) -> tuple[Down, list[str]]:
    """What goes down for these words, None: everything; and the words that mean nothing."""
    known = await acts.all()
    targets, strange = (by_age(known), []) if words is None else chosen(known, words)
    return Down(targets), strange
