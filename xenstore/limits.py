"""Every bound of the store, with its unit, default and source.

A quota of N allows N.  Quotas bind unprivileged ring connections only; dom0 and sockets are exempt.
Names and defaults: xenstored of Xen 4.22 (xenstore-protocol.md 8), see XSA-326 for most of them.
"""

from typing import NamedTuple


class Quota(NamedTuple):
    """One per-domain limit: its name on the wire, its default (0 = unlimited) and what it bounds."""

    name: str
    default: int
    description: str


#: In the order in which GET_QUOTA lists them.  The compiled accounts index this tuple.
QUOTAS: tuple[Quota, ...] = (
    Quota("nodes", 1000, "Nodes owned by a domain"),
    Quota("watches", 128, "Watches registered by a domain"),
    Quota("outstanding", 20, "Replies and events not yet consumed"),
    Quota("memory", (2 << 20) + (1 << 19), "Bytes held for a domain, hard limit"),
    Quota("soft-memory", 2 << 20, "Bytes held for a domain, warning"),
    Quota("transactions", 10, "Transactions open at a time"),
    Quota("transaction-nodes", 1024, "Nodes accessed in one transaction"),
    Quota("node-permissions", 5, "Permission entries of a node"),
    Quota("path-max", 2048, "Bytes of a path below /local/domain/N/"),
    Quota("node-size", 2048, "Bytes of a node: value, permissions, names of children"),
)
QUOTA_INDEX: dict[str, int] = {quota.name: index for index, quota in enumerate(QUOTAS)}

#: Bytes of unsent output at which a session's further requests wait in their socket.
OUTPUT_STALL_BYTES = 256 * 1024
#: Bytes of unsent output (watch events that nobody reads) at which a socket client is disconnected.
OUTPUT_MAX_BYTES = 16 * 1024 * 1024
#: Bytes held for unsent output of all socket clients from which on each has OUTPUT_CROWDED_BYTES for replies.
OUTPUT_CROWD_BYTES = 64 * 1024 * 1024
#: Bytes of unsent output at which a session's further requests wait while there is such a crowd.
OUTPUT_CROWDED_BYTES = 4 * 1024
#: Bytes held for unsent output of all socket clients at which who holds the most is disconnected.
OUTPUT_TOTAL_BYTES = 128 * 1024 * 1024
#: What an unprivileged transaction may pin of replaced versions before it loses its snapshot.
PINNED_MAX_BYTES = 1024 * 1024
#: How long an unprivileged transaction may pin replaced versions, in seconds.
PINNED_MAX_SECONDS = 5.0
#: Age in seconds at which an event queued to an unprivileged ring is dropped (XSA-326; -w watch-event).
WATCH_EVENT_TIMEOUT_SECONDS = 20.0
