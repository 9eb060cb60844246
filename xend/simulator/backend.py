"""Backends: dom0's side of the XenbusState machine, as the drivers of Linux and NetBSD run it.

What goes wrong in one is said by words, comma-separated, in the node `sim` of its directory as it is probed,
or in the host's option --backend-faults for all:

    never-probe      the driver does not see the device: its state stays Initialising
    never-connect    it does not go from InitWait to Connected
    never-close      it takes no notice of Closing, of either end
    never-reconfigure  of pciback: it takes no notice of functions that come and go
    error=TEXT       as it would connect it fails: error/backend/.../error, state Closing
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import trio

from xend.simulator.store_client import BackendStore
from xend.simulator.xenbus import XenbusState, parse_state

#: The words there are.
FAULTS = ("never-probe", "never-connect", "never-close", "never-reconfigure", "error")
_EINVAL = 22


class Backend(ABC):
    """One device.  Who drives it calls `look` whenever something may have changed, never twice at a time.

    Attributes:
        path: of its directory, relative to dom0's.
        frontend: path of the other end's directory; empty until it was probed.
        is_gone: nothing is left to do for it.
    """

    #: What the driver offers as it is probed, by flavour.
    offers: Mapping[str, Mapping[str, str]]
    #: States of the frontend in which its rings are there.
    ready_states: Sequence[XenbusState]
    #: Its own states in which it waits for them.
    waiting_states: Sequence[XenbusState] = (XenbusState.INIT_WAIT,)

    def __init__(
        self, store: BackendStore, kind: str, domid: str, devid: str, flavour: str, faults: str
    ) -> None:
        self.store = store
        self.flavour = flavour
        self._domid = domid
        self._devid = devid
        self._faults = _words(faults)
        self.path = f"backend/{kind}/{domid}/{devid}"
        self.token = f"frontend {kind}/{domid}/{devid}"
        self.frontend = ""
        self.is_gone = False
        self._state = XenbusState.INITIALISING
        self._seen_frontend = False
        self._connected_at: float | None = None

    async def look(self) -> None:
        """Do what both ends' states ask for."""
        if not self.frontend:
            await self._probe()
            return
        own, online, other, *more = await self.store.read_all(
            [f"{self.path}/state", f"{self.path}/online", f"{self.frontend}/state"]
            + [f"{self.path}/{name}" for name in self.awaited]
        )
        if own is None:
            await self._forget()
        elif parse_state(own) == XenbusState.INITIALISING != self._state:
            await self._forget()  # it was removed and made anew
            await self._probe()
        else:
            await self._follow(parse_state(own), parse_state(other), other is not None, online != "0", more)

    #: Nodes of the directory that must say something before it connects.
    awaited: Sequence[str]

    async def _probe(self) -> None:
        own, frontend, faults = await self.store.read_all(
            [f"{self.path}/{name}" for name in ("state", "frontend", "sim")]
        )
        if faults:
            self._faults = {**self._faults, **_words(faults)}
        if parse_state(own) != XenbusState.INITIALISING or not frontend:
            self.is_gone = own is None or parse_state(own) != XenbusState.INITIALISING
            return
        if "never-probe" in self._faults:
            return
        # A frontend that goes right after this was there all the same: the backend is to close then.
        (state,) = await self.store.read_all([f"{frontend}/state"])
        self._seen_frontend = state is not None
        self.frontend = frontend
        self.is_gone = False  # made anew while the one before it went
        await self._offer()
        await self.store.watch(f"{frontend}/state", self.token)

    async def _offer(self) -> None:
        offered = {
            name: value.format(domid=self._domid, devid=self._devid)
            for name, value in self.offers[self.flavour].items()
        }
        await self.switch(XenbusState.INIT_WAIT, offered)

    async def _forget(self) -> None:
        await self.store.unwatch(f"{self.frontend}/state", self.token)
        self.frontend = ""
        self.is_gone = True
        self._state = XenbusState.INITIALISING

    async def switch(self, state: XenbusState, nodes: Mapping[str, str] | None = None) -> None:
        """Write nodes, and a state after them; nothing happens if the directory is gone."""
        self._state = state
        self._connected_at = trio.current_time() if state == XenbusState.CONNECTED else None
        where = {f"{self.path}/{name}": value for name, value in (nodes or {}).items()}
        node = f"{self.path}/state"
        await self.store.write_where(node, {**where, node: str(int(state))})

    async def _follow(
        self,
        own: XenbusState,
        other: XenbusState,
        is_there: bool,
        is_online: bool,
        awaited: Sequence[str | None],
    ) -> None:
        """own, other: what the nodes say; is_there: the frontend's does; awaited: values of those nodes."""
        self._seen_frontend = self._seen_frontend or is_there
        if own in (XenbusState.CLOSING, XenbusState.CLOSED):
            self._state = own  # the toolstack's word counts as ours
        never_close = "never-close" in self._faults
        if not is_there or other == XenbusState.CLOSED:
            if self._seen_frontend and not never_close:
                await self._closed(stays=is_there and is_online)
        elif other == XenbusState.CLOSING:
            if self._state not in (XenbusState.CLOSING, XenbusState.CLOSED) and not never_close:
                await self.switch(XenbusState.CLOSING)
        elif other == XenbusState.INITIALISING:
            if self._state == XenbusState.CLOSED and is_online:
                await self._offer()
        elif other in self.ready_states and self._state in self.waiting_states:
            await self._connect(awaited)

    async def _closed(self, stays: bool) -> None:
        if self._state != XenbusState.CLOSED:
            await self.switch(XenbusState.CLOSED)
        if not stays:
            await self._forget()

    async def _connect(self, awaited: Sequence[str | None]) -> None:
        if "never-connect" in self._faults:
            return
        if "error" in self._faults:
            await self.fail(self._faults["error"] or "told to fail")
            return
        await self.connect(awaited)

    async def fail(self, text: str) -> None:
        """As xenbus_dev_fatal: say why, and close."""
        await self.store.write(f"error/{self.path}/error", f"{_EINVAL} {text}")
        await self.switch(XenbusState.CLOSING)

    def counted(self) -> dict[str, int] | None:
        """What it has counted since it was connected; None: it is not."""
        since = self._connected_at
        return None if since is None or self.is_gone else self.traffic(trio.current_time() - since)

    @abstractmethod
    def traffic(self, seconds: float) -> dict[str, int]:
        """What it has counted after so long."""

    @abstractmethod
    async def connect(self, awaited: Sequence[str | None]) -> None:
        """Go to Connected, or fail, if all that was awaited is there."""


def _words(text: str) -> dict[str, str]:
    """Words and their values; those that are none of FAULTS mean nothing."""
    pairs = (word.partition("=") for word in text.split(","))
    return {name: value for name, _, value in pairs if name in FAULTS}
