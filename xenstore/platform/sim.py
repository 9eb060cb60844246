"""A simulated host made of files, for `xenstored --platform sim:DIR`.

    DIR/store.channel    datagram socket of the store; a datagram is a port that fired, 4 bytes little endian
    DIR/store.lock       held by the store that serves the domains
    DIR/N/store.page     domain N exists as long as this file does; it is the page it shares with the store
    DIR/N/store.channel  datagram socket of domain N; a datagram, whatever it holds, is a notification
    DIR/N/unique         a number that no other domain N had, as decimal text
    DIR/N/shutdown       exists once the domain has shut down

Domain N fires port STORE_PORT + N; port DOMAIN_CHANGES says that some domain came to an end; who finds the
store's queue full fires again.  A simulated guest thus outlives the store it talks to, exactly as a real one
does.
"""

import errno
import mmap
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from xenstore._channels import Channels
from xenstore.daemon import trusted
from xenstore.daemon.locks import Held
from xenstore.platform import DomainState, Page, Platform, PlatformError, Unavailable

DOMAIN_CHANGES = 1
STORE_PORT = 16
PAGE_SIZE = 4096


class SimulatedChannels(Channels):
    """Datagrams; nothing is ever masked.

    Each port is notified from a socket of its own: what a domain has not taken counts against its sender's
    buffer, and paused domains must not use up what others are notified with.
    """

    def __init__(self, directory: Path, channel: socket.socket, bound: set[int]) -> None:
        self._directory = directory
        self._channel = channel
        self._bound = bound
        self._senders: dict[int, tuple[socket.socket, str]] = {}

    def pending(self) -> list[int]:
        """Those that fired, once each; who finds the queue full fires again."""
        fired = set()
        while True:
            try:
                fired.add(int.from_bytes(self._channel.recv(4), "little"))
            except BlockingIOError:
                return sorted(self._bound & fired)

    def notify(self, port: int) -> None:
        sender, address = self._senders.get(port) or self._made(port)
        try:
            sender.sendto(b"\0", address)
        except BlockingIOError:
            pass  # it has notifications enough
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
                raise

    def _made(self, port: int) -> tuple[socket.socket, str]:
        """The socket that a port is notified from, and the domain's address."""
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        self._senders[port] = sender, f"{self._directory}/{port - STORE_PORT}/store.channel"
        return self._senders[port]

    def forget(self, port: int) -> None:
        """It is notified no more, as far as is known."""
        if port in self._senders:
            self._senders.pop(port)[0].close()

    def close(self) -> None:
        for port in list(self._senders):
            self.forget(port)


class SimulatedPlatform(Platform):
    """The host that lives in a directory.

    event_fd: the store's channel that another xenstored left; -1: a new one.

    Raises:
        Unavailable: there is no such directory.
        StartError: another xenstored serves this host.
    """

    def __init__(self, directory: Path, held: Held, event_fd: int = -1) -> None:
        super().__init__(held)
        self.name = f"sim:{directory}"
        try:
            trusted.check_directory(directory)
        except OSError as error:
            raise Unavailable(f"simulated host: {error.filename or directory}: {error.strerror}") from error
        held.also(
            f"{directory}/store.lock", f"another xenstored serves the domains of {self.name}: stop that one"
        )
        self._directory = directory
        self._channel = self._open_channel() if event_fd < 0 else socket.socket(fileno=event_fd)
        self._channel.setblocking(False)
        self._bound: set[int] = set()
        self.channels: SimulatedChannels = SimulatedChannels(directory, self._channel, self._bound)

    def _open_channel(self) -> socket.socket:
        path = self._directory / "store.channel"
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            path.unlink(missing_ok=True)
            channel.bind(os.fspath(path))
        except OSError as error:
            channel.close()
            raise Unavailable(f"{path}: {error.strerror or error}") from error
        return channel

    def fileno(self) -> int:
        return self._channel.fileno()

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        if self.domain(domid) is None:
            raise PlatformError(errno.ESRCH, f"simulated domain {domid} does not exist")
        self._bound.add(STORE_PORT + domid)
        return STORE_PORT + domid

    def bind_domain_changes(self) -> int:
        self._bound.add(DOMAIN_CHANGES)
        return DOMAIN_CHANGES

    def unbind(self, port: int) -> None:
        self._bound.discard(port)
        self.channels.forget(port)

    def adopt(self, port: int) -> None:
        self._bound.add(port)

    def map_own_page(self) -> tuple[Page, int] | None:
        if not self._page_file(0).exists():
            return None
        return self.map_page(0, 0), STORE_PORT

    def map_page(self, domid: int, gfn: int) -> Page:
        try:
            with open(self._page_file(domid), "r+b") as file:
                return mmap.mmap(file.fileno(), PAGE_SIZE)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or errno.EINVAL
            raise PlatformError(number, f"{self._page_file(domid)}: {error}") from error

    def unmap_page(self, page: Page) -> None:
        assert isinstance(page, mmap.mmap)
        page.close()

    def domains(self) -> Mapping[int, DomainState]:
        states = {int(name): self._state(name) for name in os.listdir(self._directory) if name.isdigit()}
        return {domid: state for domid, state in states.items() if state is not None}

    def domain(self, domid: int) -> DomainState | None:
        return self._state(str(domid))

    def store_port(self, domid: int) -> int | None:
        return STORE_PORT + domid

    def close(self) -> None:
        self._channel.close()
        self.channels.close()

    def _page_file(self, domid: int) -> Path:
        return self._directory / str(domid) / "store.page"

    def _state(self, name: str) -> DomainState | None:
        """Without Path and file objects: all domains are looked at whenever one of them ends."""
        home = f"{self._directory}/{name}"
        if not os.access(f"{home}/store.page", os.F_OK):
            return None
        return DomainState(_unique(f"{home}/unique"), os.access(f"{home}/shutdown", os.F_OK), False)


def _unique(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 32))
    except (OSError, ValueError):
        return 0
    finally:
        os.close(fd)
