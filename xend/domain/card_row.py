"""The row of PCI functions in a backend that is there, changed while its guest runs.

The toolstack writes what is to come (state-N 1) or to go (state-N 5), and the backend's state Reconfiguring
(7).  The guest answers with 7, the driver does it (state-N 3 or 6) and says Reconfigured (8), and both are
Connected (4) again (pciif.h; xen-pciback, xenbus.c; guests.md 5.4).  What the guest writes is believed in
nothing: what the driver did is read from state-N, which only dom0 writes.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from xenclient.store.aio import Transaction
from xenclient.store.operations import write
from xend.device.device import Device
from xend.device.nodes import removed, texts, written
from xend.device.pci import DEVID, GROUP, PCI, groups_anew, keys_at, pci_device
from xend.device.plug import Plug
from xend.device.xenbus import XenbusState
from xend.domain.cards_there import count_there, functions_there
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Work
from xend.refusals import explained

__all__ = ["CardRow"]

Group = Mapping[str, str]
_CONNECTED, _RECONFIGURING = str(int(XenbusState.CONNECTED)), str(int(XenbusState.RECONFIGURING))
_ATTACHED, _CLOSING = str(int(XenbusState.INITIALISED)), str(int(XenbusState.CLOSING))
_CLOSED = str(int(XenbusState.CLOSED))


class CardRow:
    """The row of one domain.

    groups: the groups of keys of the functions that come or go.
    staying: those of the others.
    """

    def __init__(self, host: Host, domid: int, groups: Sequence[Group], staying: Sequence[Group]) -> None:
        self.host = host
        self.domid = domid
        self.groups = groups
        self.staying = staying
        self.changing = [group["dev"] for group in groups]
        self.device: Device = pci_device(domid, groups_anew(staying))

    @property
    def plug(self) -> Plug:
        """Of the device that has none but the functions that stay."""
        return Plug(self.host, PCI.name, DEVID, PCI.label(DEVID), lambda work: self.device)

    async def append(self, work: Work) -> None:
        """Put the functions in, behind those that are there.

        Raises:
            XendError: device_failed: the guest does not take them, or the driver does not; store_failed.
        """

        async def body(tx: Transaction) -> bool:
            place = await count_there(tx, self.domid)
            nodes = {
                key: text
                for n, each in enumerate(self.groups)
                for key, text in keys_at(place + n, each).items()
            }
            nodes["num_devs"] = str(place + len(self.groups))
            return await self.reconfigure(tx, nodes)

        with self._story("put in"):
            await self.change(work, body, self.host.settings.init_seconds)
            await self._expect(_ATTACHED, "did not take it", "dmesg may say more")

    async def let_go(self, work: Work) -> None:
        """The guest and the driver let go of the functions, whose keys stay.  Done again, it is the same.

        Raises:
            XendError: device_failed: they do not; store_failed.
        """
        if not await self._are_held():
            return

        async def body(tx: Transaction) -> bool:
            there = await functions_there(tx, self.domid)
            going = [each for each in there if each.address in self.changing and each.state != _CLOSED]
            return await self.reconfigure(tx, {f"state-{each.place}": _CLOSING for each in going})

        with self._story("taken out"):
            await self.change(work, body, self.host.settings.destroy_seconds)
            hint = "is it in use there? -f takes it away all the same"
            await self._expect(_CLOSED, "did not let go of it", hint)

    async def _are_held(self) -> bool:
        with self.explained():
            there = await functions_there(self.host.store, self.domid)
        return any(each.address in self.changing and each.state != _CLOSED for each in there)

    async def leave_as_it_was(self, work: Work) -> None:
        """What was to go stays, if nobody has begun to let go of it."""

        async def body(tx: Transaction) -> None:
            if await self.is_unanswered(tx):
                there = await functions_there(tx, self.domid)
                staying = [each for each in there if each.address in self.changing and each.state == _CLOSING]
                nodes = {f"state-{each.place}": _ATTACHED for each in staying}
                await tx.together(*written(self.device.backend_path, {**nodes, "state": _CONNECTED}))

        with self.explained():
            await self.host.store.run_transaction(body)

    async def drop(self, work: Work) -> None:
        """Remove the keys of the functions; those behind them move up.  Done again, it is the same.

        Raises:
            XendError: store_failed.
        """
        with self.explained():
            await self.host.store.run_transaction(self._drop)

    async def _drop(self, tx: Transaction) -> None:
        count, there = await count_there(tx, self.domid), await functions_there(tx, self.domid)
        path, kept = self.device.backend_path, [each for each in there if each.address not in self.changing]
        if len(kept) == len(there):
            return
        moved = [(place, each) for place, each in enumerate(kept) if each.place != place]
        first = min([len(kept), *(place for place, _ in moved)])
        nodes = {key: text for place, each in moved for key, text in keys_at(place, each.group).items()}
        await tx.together(
            *(removed(f"{path}/{key}-{place}") for place in range(first, count) for key in GROUP),
            *written(path, {**nodes, "num_devs": str(len(kept))}),
        )

    async def withdraw(self, work: Work) -> None:
        """What was to come does not: nothing of it is left, whether the guest has it already or not."""

        async def body(tx: Transaction) -> bool:
            there = await functions_there(tx, self.domid)
            is_there = any(each.address in self.changing for each in there)
            if is_there and await self.is_unanswered(tx):
                await self._drop(tx)
                await tx.write(f"{self.device.backend_path}/state", _CONNECTED)
                return False
            return is_there

        with self.explained():
            is_there = await self.host.store.run_transaction(body)
        if is_there:
            try:
                await self.let_go(work)
            except XendError as error:
                work.warn(error)
                await self.make_anew(work)
            await self.drop(work)

    async def make_anew(self, work: Work) -> None:
        """Take the whole device from a guest that does not let go of some of it, and put in what stays.

        The driver has no other way to take a function from its guest.  Done again, it is the same.

        Raises:
            XendError: device_failed: the driver does not let go either; store_failed.
        """
        plug = self.plug
        await plug.close(work)
        await plug.remove(work)
        if self.staying:
            await plug.add(work)
            await plug.await_backend(work)

    async def change(
        self, work: Work, body: Callable[[Transaction], Coroutine[Any, Any, bool]], seconds: float
    ) -> None:
        """Change the row when both ends are connected, and wait until they are again."""
        with self.explained():
            await self.host.backends.follow(self.device)
        await self._await_connected(work, seconds, "is its guest paused, or has its kernel no xen-pcifront?")
        with self.explained():
            is_asked = await self.host.store.run_transaction(body)
        if not is_asked:
            raise self.device.error(
                "device_failed",
                "its backend has just ceased to be connected",
                hint="its guest has unloaded the driver, or dies; try again",
            )
        await self._await_connected(
            work,
            seconds,
            "its guest has not answered: is it paused? pci-detach -f takes it away all the same",
        )

    async def _await_connected(self, work: Work, seconds: float, hint: str) -> None:
        with self.explained():
            await self.host.backends.read_anew(self.device)
        try:
            await self.host.backends.wait(work, self.device, (XenbusState.CONNECTED,), seconds)
        except XendError as error:
            state = self.host.backends.state(self.device)
            raise self.device.error(
                "device_failed",
                f"its backend is {state} after {seconds:g} s, {XenbusState.CONNECTED} was expected",
                cause=await self.plug.said(self.device),
                waited_s=seconds,
                hint=hint,
            ) from error

    async def reconfigure(self, tx: Transaction, nodes: Mapping[str, str]) -> bool:
        """Write nodes and Reconfiguring; False, and nothing is written: it is not connected any more."""
        path = self.device.backend_path
        if (await texts(tx, path, ["state"])).get("state") != _CONNECTED:
            return False
        await tx.together(*written(path, nodes), write(f"{path}/state", _RECONFIGURING))
        return True

    async def is_unanswered(self, tx: Transaction) -> bool:
        """Whether nobody has seen Reconfiguring yet: then it may be taken back."""
        own = (await texts(tx, self.device.backend_path, ["state"])).get("state")
        other = (await texts(tx, self.device.frontend_path, ["state"])).get("state")
        return own == _RECONFIGURING and other == _CONNECTED

    async def _expect(self, state: str, what: str, hint: str) -> None:
        """See that the driver has done with each function what was asked for."""
        with self.explained():
            there = await functions_there(self.host.store, self.domid)
        for each in there:
            if each.address in self.changing and each.state != state:
                words = XenbusState.parse(each.state.encode())
                raise self.device.error(
                    "device_failed",
                    f"dom0's driver {what}: function {each.address} is {words}, "
                    f"{XenbusState(int(state))} was expected",
                    cause=await self.plug.said(self.device),
                    hint=hint,
                )

    @contextmanager
    def _story(self, what: str) -> Iterator[None]:
        """The device's story tells how that ends; the device itself works on where it fails."""
        functions = ", ".join(self.changing)
        try:
            yield
        except XendError as error:
            self.host.stories.tell(self.device, f"{functions}: not {what}: {error.message}")
            raise
        self.host.stories.tell(self.device, f"{functions}: {what}")

    def explained(self) -> AbstractContextManager[None]:
        """What the store refuses in the block is an error of this row's."""
        return explained(f"change the nodes of {self.device.name}")
