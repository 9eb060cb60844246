"""domain.soft_reset: a guest that has put another kernel into its own memory goes on with that (kexec).

The domain, its memory and its vCPUs stay.  Its rings are connected anew, its nodes and devices are new ones.
What fails once the reset was begun ends the domain: nothing could go on in it.  Paravirtual domains cannot
be reset (see `xend.domain.restart.action_of`).
"""

from contextlib import suppress

import attrs

from xend.device.nodes import texts
from xend.domain import nodes
from xend.domain.create import Creation, LifeFacts
from xend.domain.destroy import DestroyFacts, Destruction, destroy_facts_of
from xend.domain.power import destroy_domain, start
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import Rings, rings_of
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xenstore.errors import ENOENT

#: Where the store has what a domain was built with; the guest cannot write there.
_RING_NODES = ("store/ring-ref", "store/port", "console/ring-ref", "console/port")


@attrs.define(kw_only=True)
class SoftResetFacts(LifeFacts):
    """Those of domain.soft_reset; rings: those after the reset, once it was done.

    Attributes:
        old: what ends the domain's devices.
        old_rings: those before the reset, once they were looked up.
    """

    KIND = "domain.soft_reset"

    old: DestroyFacts = attrs.field(converter=destroy_facts_of)
    old_rings: Rings | None = attrs.field(default=None, converter=attrs.converters.optional(rings_of))


def soft_reset_steps(host: Host, facts: SoftResetFacts) -> list[Step]:
    """The steps of domain.soft_reset."""
    reset, creation = _Reset(host, facts), Creation(host, facts)
    return [
        *Destruction(host, facts.old).detaching(),
        Step("note-rings", "look up its rings", reset.note_rings, reset.end_domain),
        Step("reset", "reset it", reset.reset),
        creation.writing(),
        *creation.steps_of_built(paused=True),
        Step("start", "let it go on", reset.go_on),
    ]


class _Reset:
    def __init__(self, host: Host, facts: SoftResetFacts) -> None:
        self.host = host
        self.facts = facts
        assert facts.old.domid is not None
        self.domid = facts.old.domid

    async def note_rings(self, work: Work) -> None:
        with explained("look up its rings", self.facts.name):
            found = await texts(self.host.store, nodes.home(self.domid), _RING_NODES)
        try:
            store_gfn, store_port, console_gfn, console_port = (int(found[key]) for key in _RING_NODES)
        except (KeyError, ValueError):
            raise XendError(
                "store_failed",
                f"{nodes.home(self.domid)} does not say which rings it was built with: "
                f"{', '.join(_RING_NODES)} were expected",
                domain=self.facts.name,
            ) from None
        self.facts.old_rings = Rings(
            store_gfn=store_gfn, store_port=store_port, console_gfn=console_gfn, console_port=console_port
        )

    async def end_domain(self, work: Work) -> None:
        """It failed: the keeper finds the domain gone, and removes what is left of it."""
        if self.facts.old_rings is None:
            return  # nothing of it was begun
        domain = self.host.domains.by_uuid(self.facts.uuid)
        if domain is not None and domain.domid == self.domid:
            self.host.domains.end(domain, "its soft reset failed")
        with explained("destroy it", self.facts.name):
            await destroy_domain(self.host, self.facts.uuid, self.domid)

    async def reset(self, work: Work) -> None:
        """Once: after a crash of xend's what was done is known by the new rings."""
        if self.facts.rings is not None:
            return
        assert self.facts.old_rings is not None
        await self.host.consoles.end(self.domid)
        with explained("reset it", self.facts.name):
            await nodes.remove_console(self.host.store, self.domid)
            with suppress(ENOENT):  # done before, by an xend that died then
                await self.host.store.release(self.domid)
            self.facts.rings = await self.host.hypervisor.soft_reset(self.domid, self.facts.old_rings)
        domain = self.host.domains.by_uuid(self.facts.uuid)
        if domain is not None and domain.reconnecting:
            domain.reconnecting = []  # another kernel's devices: it may have no driver for them
            self.host.domains.save(domain)

    async def go_on(self, work: Work) -> None:
        await start(self.host, self.domid, self.facts.name)
