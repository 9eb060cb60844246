"""What tells domains of this host apart for all of their lives.

A domain's identity is its UUID.  A host may have two with one UUID, as where a checkpoint is restored under
another name while the first domain lives: the identity of the second is the UUID and a number, "UUID-2".
Whatever xend keys by a domain is keyed by its identity: locks, records, files, claims of disks, /vm in the
store; in names of fields, where it is nearly always the same, it is called uuid.  The hypervisor, the guest
and who asks over the bus see the UUID alone.
"""

from collections.abc import Callable
from itertools import count
from typing import TypeGuard

from xend.hypervisor import DomainInfo

__all__ = ["free_identity", "is_domain", "uuid_of"]

_UUID_CHARS = 36


def uuid_of(identity: str) -> str:
    """The UUID of a domain's identity."""
    return identity[:_UUID_CHARS]


def is_domain(info: DomainInfo | None, identity: str) -> TypeGuard[DomainInfo]:
    """Whether what the hypervisor has under a domain's domid is still that domain."""
    return info is not None and info.uuid == uuid_of(identity)


def free_identity(uuid: str, is_free: Callable[[str], bool]) -> str:
    """The first identity with this UUID that is free."""
    return next(
        identity for number in count(1) if is_free(identity := uuid if number == 1 else f"{uuid}-{number}")
    )
