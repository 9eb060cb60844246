"""Which consoles there are, where another toolstack starts the domains: store and hypervisor say so."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.console.maker import title
from xend.console.nodes import ConsoleNodes, Nodes, home
from xend.console.service import Consoles
from xend.errors import XendError
from xend.hypervisor import DomainInfo, HypervisorError
from xenstore.errors import XenstoreError

__all__ = ["RETRY_SECONDS", "Follower", "Host"]

RETRY_SECONDS = 1.0


class Host(Protocol):
    """What following needs of a Hypervisor."""

    async def domains(self) -> list[DomainInfo]: ...


class Follower:
    """Has the console of each living domain served whose ~/console is complete and xenconsoled's."""

    def __init__(
        self,
        host: Host,
        store: Client,
        consoles: Consoles,
        log: Callable[[str], object],
        chat: Callable[[str], object] = lambda line: None,
    ) -> None:
        """`log` gets what an administrator should know, `chat` which consoles are served."""
        self._host = host
        self._store = store
        self._nodes = Nodes(store)
        self._consoles = consoles
        self._log = log
        self._chat = chat
        self._domains: dict[int, tuple[str, trio.CancelScope]] = {}
        self._served: dict[int, ConsoleNodes] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            await self._watching(("@introduceDomain", "@releaseDomain"), lambda: self._look(nursery))

    async def _watching(self, paths: Sequence[str], act: Callable[[], Awaitable[None]]) -> None:
        """Call `act` now, and whenever something changes at one of the paths."""
        while True:
            try:
                async with self._store.watch(paths[0]) as watch:
                    for path in paths[1:]:
                        await watch.add(path)
                    async for _ in watch:
                        await act()
            except (ClientError, XenstoreError) as error:
                self._log(f"cannot follow {' and '.join(paths)} in the store: {error}; trying again")
            await trio.sleep(RETRY_SECONDS)

    async def _look(self, nursery: trio.Nursery) -> None:
        try:
            domains = await self._host.domains()
        except HypervisorError as error:
            self._log(f"cannot list the domains: {error.text}")
            return
        alive = {domain.domid: domain.uuid for domain in domains if domain.domid and not domain.is_dying}
        for domid, (uuid, _) in list(self._domains.items()):
            if alive.get(domid) != uuid:
                await self._forget(domid)
        for domid, uuid in alive.items():
            if domid not in self._domains:
                scope = trio.CancelScope()
                self._domains[domid] = uuid, scope
                nursery.start_soon(self._follow, domid, scope)

    async def _follow(self, domid: int, scope: trio.CancelScope) -> None:
        with scope:
            paths = home(domid), f"/local/domain/{domid}/name"
            await self._watching(paths, lambda: self._update(domid))

    async def _forget(self, domid: int) -> None:
        """A domain is gone: as long as its page is mapped it is a zombie."""
        _, scope = self._domains.pop(domid)
        scope.cancel()
        await self._end(domid)

    async def _update(self, domid: int) -> None:
        nodes = await self._nodes.read(domid)
        served = self._served.get(domid)
        if nodes == served:
            return
        if nodes is None:
            await self._end(domid)
        elif served is not None and (nodes.gfn, nodes.port) == (served.gfn, served.port):
            self._consoles.rename(domid, nodes.name)
            self._served[domid] = nodes
        else:
            await self._serve(domid, nodes)

    async def _serve(self, domid: int, nodes: ConsoleNodes) -> None:
        try:
            await self._consoles.serve(domid, nodes.name, nodes.gfn, nodes.port)
        except XendError as error:
            self._served.pop(domid, None)
            self._log(str(error))
            return
        self._served[domid] = nodes
        self._chat(f"serving the console of {title(domid, nodes.name)}")

    async def _end(self, domid: int) -> None:
        await self._consoles.end(domid)
        if nodes := self._served.pop(domid, None):
            self._chat(f"the console of {title(domid, nodes.name)} has ended")
