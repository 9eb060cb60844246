"""What an operation holds, so that no other one works on the same domain: its UUID and its name.

The name counts beside the UUID because two domains that are about to be made have nothing else in common.
"""

from typing import Literal, NamedTuple


class Lock(NamedTuple):
    """One thing that one operation at a time may hold."""

    subject: Literal["uuid", "name"]
    value: str

    def __str__(self) -> str:
        """As it stands in a record."""
        return f"{self.subject} {self.value}"

    @classmethod
    def parse(cls, text: str) -> "Lock":
        """The inverse of `str`.

        Raises:
            ValueError: it is no lock.
        """
        subject, _, value = text.partition(" ")
        if subject == "uuid":
            return uuid_lock(value)
        if subject == "name":
            return name_lock(value)
        raise ValueError(f"{text!r} is no lock")


def uuid_lock(uuid: str) -> Lock:
    """That of a domain's UUID."""
    return Lock("uuid", uuid)


def name_lock(name: str) -> Lock:
    """That of a domain's name."""
    return Lock("name", name)


def domain_locks(uuid: str, name: str) -> list[Lock]:
    """Those of a domain; the first one is of its UUID, which it has for all of its lives."""
    return [uuid_lock(uuid), name_lock(name)]
