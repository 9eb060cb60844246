"""domain.suspend and domain.resume: a guest's kernel stops itself, in a state that can be saved, and goes on.

Some kernels answer and never suspend (NetBSD's), some do so late.  A request that was given up is taken back;
who has taken it may still suspend itself: the domain's file says so, and the keeper resumes it then.
Source: migration.md 3
"""

from contextlib import suppress
from typing import Final

import attrs

from xenclient.store.aio import Transaction
from xend.device.device import Device
from xend.device.nodes import value_of
from xend.device.stored import devices_in_store
from xend.domain import model_state, nodes, reconnecting
from xend.domain.shutdown import ANSWER_SECONDS, ShutdownRequest, reason_name
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import SHUTDOWN_REASONS, DomainInfo
from xend.identity import is_domain
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xenstore.errors import XenstoreError

SUSPENDED, CRASHED = map(SHUTDOWN_REASONS.index, ("suspend", "crash"))
#: How long a guest that answered may take to suspend itself, in seconds (libxl: 60).
SUSPEND_SECONDS = 60.0
WORD: Final = "suspend"


@attrs.define(kw_only=True)
class SuspendFacts(Facts):
    """Those of domain.suspend."""

    KIND = "domain.suspend"


@attrs.define(kw_only=True)
class ResumeFacts(Facts):
    """Those of domain.resume."""

    KIND = "domain.resume"


def is_suspended(info: DomainInfo | None) -> bool:
    """Whether a domain has shut down to be suspended."""
    return info is not None and not info.is_dying and info.shutdown_reason == SUSPENDED


def check_can_suspend(target: Target) -> None:
    """See that a guest can be asked.

    Raises:
        XendError: wrong_state: it is paused, or has ended.
    """
    if target.info.is_shutdown or target.info.is_dying:
        reason = reason_name(target.info)
        raise XendError("wrong_state", f"{target.name} has shut down already ({reason})", domain=target.name)
    if target.info.is_paused:
        raise XendError(
            "wrong_state",
            f"{target.name} is paused: it cannot hear a request to suspend itself",
            domain=target.name,
            hint=f"xl unpause {target.name}",
        )


async def prepare_suspend(host: Host, target: Target) -> SuspendFacts:
    """Raises: XendError: wrong_state."""
    check_can_suspend(target)
    return SuspendFacts(**target.identity)


async def prepare_resume(host: Host, target: Target) -> ResumeFacts:
    """Raises: XendError: wrong_state."""
    if not is_suspended(target.info):
        raise XendError("wrong_state", f"{target.name} is not suspended", domain=target.name)
    return ResumeFacts(**target.identity)


def suspend_steps(host: Host, facts: SuspendFacts) -> list[Step]:
    """The steps of domain.suspend."""
    suspension = Suspension(host, facts)
    return [
        Step("suspend", "have its guest suspend itself", suspension.suspend, suspension.take_back),
        Step("keep", "note that it stays suspended", suspension.keep, suspension.take_back),
    ]


def resume_steps(host: Host, facts: ResumeFacts) -> list[Step]:
    """The steps of domain.resume."""
    return [Step("resume", "let it go on", Suspension(host, facts).resume)]


