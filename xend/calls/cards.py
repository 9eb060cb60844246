"""pci.*: PCI devices of the host: which may be given to domains, and which domains have."""

from typing import Any

import attrs
import trio

from xend.bus.kinds import DOMAIN, FLAG, TEXT
from xend.bus.methods import Call, Method, optional, required
from xend.calls.starter import OperationStarter
from xend.domain.cards_there import functions_there
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.pci.assignable import all_assignable, find_one, release, take
from xend.refusals import explained

Result = dict[str, Any]


class CardCalls:
    """The methods, over a host.  One that makes a device assignable, or not, waits for those before it."""

    def __init__(self, host: Host, starter: OperationStarter, targets: Targets) -> None:
        self._host = host
        self._starter = starter
        self._targets = targets
        self._turn = trio.Lock()

    def methods(self) -> list[Method]:
        """All of them."""
        device, dry = {"device": required(TEXT)}, {"dry_run": optional(FLAG)}
        return [
            Method("pci.list", "read", {"domain": required(DOMAIN)}, self.list_),
            Method("pci.assignable", "read", {}, self.assignable),
            Method(
                "pci.make_assignable",
                "operate",
                {**device, "name": optional(TEXT), **dry},
                self.make_assignable,
            ),
            Method(
                "pci.make_unassignable",
                "operate",
                {**device, "rebind": optional(FLAG), **dry},
                self.make_unassignable,
            ),
        ]

    async def list_(self, call: Call, domain: str | int) -> list[Result]:
        target = await self._targets.find(domain)
        with explained("read its PCI devices", target.name):
            there = await functions_there(self._host.store, target.domid)
        return [
            {
                "address": each.address,
                "slot": each.vdevfn >> 3,
                "function": each.vdevfn & 7,
                "state": each.state,
            }
            for each in there
        ]

    async def assignable(self, call: Call) -> list[Result]:
        return [
            {**attrs.asdict(each), "address": str(each.address)} for each in await all_assignable(self._host)
        ]

    async def make_assignable(
        self, call: Call, device: str, name: str | None = None, dry_run: bool = False
    ) -> Result:
        async with self._turn:
            address = await find_one(self._host, device)
            if dry_run:
                return {"address": str(address), "steps": [f"make PCI device {address} assignable"]}
            warnings = await take(self._host, address, name)
        return _answer(str(address), warnings)

    async def make_unassignable(
        self, call: Call, device: str, rebind: bool = False, dry_run: bool = False
    ) -> Result:
        async with self._turn:
            address = await find_one(self._host, device)
            if dry_run:
                return {"address": str(address), "steps": [f"make PCI device {address} unassignable"]}
            warnings = await release(self._host, address, rebind=rebind)
        return _answer(str(address), warnings)


def _answer(address: str, warnings: list[XendError]) -> Result:
    more = {"warnings": [warning.as_map() for warning in warnings]} if warnings else {}
    return {"address": address, **more}
