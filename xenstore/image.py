"""All that a store holds beside its nodes, as one value: what a restart, live update or journal hands on.

`capture` makes the value of a store, `restore` a store of the value; `xenstore.stream` writes and reads it
together with the nodes.  Pages and event channels are described here, never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from xenstore import _stream
from xenstore import store as store_module

if TYPE_CHECKING:
    from xenstore.store import Session, Store

__all__ = ["Client", "Domain", "Image", "Ring", "capture", "restore"]

#: What `Session.export` gives and `Store.restore` takes.
State = Mapping[str, Any]


class Ring(NamedTuple):
    """How an introduced domain is connected.

    Attributes:
        gfn, remote_port: as INTRODUCE named them; 0: not known.
        local_port: this host's end of its event channel; 0: not known.
        unique: what the hypervisor tells this domain from others of the same domid by; 0: not known.
        error: why the ring is ignored, as in the page's error field; 0: it is not.
    """

    gfn: int = 0
    remote_port: int = 0
    local_port: int = 0
    unique: int = 0
    error: int = 0


class Domain(NamedTuple):
    """An introduced domain: its session, which holds target and features, and its ring."""

    domid: int
    session: State
    ring: Ring


class Client(NamedTuple):
    """A client of the socket, and the descriptor it is connected by."""

    fd: int
    session: State


class Image(NamedTuple):
    """A store without its nodes.

    Attributes:
        generation: a number that no node's generation exceeds.
        quotas: the default quotas by name.
        domain_quotas: the quotas of every domain that has an account, by domid and name.
        features_ahead: features granted to domains that are not introduced yet, by domid.
        reported_shutdowns: domains whose shutdown @releaseDomain has told of.
        domains: the introduced ones.
        clients: the socket's.
        socket_fd: the listening socket; -1: none.
        event_fd: the event channels' descriptor; -1: none.
    """

    generation: int = 0
    quotas: Mapping[str, int] = {}
    domain_quotas: Mapping[int, Mapping[str, int]] = {}
    features_ahead: Mapping[int, int] = {}
    reported_shutdowns: frozenset[int] = frozenset()
    domains: tuple[Domain, ...] = ()
    clients: tuple[Client, ...] = ()
    socket_fd: int = -1
    event_fd: int = -1


def capture(
    store: Store,
    rings: Mapping[int, Ring] | None = None,
    clients: Iterable[tuple[int, Session]] = (),
    *,
    socket_fd: int = -1,
    event_fd: int = -1,
) -> Image:
    """What a store holds now.

    rings: by domid; clients: as `Pump.sessions` lists them.  Clients that were disconnected are left out.
    Cost: all sessions with their watches and buffers, whatever the number of nodes.
    """
    rings = rings or {}
    return Image(
        generation=_stream.generation(store),
        quotas=store.quotas,
        domain_quotas={account.domid: account.quota_values() for account in store.accounts},
        features_ahead=dict(store.features_ahead),
        reported_shutdowns=frozenset(store.reported_shutdowns),
        domains=tuple(
            _domain(store, domid, session, rings.get(domid)) for domid, session in store.introduced.items()
        ),
        clients=tuple(Client(fd, session.export()) for fd, session in clients if not session.closed),
        socket_fd=socket_fd,
        event_fd=event_fd,
    )


def _domain(store: Store, domid: int, session: Session, ring: Ring | None) -> Domain:
    known = store.rings[domid]
    ring = ring or Ring(known.gfn, known.port, 0, known.unique, store.ignored.get(domid, 0))
    return Domain(domid, session.export(), ring)


def restore(image: Image, store: Store) -> dict[int, Session]:
    """Make a fresh store hold what an image describes; returns the socket clients' sessions by descriptor.

    The domains' sessions are in `store.introduced`; no ring serves them yet, and that of a domain whose ring
    is ignored is closed.  A quota that is exceeded is not an error.
    """
    _stream.set_quotas(store, image.quotas, image.domain_quotas)
    store.features_ahead.update(image.features_ahead)
    store.reported_shutdowns.update(image.reported_shutdowns)
    for domain in image.domains:
        ring = domain.ring
        store.restore_domain(
            domain.session, store_module.Ring(ring.gfn, ring.remote_port, ring.unique), ring.error
        )
    return {client.fd: store.restore(client.session) for client in image.clients}
