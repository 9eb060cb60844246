"""What the store needs of the host it runs on, and where the rings of its domains are."""

from typing import NamedTuple, Protocol

from xenstore import errors
from xenstore._session import Session

__all__ = ["Hypervisor", "NoHypervisor", "Ring", "are_two"]


class Ring(NamedTuple):
    """Where a domain's ring is, as INTRODUCE said or the host knows.

    Attributes:
        gfn: frame number of its page; 0: grant reference 1 alone.
        port: the event channel that the domain left open.
        unique: the domain's identity (`platform.DomainState.unique`).
    """

    gfn: int = 0
    port: int = 0
    unique: int = 0

    @staticmethod
    def parse(text: bytes) -> "Ring":
        """One that was written as its three numbers.

        Raises:
            ValueError: it was not.
        """
        words = text.split()
        if len(words) != 3 or not all(word.isdigit() and len(word) <= 20 for word in words):
            raise ValueError(f"{text[:80]!r} tells no ring")
        ring = Ring(*map(int, words))
        if ring.gfn >> 64 or ring.port >> 32 or ring.unique >> 64:
            raise ValueError(f"{text!r}: a number of a ring is out of range")
        return ring


def are_two(unique: int, other: int) -> bool:
    """Whether two identities (`Hypervisor.identity`) are known, and of two domains."""
    return 0 != unique != other != 0


class Hypervisor(Protocol):
    """What the store needs of the host it runs on."""

    def exists(self, domid: int) -> bool:
        """Whether a domain of that id is alive."""

    def identity(self, domid: int) -> int:
        """A number that no other domain of that id has, or 0: not known."""

    def map(self, domid: int, gfn: int, port: int) -> None:
        """Map a domain's ring page and bind its event channel.

        Raises:
            XenstoreError: with the errno to answer INTRODUCE with.
        """

    def serve(self, session: Session) -> None:
        """Move a session's bytes over its domain's ring, which `map` has connected, emptied first."""

    def unmap(self, domid: int) -> None:
        """Undo `map`; nothing happens where nothing is mapped."""


class NoHypervisor:
    """A host without Xen: domain 0 is all there is."""

    def exists(self, domid: int) -> bool:
        return domid == 0

    def identity(self, domid: int) -> int:
        return 0

    def map(self, domid: int, gfn: int, port: int) -> None:
        raise errors.ENOENT(f"domain {domid}: this store runs without a hypervisor")

    def serve(self, session: Session) -> None:
        pass

    def unmap(self, domid: int) -> None:
        pass
