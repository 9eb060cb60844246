"""Putting a console together: its ring, its pty and the pty's name in the store, its log."""

import errno
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

import attrs

from xend.console.console import Console
from xend.console.loader import LoaderConsole
from xend.console.log import ConsoleLog, log_path
from xend.console.nodes import Nodes
from xend.console.pty import Pty
from xend.console.terminal import Terminal
from xend.errors import XendError
from xend.hypervisor import ConsoleRing, HypervisorError
from xenstore.daemon.text import one_line

__all__ = ["ConsoleMaker", "ConsoleTaken", "Filter", "Opener", "title"]

#: What is done to bytes on their way into a log, see `stamp`.
Filter = Callable[[bytes], bytes]


class ConsoleTaken(XendError):
    """The hypervisor refused the page or the port of a console.

    Where both are right, as of a domain that was just built, another program has bound the port.
    """


class Opener(Protocol):
    """What consoles need of a Hypervisor."""

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing: ...


def title(domid: int, name: str) -> str:
    """A domain for people; a name is its user's choice and may hold anything."""
    return f"domain {domid} ({one_line(name)})"


@attrs.frozen(kw_only=True)
class ConsoleMaker:
    """Makes consoles of one host, with the settings of its service (see `service.Consoles`)."""

    hypervisor: Opener
    nodes: Nodes
    log_directory: str | None
    open_pty: Callable[[], Pty]
    log_line: Callable[[str], object]
    log_prefix: str
    filters: Callable[[], Sequence[Filter]]
    keep_overflow: bool

    async def make(self, domid: int, name: str, gfn: int, port: int) -> Console:
        """A console to be run, its pty named in the store.

        Raises:
            XendError: hypervisor_failed (ConsoleTaken: perhaps another program has it), store_failed;
                nothing is left open then.
        """
        with ExitStack() as undo:
            ring = undo.enter_context(await self._open_ring(domid, name, gfn, port))
            pty = self._new_pty(domid, name)
            if pty is not None:
                undo.callback(pty.close)
            limit = await self.nodes.publish(domid, pty.name if pty else "")
            terminal = Terminal(pty, limit) if pty else None
            console = Console(
                title(domid, name), ring, terminal, self.log_line, keep_overflow=self.keep_overflow
            )
            console.log = self.open_log(domid, name)
            undo.pop_all()
        return console

    async def make_of_loader(self, domid: int, name: str) -> LoaderConsole:
        """The console of a boot loader, its pty named in the store.

        Raises:
            XendError: store_failed; nothing is left open then.
        """
        with ExitStack() as undo:
            pty = self._new_pty(domid, name)
            if pty is not None:
                undo.callback(pty.close)
            limit = await self.nodes.publish(domid, pty.name if pty else "")
            terminal = Terminal(pty, limit) if pty else None
            console = LoaderConsole(title(domid, name), terminal, self.log_line)
            console.log = self.open_log(domid, name)
            undo.pop_all()
        return console

    def open_log(self, domid: int, name: str) -> ConsoleLog | None:
        """The log of a domain of that name; None: none is wanted, or the name is not a file's."""
        if self.log_directory is None:
            return None
        try:
            path = log_path(self.log_directory, self.log_prefix + name)
        except XendError as error:
            self.log_line(f"console of {title(domid, name)}: not recorded: {error}")
            return None
        return ConsoleLog(path, self.log_line, filters=self.filters())

    async def _open_ring(self, domid: int, name: str, gfn: int, port: int) -> ConsoleRing:
        try:
            return await self.hypervisor.open_console(domid, gfn, port)
        except HypervisorError as error:
            what = f"cannot open the console ring of {title(domid, name)}"
            kind = ConsoleTaken if error.errno == errno.EINVAL else XendError
            raise kind("hypervisor_failed", what, domain=name, cause=error.text) from error

    def _new_pty(self, domid: int, name: str) -> Pty | None:
        try:
            return self.open_pty()
        except OSError as error:
            self.log_line(f"console of {title(domid, name)}: no pty for it: {error.strerror}")
            return None
