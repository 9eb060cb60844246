"""domain.shutdown and domain.reboot: a guest is asked to, and does it itself."""

import posixpath
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Literal

import attrs
import trio

from xenclient.store.aio import Transaction
from xenclient.store.operations import set_perms
from xend.device.nodes import value_of, written
from xend.domain import nodes
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import SHUTDOWN_REASONS, DomainInfo
from xend.identity import is_domain
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import number, typed
from xenstore.errors import ENOENT

#: What a guest is asked for in control/shutdown.
ShutdownWord = Literal["poweroff", "reboot", "suspend"]

#: What a machine's guest gets in place of a request.
_BUTTONS: Mapping[str, str] = {"poweroff": "power", "reboot": "reset"}

#: How long a guest may take to answer, in seconds (libxl: 60).
ANSWER_SECONDS = 60.0
#: How long one that answered may take to shut down, where that is waited for.
SHUTDOWN_SECONDS = 3600.0
#: How often a guest is looked at when nothing says that it has ended.
LOOK_SECONDS = 5.0


@attrs.define(kw_only=True)
class ShutdownFacts(Facts):
    """Those of domain.shutdown.

    Attributes:
        WORD: what the guest is asked for.
        wait: the operation ends when the domain has shut down, not when the guest has answered.
        force: a guest that does not answer is shut down without its doing; that of a whole machine has its
            power button pressed.
        timeout_s: how long it may take to answer, in seconds.
    """

    KIND = "domain.shutdown"
    WORD: ClassVar[ShutdownWord] = "poweroff"

    wait: bool = attrs.field(validator=typed(bool))
    force: bool = attrs.field(validator=typed(bool))
    timeout_s: float = attrs.field(validator=number)


@attrs.define(kw_only=True)
class RebootFacts(ShutdownFacts):
    """Those of domain.reboot."""

    KIND = "domain.reboot"
    WORD = "reboot"


def shutdown_steps(host: Host, facts: ShutdownFacts) -> list[Step]:
    """The steps of domain.shutdown and domain.reboot."""
    shutdown = _Shutdown(host, facts)
    request = shutdown.request
    steps = [
        Step("ask", "ask its guest", request.ask, request.withdraw),
        Step("await-answer", "wait for its answer", shutdown.await_answer, request.withdraw),
    ]
    if facts.wait:
        steps.append(Step("await-end", "wait until it has shut down", shutdown.await_end))
    return steps


