"""The consoles of all domains."""

from collections.abc import Callable, Sequence

import trio

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.console.loader import LoaderConsole
from xend.console.maker import ConsoleMaker, Filter, Opener, title
from xend.console.nodes import Nodes, home
from xend.console.pty import Pty
from xend.console.shown import Shown
from xend.console.terminal import Terminal
from xend.console.viewer import Viewer
from xend.errors import XendError
from xend.log import log_fault
from xenstore.errors import XenstoreError

__all__ = ["SCAN_SECONDS", "Consoles"]

#: How often all rings are looked at without a notification, for those that were lost.
SCAN_SECONDS = 5.0
_LEAVE_SECONDS = 2.0


class Consoles:
    """Serves the console of each domain it is told of, from `serve` to `end`.

    It holds nothing that outlives it: a later one serves the same rings, and goes on where they stand.
    """

    def __init__(
        self,
        hypervisor: Opener,
        store: Client,
        log_directory: str | None,
        open_pty: Callable[[], Pty],
        log: Callable[[str], object],
        *,
        log_prefix: str = "",
        filters: Callable[[], Sequence[Filter]] = tuple,
        keep_overflow: bool = False,
    ) -> None:
        """Nothing happens before `run`.

        Args:
            log_directory: for NAME.log; None: nothing is recorded.
            log: gets one line about what an administrator should know.
            log_prefix: of the logs' names.
            filters: makes those of one console's log, see `stamp`.
            keep_overflow: a guest waits for its pty's reader, and loses nothing.
        """
        self._nodes = Nodes(store)
        self._log_line = log
        self._maker = ConsoleMaker(
            hypervisor=hypervisor,
            nodes=self._nodes,
            log_directory=log_directory,
            open_pty=open_pty,
            log_line=log,
            log_prefix=log_prefix,
            filters=filters,
            keep_overflow=keep_overflow,
        )
        self._consoles: dict[int, Shown] = {}
        self._starting: dict[int, object] = {}  # what `serve` is at; `end` takes it away
        self._nursery: trio.Nursery | None = None

    @property
    def domids(self) -> list[int]:
        """The domains whose consoles are served."""
        return list(self._consoles)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled: then every viewer gets its end of file, every pty is closed and no longer named in
        the store.  The domains and their rings go on."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await self._scan()
        finally:
            self._nursery = None

    async def serve(self, domid: int, name: str, gfn: int, port: int) -> None:
        """Begin to serve a domain's console, and name its pty in the store; one served before is ended.

        The domain's ~/console must be in the store.  A system without a free pty, or a name that no file can
        have, is said in the log; the console goes without.

        Raises:
            XendError: hypervisor_failed, store_failed; guest_died: `end` was called meanwhile; busy: it is
                being begun already.
        """
        if domid in self._starting:
            raise XendError("busy", f"the console of domain {domid} is being opened already")
        mine = self._starting[domid] = object()
        before = self._consoles.get(domid)
        viewers = before.give_viewers() if isinstance(before, LoaderConsole) else []
        try:
            await self._end(domid)
            console = await self._maker.make(domid, name, gfn, port)
            if self._nursery is None or self._starting.get(domid) is not mine:
                console.discard()
                raise XendError("guest_died", f"{title(domid, name)} ended while its console was opened")
            console.take_over(viewers)
            viewers = []
            self._consoles[domid] = console
            self._nursery.start_soon(self._run, domid, console)
        finally:
            for viewer in viewers:
                viewer.close()
            if self._starting.get(domid) is mine:
                del self._starting[domid]

    async def serve_loader(self, domid: int, name: str) -> LoaderConsole:
        """Begin to show what the boot loader of a domain says, until `serve` puts the guest's console in its
        place, for those who look at it then, too; or until `end`.

        The domain's ~/console must be in the store.

        Raises:
            XendError: store_failed.
        """
        await self._end(domid)
        console = await self._maker.make_of_loader(domid, name)
        assert self._nursery is not None
        self._consoles[domid] = console
        self._nursery.start_soon(self._run, domid, console)
        return console

    async def end(self, domid: int) -> None:
        """A domain is gone: whatever is left in its ring is read, then its viewers and its pty's reader get
        their end of file, and the page is unmapped.  Nothing happens where none is served."""
        self._starting.pop(domid, None)
        await self._end(domid)

    def attach(self, domid: int, history: int) -> Viewer:
        """A viewer, who gets up to `history` bytes of recent output first.

        Raises:
            XendError: no_such_device: the domain's console is not served.
        """
        console = self._consoles.get(domid)
        if console is None:
            raise XendError("no_such_device", f"domain {domid} has no console here", device="console")
        return console.attach(history)

    def rename(self, domid: int, name: str) -> None:
        """A domain has a new name: what it says from now on goes into the log of that name."""
        if console := self._consoles.get(domid):
            if console.log is not None:
                console.log.close()
            console.title = title(domid, name)
            console.log = self._maker.open_log(domid, name)

    def reopen_logs(self) -> None:
        """Somebody moved the log files: go on in new ones."""
        for console in self._consoles.values():
            if console.log is not None:
                console.log.reopen()

    async def _run(self, domid: int, console: Shown) -> None:
        try:
            await console.run()
        except Exception as error:  # noqa: BLE001 - one console's fault is not the others'
            self._log_line(f"console of {console.title}: internal error, it is served no more: {error!r}")
            log_fault(self._log_line, f"console of {console.title}", error)
        finally:
            if self._consoles.get(domid) is console:
                del self._consoles[domid]
            if console.terminal is not None:
                await self._finish(domid, console.terminal)

    async def _end(self, domid: int) -> None:
        console = self._consoles.pop(domid, None)
        if console is not None:
            console.stop()
            await console.ended.wait()

    async def _scan(self) -> None:
        while True:
            await trio.sleep(SCAN_SECONDS)
            self._move_all()

    def _move_all(self) -> None:
        """Not within `_scan`, which would keep the last one's page mapped after its end."""
        for console in list(self._consoles.values()):
            console.move()

    async def _finish(self, domid: int, terminal: Terminal) -> None:
        """Close a pty once its reader had the time to read all.

        Before that its name is taken out of the store, for it may be another terminal's soon; not sooner,
        because xenconsole leaves as soon as the name is gone.
        """
        try:
            await terminal.linger()
        finally:
            with trio.move_on_after(_LEAVE_SECONDS, shield=True):
                await self._withdraw(domid, terminal.pty.name)
            terminal.pty.close()

    async def _withdraw(self, domid: int, tty: str) -> None:
        try:
            await self._nodes.withdraw(domid, tty)
        except (ClientError, XenstoreError) as error:
            self._log_line(f"cannot take the name of a closed pty out of {home(domid)}/tty: {error}")
