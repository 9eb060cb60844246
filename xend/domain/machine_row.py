"""The row of PCI functions of an hvm domain, changed while it runs.

Its guest has no part in it: its device model shows the functions (xend.domain.machine_cards), and dom0's
driver holds them for the domain.  The backend stays Initialised (3), in which the driver looks at each change
of its directory (Linux 5.13, xen_pcibk_be_watch); an older one holds what it held until the domain ends.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from xenclient.store.aio import Transaction
from xend.device.nodes import texts, written
from xend.device.xenbus import XenbusState
from xend.domain.card_row import CardRow
from xend.domain.cards_there import functions_there
from xend.errors import XendError
from xend.operation.steps import Work

__all__ = ["MachineRow"]

_INITIALISED = str(int(XenbusState.INITIALISED))
#: What a function's state is until the driver has looked at it.
_PENDING = (str(int(XenbusState.INITIALISING)), str(int(XenbusState.CLOSING)))


class MachineRow(CardRow):
    """The row of one domain."""

    async def make_anew(self, work: Work) -> None:
        """Nothing: the driver resets what it lets go of, and the guest uses what stays."""

    async def change(
        self, work: Work, body: Callable[[Transaction], Coroutine[Any, Any, bool]], seconds: float
    ) -> None:
        with self.explained():
            is_asked = await self.host.store.run_transaction(body)
        if not is_asked:
            raise self.device.error(
                "device_failed", "its backend has ended", hint="the domain is about to end, too"
            )
        try:
            with work.waiting(f"dom0's driver to look at {self.device.name}", seconds), self.explained():
                async with self.host.store.watch(self.device.backend_path) as watch:
                    while await self._is_pending():
                        await watch.next()
        except XendError as error:
            if error.code != "no_answer":
                raise
            raise self.device.error(
                "device_failed",
                f"dom0's driver does nothing within {seconds:g} s",
                cause=await self.plug.said(self.device),
                waited_s=seconds,
                hint="before Linux 5.13 it takes an hvm domain's devices only as that is made",
            ) from error

    async def _is_pending(self) -> bool:
        there = await functions_there(self.host.store, self.domid)
        return any(each.address in self.changing and each.state in _PENDING for each in there)

    async def reconfigure(self, tx: Transaction, nodes: Mapping[str, str]) -> bool:
        path = self.device.backend_path
        if (await texts(tx, path, ["state"])).get("state") != _INITIALISED:
            return False
        await tx.together(*written(path, nodes))
        return True

    async def is_unanswered(self, tx: Transaction) -> bool:
        return False
