"""All that a store holds beside its nodes, as one value: what a restart, live update or journal hands on.

`capture` makes the value of a store, `restore` a store of the value; `xenstore.stream` writes and reads it
together with the nodes.  Pages and event channels are described here, never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from xenstore import _stream

if TYPE_CHECKING:
    from xenstore.hypervisor import Ring
    from xenstore.store import Session, Store

__all__ = ["Client", "Domain", "Image", "capture", "restore"]

#: What `Session.export` gives and `Store.restore` takes.
State = Mapping[str, Any]


class Domain(NamedTuple):
    """An introduced domain.

    Attributes:
        session: its state, which includes target and features.
        ring: where its ring is; zeros where the stream did not say.
        error: why the ring is ignored, as in the page's error field; 0: it is not.
        local_port: this host's end of its event channel; 0: not known.
        has_positions: the session's positions are those of the ring; False: only the page tells them.
    """

    domid: int
    session: State
    ring: Ring
    error: int = 0
    local_port: int = 0
    has_positions: bool = True


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
        identities: who has an account (`Hypervisor.identity`), by domid, as far as that is known.
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
    identities: Mapping[int, int] = {}


def capture(
    store: Store,
    clients: Iterable[tuple[int, Session]] = (),
    *,
    local_ports: Mapping[int, int] | None = None,
    socket_fd: int = -1,
    event_fd: int = -1,
) -> Image:
    """What a store holds now.

    clients: as `Pump.sessions` lists them; those that were disconnected are left out.  local_ports: by domid.
    Cost: all sessions with their watches and buffers, whatever the number of nodes.
    """
    ports = local_ports or {}
    return Image(
        generation=_stream.generation(store),
        quotas=store.quotas,
        domain_quotas={account.domid: account.quota_values() for account in store.accounts},
        features_ahead=dict(store.features_ahead),
        reported_shutdowns=frozenset(store.reported_shutdowns),
        domains=tuple(
            Domain(
                domid,
                session.export(),
                store.rings[domid],
                store.ignored.get(domid, 0),
                ports.get(domid, 0),
            )
            for domid, session in store.introduced.items()
        ),
        clients=tuple(Client(fd, session.export()) for fd, session in clients if not session.closed),
        socket_fd=socket_fd,
        event_fd=event_fd,
        identities={account.domid: account.unique for account in store.accounts if account.unique},
    )


def restore(image: Image, store: Store) -> dict[int, Session]:
    """Make a fresh store hold what an image describes; returns the socket clients' sessions by descriptor.

    The domains' sessions are in `store.introduced`; no ring serves them yet, and that of a domain whose ring
    is ignored is closed.  A quota that is exceeded is not an error.

    Raises:
        ValueError: it describes no store.
    """
    _stream.set_quotas(store, image.quotas, image.domain_quotas)
    for domid, unique in image.identities.items():
        store.accounts.open(domid).unique = unique
    store.features_ahead.update(image.features_ahead)
    store.reported_shutdowns.update(image.reported_shutdowns)
    for domain in image.domains:
        store.restore_domain(domain.session, domain.ring, domain.error)
    sessions = {client.fd: store.restore(client.session) for client in image.clients}
    check(store)
    return sessions


def check(store: Store) -> None:
    """See that a store's accounts are right.  Cost: all nodes and watches.

    Raises:
        ValueError: they are not.
    """
    problems = store.check()
    if problems:
        raise ValueError(f"no store is like that: {problems[0]}")
