"""dom0's end of a simulated domain's console."""

import errno
from collections.abc import Callable
from pathlib import Path

from xend.hypervisor import ConsoleRing, HypervisorError
from xend.simulator.channel import Channel
from xend.simulator.place import Place


class MappedConsole(ConsoleRing):
    """A console page that is a file, and a datagram socket.

    closed: called once it is.

    Raises:
        HypervisorError: ESRCH: the domain is gone meanwhile.
    """

    def __init__(self, directory: Path, domid: int, closed: Callable[[], object]) -> None:
        files = Place(directory).domain(domid)
        try:
            self._mapping = files.console_page()
            self._channel = Channel(files.consoled_channel, files.console_channel)
        except FileNotFoundError as error:
            raise HypervisorError(errno.ESRCH, f"domain {domid} is gone") from error
        except OSError as error:
            raise HypervisorError(error.errno or errno.EIO, f"console of domain {domid}: {error}") from error
        self.page = self._mapping
        self._closed: Callable[[], object] | None = closed

    async def wait(self) -> None:
        await self._channel.wait()

    def notify(self) -> None:
        self._channel.notify()

    def close(self) -> None:
        # Whoever has made a ring of the page keeps it mapped as long as that lives; nobody is told of it.
        self._channel.close()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
