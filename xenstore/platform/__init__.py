"""What the store needs of the host: the pages of domains and their event channels.

`Platform` is the contract; each module beside this one is one kind of host.  Nothing else in the store
knows device nodes, ioctls or hypercalls.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from xenstore._channels import Channels
from xenstore.daemon.locks import Held

__all__ = ["DomainState", "Page", "Platform", "PlatformError", "Unavailable"]

#: Anything with a writable buffer of 4096 bytes that stays mapped as long as it is referred to.
Page = object


class DomainState(NamedTuple):
    """What the hypervisor says of a domain.

    Attributes:
        unique: differs between two domains that had the same domid one after the other, and is the same
            for one of them as long as it lives, whatever becomes of it and of xenstored; 64 bits; 0: not
            known.
        is_shutdown: it has shut down or crashed and waits to be destroyed.
        is_dying: it is being destroyed, nothing of it can be mapped any more.
    """

    unique: int
    is_shutdown: bool
    is_dying: bool


class Unavailable(Exception):
    """This host lacks what a platform needs; the text names it, and the remedy."""


class PlatformError(OSError):
    """The host refused; `errno` says why, the text what for."""


class Platform(ABC):
    """One host.  Every method is called from one thread and does not block.

    held: the lock of the service, which is taken before anything of the host is touched.

    Attributes:
        name: what kind of host this is, for people.
        channels: its event channels; the ports are this host's own (local) ones.
        poll_only: only poll(2) can wait for `fileno()`, neither epoll nor kqueue.
        pins_domids: a domain whose page is mapped here remains, dying at most, until it is unmapped: its
            domid cannot be another's before.
    """

    name: str
    channels: Channels
    poll_only = False
    pins_domids = False

    def __init__(self, held: Held) -> None:
        self.held = held

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that is readable while events are pending; poll(2) can wait for it, others may not."""

    @abstractmethod
    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        """A new local port, connected to a port that a domain left open for it.

        Raises:
            PlatformError: there is no such domain or port.
        """

    @abstractmethod
    def bind_domain_changes(self) -> int:
        """The port that fires when some domain shut down or died (VIRQ_DOM_EXC).

        Raises:
            PlatformError: somebody else has it: a domain other than dom0, or another xenstored.
        """

    @abstractmethod
    def unbind(self, port: int) -> None:
        """Close a local port."""

    @abstractmethod
    def adopt(self, port: int) -> None:
        """Go on with a local port that came with the descriptor this platform was opened with."""

    @abstractmethod
    def map_own_page(self) -> tuple[Page, int] | None:
        """dom0's own store page and the port on which its kernel waits; None where dom0 has none."""

    @abstractmethod
    def map_page(self, domid: int, gfn: int) -> Page:
        """A domain's store page: grant reference 1, else the frame, unless that is 0.

        Raises:
            PlatformError: it cannot be mapped.
        """

    @abstractmethod
    def unmap_page(self, page: Page) -> None:
        """Undo `map_page`; the page must not be used any more."""

    @abstractmethod
    def domains(self) -> Mapping[int, DomainState]:
        """All domains of the host, by domid."""

    def domain(self, domid: int) -> DomainState | None:
        """One of them; None: there is none."""
        return self.domains().get(domid)

    @abstractmethod
    def store_port(self, domid: int) -> int | None:
        """The port that an INTRODUCE of a running domain would name; None where the host cannot tell, or
        where the domain does not wait for a xenstored there."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back."""
