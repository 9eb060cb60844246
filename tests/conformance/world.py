"""What a scenario is played on: a store, its clients, and what the hypervisor would know and do."""

from abc import ABC, abstractmethod

from tests.conformance.table import Node
from tests.peers.wire import Message


class Line(ABC):
    """One connection of a scenario."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Bytes to the store."""

    @abstractmethod
    def collect(self, replies: int, finished: bool) -> tuple[list[Message], bool]:
        """All that the store has sent by now, in order, and whether it has closed the connection.

        `replies` are due; unless `finished`, the store holds the beginning of a message, and no other
        request can be put between.
        """

    @abstractmethod
    def hang_up(self) -> None:
        """The client goes away."""


class World(ABC):
    """A store that holds nothing but its own first nodes."""

    @abstractmethod
    def connect(self) -> Line:
        """A client of the socket."""

    @abstractmethod
    def ring(self, domid: int) -> Line:
        """The ring of a domain that is introduced."""

    @abstractmethod
    def create(self, domid: int) -> None:
        """The hypervisor creates a domain."""

    @abstractmethod
    def introduce(self, domid: int) -> None:
        """The toolstack introduces a domain that exists."""

    @abstractmethod
    def die(self, domid: int) -> None:
        """The domain is gone, and the hypervisor says so."""

    @abstractmethod
    def shut_down(self, domid: int) -> None:
        """The domain has shut down, and the hypervisor says so."""

    @abstractmethod
    def settle(self) -> None:
        """Return when the store has noticed all that happened so far."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Time passes."""

    @abstractmethod
    def uses(self, domid: int) -> dict[str, int] | None:
        """The domain's accounts by name; None when this store does not tell."""

    @abstractmethod
    def place(self, node: Node) -> None:
        """Write a node of `given`."""

    @abstractmethod
    def finish(self) -> list[str]:
        """Leave no trace of the scenario; returns what turned out to be inconsistent."""
