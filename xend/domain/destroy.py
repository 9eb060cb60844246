"""domain.destroy, and the end of a domain that died by itself."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

import attrs
import trio

from xend.device.device import Device, devices_of
from xend.device.plug import Plug, plug_of
from xend.device.stored import devices_in_store
from xend.domain import nodes
from xend.domain.cards import take_all
from xend.domain.device_model import end_model
from xend.domain.power import destroy_domain
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.identity import is_domain
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import text_or_none, typed

#: How long a dying domain is waited for, in seconds; somebody may have its pages mapped.
GONE_SECONDS = 10.0
#: How often it is looked at when nothing says that it has gone.
LOOK_SECONDS = 1.0


@attrs.define(kw_only=True)
class DestroyFacts(Facts):
    """What has to be known to end a domain and to remove everything of it.

    Attributes:
        domid: None: it is between two lives, and only what is known of it is to be forgotten.
        devices: those that it has in the store.
        has_model: it has a device model of this xend's.
        why: why it has no further life, for people; None: nobody says.
    """

    KIND = "domain.destroy"
    #: What listeners are told once it is gone.
    EVENT: ClassVar[str] = "destroyed"

    devices: list[Device] = attrs.field(factory=list, converter=devices_of)
    has_model: bool = attrs.field(default=False, validator=typed(bool))
    why: str | None = attrs.field(default=None, validator=text_or_none)


@attrs.define(kw_only=True)
class ReapFacts(DestroyFacts):
    """Those of a domain that ended without xend; `why` says how."""

    KIND = "domain.reap"
    EVENT = "reaped"


def destroy_facts_of(value: DestroyFacts | Mapping[str, Any]) -> DestroyFacts:
    """Facts, or those that the fields of a record make."""
    return value if isinstance(value, DestroyFacts) else DestroyFacts(**value)


async def devices_to_remove(host: Host, domid: int | None, name: str) -> list[Device]:
    """The devices that a domain has in the store; none where it has no domid: it is between two lives.

    Raises:
        XendError: store_failed.
    """
    if domid is None:
        return []
    with explained("look for its devices", name):
        return await devices_in_store(host, domid)


def destroy_steps(host: Host, facts: DestroyFacts) -> list[Step]:
    """The steps of domain.destroy and domain.reap."""
    destruction = Destruction(host, facts)
    return [*destruction.steps(), destruction.last_step()]


class Destruction:
    """The steps that end a domain and remove everything of it."""

    def __init__(self, host: Host, facts: DestroyFacts) -> None:
        self.host = host
        self.facts = facts
        self._domid = facts.domid
        self.uuid = facts.uuid
        self.name = facts.name
        self.devices = facts.devices

    @property
    def domid(self) -> int:
        """Of what the steps end."""
        assert self._domid is not None
        return self._domid

    def steps(self) -> list[Step]:
        """In their order: what is the guest's first, the domain itself after its devices and nodes.

        A domain that dies with nodes of its own has xenstored look for these in all of the store.  Of one
        between two lives there is nothing to end.
        """
        if self._domid is None:
            return []
        return [
            Step("pause", "pause it", self.pause, on_failure="go on"),
            *self.detaching(),
            Step("end-console", "end its console", self.end_console),
            Step("remove-nodes", "remove its nodes", self.remove_nodes),
            Step("destroy", "destroy it", self.destroy),
            Step("await-end", "wait until it is gone", self.await_end, on_failure="go on"),
        ]

    def last_step(self) -> Step:
        """xend knows the domain no longer."""
        return Step("forget", "forget it", self.forget)

    def detaching(self) -> list[Step]:
        """Those that take its devices out, and end what serves some of them.

        These go after their device model, as with libxl: qemu does not close a screen, a keyboard or a
        channel whose frontend was taken away.
        """
        plugs = [plug_of(self.host, device) for device in self.devices]
        steps = [step for plug in plugs if not plug.is_of_model for step in self._taking_out(plug)]
        if self.facts.has_model:
            steps.append(Step("end-model", "end its device model", self.end_model, on_failure="go on"))
        return steps + [step for plug in plugs if plug.is_of_model for step in plug.detach()]

    def _taking_out(self, plug: Plug) -> list[Step]:
        if plug.kind.make is not None:
            return plug.detach()
        name = f"{plug.name}: take the host's PCI devices back"
        take_back = Step(f"{plug.key}.take-back", name, self.take_cards, on_failure="go on")
        return [*plug.detach(), take_back]

    async def end_model(self, work: Work) -> None:
        await end_model(self.host, self.domid, self.name)

    async def take_cards(self, work: Work) -> None:
        await take_all(self.host, work, self.domid)

    async def pause(self, work: Work) -> None:
        with suppress(HypervisorError):  # it is gone already
            if await self._is_there():
                await self.host.hypervisor.pause(self.domid)

    async def end_console(self, work: Work) -> None:
        await self.host.consoles.end(self.domid)
        with explained("remove its console", self.name):
            await nodes.remove_console(self.host.store, self.domid)

    async def destroy(self, work: Work) -> None:
        with explained("destroy it", self.name):
            await destroy_domain(self.host, self.uuid, self.domid)

    async def remove_nodes(self, work: Work) -> None:
        with explained("remove its nodes", self.name):
            await nodes.remove_all(self.host.store, self.domid, self.uuid)

    async def await_end(self, work: Work) -> None:
        if not await self._is_there():
            return
        async with self.host.store.watch("@releaseDomain") as watch:
            try:
                with work.waiting("the hypervisor to let go of it", GONE_SECONDS):
                    while await self._is_there():
                        with trio.move_on_after(LOOK_SECONDS):
                            await watch.next()
            except XendError as error:
                raise self._is_held(error) from None

    def _is_held(self, error: XendError) -> XendError:
        """Why a domain that was destroyed stays: somebody has pages of it mapped, who is not known."""
        return XendError(
            error.code,
            f"domain {self.domid} of {self.name} was destroyed and is still dying after {GONE_SECONDS:g} s: "
            "somebody has memory of it mapped",
            domain=self.name,
            waited_s=error.fields.get("waited_s"),
            hint="another program that serves its console (xenconsoled), a backend's driver, in dom0 or a "
            "driver domain, or a device model (qemu); it goes once they let go",
        )

    async def forget(self, work: Work) -> None:
        domain = self.host.domains.by_uuid(self.uuid)
        if domain is not None and domain.domid == self._domid:
            self.host.domains.forget(self.uuid)
        event, reason = self.facts.EVENT, self.facts.why
        self.host.publish("domain", event, domid=self._domid, name=self.name, uuid=self.uuid, reason=reason)

    async def _is_there(self) -> bool:
        info = await self.host.hypervisor.domain(self.domid)
        return is_domain(info, self.uuid)