class Suspension:
    """One guest's suspend, by its node control/shutdown, and its end in place."""

    def __init__(self, host: Host, facts: Facts) -> None:
        assert facts.domid is not None
        self._host = host
        self._domid = facts.domid
        self._name = facts.name
        self._uuid = facts.uuid
        self._request = ShutdownRequest(host, domid=facts.domid, name=facts.name, uuid=facts.uuid, word=WORD)

    async def suspend(self, work: Work) -> None:
        """Returns once it is suspended.

        Raises:
            XendError: no_answer: it is not, and the request was not taken back yet; guest_died: it ended.
        """
        if await self._hears():
            await self._await_devices(work)
            await self._have_it_do_so(work)
        else:
            await self._stop_it(work)
        await self._check()
        if self._request.has_machine:
            await model_state.stop(self._host, work, self._domid, self._name)
        self._host.publish("domain", "suspended", domid=self._domid, name=self._name, uuid=self._uuid)

    async def _stop_it(self, work: Work) -> None:
        """It cannot be asked; what its device model does for it at the moment comes to its end before."""
        self._note(may_suspend=True)
        with explained("suspend it without its doing", self._name):
            await self._host.hypervisor.shutdown(self._domid, SUSPENDED)
        await self._request.follow(
            work, f"the vCPUs of {self._name} to stop", SUSPEND_SECONDS, self._request.has_ended
        )

    async def _await_devices(self, work: Work) -> None:
        """Until it has connected again what it had connected when it was saved: xend.domain.reconnecting."""
        domain = self._host.domains.by_uuid(self._uuid)
        if domain is None or not domain.reconnecting:
            return
        with explained("look for its devices", self._name):
            found = await devices_in_store(self._host, self._domid)
        for device in found:
            if device.key in domain.reconnecting:
                await self._await_device(work, device)
        domain.reconnecting = []
        self._host.domains.save(domain)

    async def _await_device(self, work: Work, device: Device) -> None:
        async def is_settled() -> bool:
            return not await reconnecting.is_amid(self._host.store, device) or await self._request.has_ended()

        what = f"{self._name} to connect {device.name} again"
        node = reconnecting.state_path(device)
        try:
            await self._request.follow(work, what, reconnecting.RECONNECT_SECONDS, is_settled, node)
        except XendError as error:
            if error.code != "no_answer":
                raise
            raise device.error(
                "no_answer",
                f"{self._name} has not connected it again since it was restored, within "
                f"{reconnecting.RECONNECT_SECONDS:g} s; it had when it was saved",
                domain=self._name,
                waited_s=reconnecting.RECONNECT_SECONDS,
                hint=f"it runs on; xl device-explain {self._name} {device.name} says what became of it",
            ) from error

    async def _have_it_do_so(self, work: Work) -> None:
        await self._ask()
        try:
            await self._request.follow(
                work,
                f"{self._name} to answer control/shutdown",
                ANSWER_SECONDS,
                self._request.has_answered,
            )
        except XendError as error:
            raise await self._told(error, "did not answer a request to suspend itself") from error
        self._note(may_suspend=True)  # from here on it may do so at any time
        try:
            await self._request.follow(
                work, f"{self._name} to suspend itself", SUSPEND_SECONDS, self._request.has_ended
            )
        except XendError as error:
            raise await self._told(error, "answered, and did not suspend itself") from error

    async def keep(self, work: Work) -> None:
        """It stays suspended, as was wanted."""
        domain = self._host.domains.by_uuid(self._uuid)
        if domain is not None:
            domain.seen_shutdown, domain.may_suspend = True, False
            self._host.domains.save(domain)

    async def take_back(self, work: Work) -> None:
        """It goes on, or has never heard of it; one that has taken the request may suspend itself later."""
        node = f"{nodes.home(self._domid)}/control/shutdown"

        async def body(tx: Transaction) -> bool:
            is_there = await tx.read(node) == WORD.encode()
            if is_there:
                await tx.write(node, "")
            return is_there

        # The guest, or its end, may have removed it.
        with explained("take the request back", self._name), suppress(XenstoreError):
            if await self._host.store.run_transaction(body):
                self._note(may_suspend=False)
        await self.resume(work)

    async def resume(self, work: Work, *, is_paused: bool = False) -> None:
        """It goes on in place, if it is suspended; its consoles and devices are as they were.

        is_paused: once it is unpaused.
        """
        with explained("let it go on", self._name):
            info = await self._info()
            if info is None or info.is_dying:
                return
            if info.is_shutdown and not is_suspended(info):
                return
            is_whole = not self._host.models.has_died(self._domid)
            if is_suspended(info):
                is_whole = await self._machine_goes_on(work)
                await self._host.hypervisor.resume(self._domid, is_paused=is_paused or not is_whole)
                self._host.publish("domain", "resumed", domid=self._domid, name=self._name, uuid=self._uuid)
            # Also where an xend that died had resumed it: the store is to tell of its end again.
            with suppress(XenstoreError):
                await self._host.store.resume(self._domid)
        domain = self._host.domains.by_uuid(self._uuid)
        if domain is not None and is_suspended(info):
            domain.seen_shutdown = domain.may_suspend = False
            self._host.domains.save(domain)
        if self._request.has_machine and not is_whole:
            await self._crash()

    async def _machine_goes_on(self, work: Work) -> bool:
        """False: what plays its machine has died meanwhile."""
        if not self._request.has_machine:
            return True
        return await model_state.go_on(self._host, work, self._domid, self._name)

    async def _crash(self) -> None:
        """A domain that is suspended cannot crash: what its configuration says of that is done now."""
        self._host.log(f"{self._name} has no device model any more: it is taken for crashed")
        with explained("have it crash, as its device model has died", self._name):
            await self._host.hypervisor.shutdown(self._domid, CRASHED)

    async def _hears(self) -> bool:
        """Whether its kernel can be asked."""
        if not self._request.has_machine:
            return True
        with explained("see whether its kernel can be asked", self._name):
            return await self._host.hypervisor.hears(self._domid)

    async def is_suspended(self) -> bool:
        """Whether it is just now."""
        with explained("look at it", self._name):
            return is_suspended(await self._info())

    async def _ask(self) -> None:
        with explained("ask it to suspend itself", self._name):
            await self._request.put()
        self._host.publish("domain", "suspending", domid=self._domid, name=self._name, uuid=self._uuid)

    async def _check(self) -> None:
        with explained("look at it", self._name):
            info = await self._info()
        if not is_suspended(info):
            how = "is gone" if info is None or info.is_dying else f"shut down ({reason_name(info)})"
            message = f"{self._name} {how} in place of suspending itself"
            raise XendError("guest_died", message, domain=self._name)

    async def _told(self, error: XendError, what: str) -> XendError:
        if error.code != "no_answer":
            return error
        feature = await value_of(self._host.store, f"{nodes.home(self._domid)}/control/feature-suspend")
        cannot = "" if feature == b"1" else "its kernel does not say that it can (control/feature-suspend); "
        seconds = error.fields.get("waited_s")
        return XendError(
            "no_answer",
            f"{self._name} {what} within {seconds:g} s" if seconds is not None else f"{self._name} {what}",
            domain=self._name,
            waited_s=seconds,
            hint=f"{cannot}it runs on; NetBSD's kernels cannot be saved",
        )

    async def _info(self) -> DomainInfo | None:
        info = await self._host.hypervisor.domain(self._domid)
        return info if is_domain(info, self._uuid) else None

    def _note(self, *, may_suspend: bool) -> None:
        domain = self._host.domains.by_uuid(self._uuid)
        if domain is not None and domain.may_suspend != may_suspend:
            domain.may_suspend = may_suspend
            self._host.domains.save(domain)