class ShutdownRequest:
    """A guest is asked through its node control/shutdown, and followed until it has shut down."""

    def __init__(self, host: Host, *, domid: int, name: str, uuid: str, word: ShutdownWord) -> None:
        self.host = host
        self.domid = domid
        self.name = name
        self.uuid = uuid
        self.word = word
        self.node = f"{nodes.home(self.domid)}/control/shutdown"

    async def ask(self, work: Work) -> None:
        with explained("ask it to shut down", self.name):
            await self.put()
        self._record_asked(self.word)
        self.host.publish("domain", "shutting-down", domid=self.domid, name=self.name, reason=self.word)

    async def put(self) -> None:
        """Write the request; the node is the guest's own, though it may have removed the one before.

        NetBSD's kernels do so, and what is made anew would be dom0's: they could not take the next request.
        """

        async def body(tx: Transaction) -> None:
            own = set_perms(self.node, [f"n{self.domid}"])
            await tx.together(*written(posixpath.dirname(self.node), {"shutdown": self.word}), own)

        await self.host.store.run_transaction(body)

    async def withdraw(self, work: Work) -> None:
        """Take the request back: a guest that did not hear it must not shut down tomorrow."""
        with explained("take the request back", self.name):
            try:
                if await self.host.store.read(self.node) == self.word.encode():
                    await self.host.store.write(self.node, "")
            except ENOENT:
                pass
        self._record_asked(None)

    async def follow(
        self,
        work: Work,
        what: str,
        seconds: float,
        done: Callable[[], Awaitable[bool]],
        node: str | None = None,
    ) -> None:
        """Wait until `done`, which is asked whenever a node changes or the domain has ended.

        Args:
            what: what is waited for, for people.
            seconds: for how long at most.
            node: which; None: that of the request.

        Raises:
            XendError: no_answer: it was not done in that time; store_failed, hypervisor_failed.
        """
        with explained("follow its shutdown", self.name):
            async with self.host.store.watch(node or self.node) as watch:
                with work.waiting(what, seconds):
                    while not await done():
                        with (
                            trio.move_on_after(LOOK_SECONDS) as scope,
                            self.host.ends.awaited(self.domid, scope.cancel),
                        ):
                            await watch.next()

    async def has_answered(self) -> bool:
        """Whether the guest has taken the request, or has ended."""
        if await self.has_ended():
            return True
        try:
            return await self.host.store.read(self.node) != self.word.encode()
        except ENOENT:
            return True

    async def has_ended(self) -> bool:
        """Whether the domain has shut down, or is gone."""
        info = await self.host.hypervisor.domain(self.domid)
        return info is None or info.is_shutdown or info.is_dying or not is_domain(info, self.uuid)

    async def reason(self) -> int | None:
        """Why the domain has shut down, as the hypervisor numbers it; None: it did not, or is gone."""
        with explained("look why it shut down", self.name):
            info = await self.host.hypervisor.domain(self.domid)
        return info.shutdown_reason if is_domain(info, self.uuid) else None

    @property
    def has_machine(self) -> bool:
        """Whether it has buttons that can be pressed."""
        return self.host.domains.has_machine(self.uuid)

    async def listens(self) -> bool:
        """Whether its guest has said that it takes such requests, as paravirtual drivers do."""
        node = f"{nodes.home(self.domid)}/control/feature-{self.word}"
        with explained("see whether its guest takes requests", self.name):
            return await value_of(self.host.store, node) == b"1"

    async def press(self) -> None:
        """Press a button of its machine, as its guest has no driver that would hear anything else."""
        trigger = _BUTTONS[self.word]
        self.host.log(f"{self.name} has no paravirtual driver that answers: {trigger} instead")
        with explained(f"send {trigger}", self.name):
            await self.host.hypervisor.send_trigger(self.domid, trigger, 0)

    async def ask_or_press(self, work: Work) -> None:
        """Ask its guest, and press the button of a machine whose guest does not say that it listens."""
        await self.ask(work)
        if self.has_machine and not await self.listens():
            await self.press()

    def _record_asked(self, word: str | None) -> None:
        domain = self.host.domains.by_uuid(self.uuid)
        if domain is not None:
            domain.awaited, domain.awaited_since = word, self.host.wall_clock()
            self.host.domains.save(domain)


class _Shutdown:
    """The steps of one operation; `request` has those that it shares with others."""

    def __init__(self, host: Host, facts: ShutdownFacts) -> None:
        assert facts.domid is not None
        self._host = host
        self._facts = facts
        self.request = ShutdownRequest(
            host, domid=facts.domid, name=facts.name, uuid=facts.uuid, word=facts.WORD
        )

    async def await_answer(self, work: Work) -> None:
        name, seconds = self._facts.name, self._facts.timeout_s
        if self._facts.force and self.request.has_machine and not await self.request.listens():
            await self.request.press()
            return
        what = f"{name} to answer control/shutdown"
        try:
            await self.request.follow(work, what, seconds, self.request.has_answered)
        except XendError as error:
            if error.code != "no_answer":
                raise
            if not self._facts.force:
                raise XendError(
                    "no_answer",
                    f"{name} did not answer control/shutdown within {seconds:g} s",
                    domain=name,
                    waited_s=seconds,
                    hint="-F presses its power button"
                    if self.request.has_machine
                    else f"has its kernel a driver for it? see its console, or xl destroy {name}",
                ) from error
            await self._force()

    async def _force(self) -> None:
        name = self._facts.name
        if self.request.has_machine:
            await self.request.press()
            return
        self._host.log(f"{name} does not answer: shutting it down without its doing")
        with explained("shut it down", name):
            reason = SHUTDOWN_REASONS.index(self._facts.WORD)
            await self._host.hypervisor.shutdown(self.request.domid, reason)

    async def await_end(self, work: Work) -> None:
        what = f"{self._facts.name} to shut down"
        await self.request.follow(work, what, SHUTDOWN_SECONDS, self.request.has_ended)
        work.result["shutdown_reason"] = await self.request.reason()


def reason_name(info: DomainInfo) -> str:
    """Why a domain has shut down, as SHUTDOWN_REASONS has it."""
    reason = info.shutdown_reason
    return SHUTDOWN_REASONS[reason] if reason is not None and reason < len(SHUTDOWN_REASONS) else "crash"
