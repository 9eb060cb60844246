"""Xen's migration stream: a whole store as bytes, for live update and as the base image of the journal.

Written in three parts: `head` (connections and their watches), a `NodeWriter`'s slices, `tail`.  Versions 1
and 2 of the format; version 2 has quotas, features and watch depths.  What it has no place for either (see
`xenstore.records`) is written for readers of ours only, on request: `private`.

Source: live-update.md 1.
"""

from collections.abc import Iterator

from xenstore import records
from xenstore._stream import NodeWriter, StreamError
from xenstore.administration import FEATURES
from xenstore.hypervisor import Ring
from xenstore.image import Client, Domain, Image
from xenstore.records import VERSIONS, record
from xenstore.store import Store
from xenstore.stream_reader import read

__all__ = ["VERSIONS", "NodeWriter", "StreamError", "head", "read", "tail", "write"]

_SLICE_BYTES = 256 << 10


def write(image: Image, store: Store, version: int = 2, *, private: bool = False) -> Iterator[bytes]:
    """The whole stream in pieces; the nodes are those of the moment of the first."""
    nodes = NodeWriter(store, numbered=private)
    yield head(image, version, private=private)
    while piece := nodes.next(_SLICE_BYTES):
        yield piece
    yield tail(image, version, private=private)


def head(image: Image, version: int = 2, *, private: bool = False) -> bytes:
    """Everything before the nodes.

    Raises:
        ValueError: version and `private` do not go together, or a connection holds more unexecuted input than
            the format has room for.
    """
    if version not in VERSIONS or (private and version < 2):
        raise ValueError(f"version {version}: there are 1 and 2, and private records are of version 2")
    parts = [
        records.PREAMBLE.pack(records.IDENT, version, records.FLAGS),
        record(records.GLOBAL_DATA, records.GLOBAL.pack(image.socket_fd, image.event_fd)),
    ]
    if private:
        parts.append(_store_record(image))
        identities = [records.IDENTITY.pack(*each) for each in image.identities.items()]
        parts.append(record(records.OUR_ACCOUNTS, *identities))
    if version >= 2:
        count = records.GLOBAL_QUOTA.pack(len(image.quotas), 0)
        parts.append(record(records.GLOBAL_QUOTA_DATA, count, records.quotas(image.quotas)))
    number = 0
    for domain in image.domains:
        number += 1
        parts += _connection(number, domain, version, private)
    for client in image.clients:
        number += 1
        parts += _connection(number, client, version, private)
    return b"".join(parts)


def tail(image: Image, version: int = 2, *, private: bool = False) -> bytes:
    """Everything after the nodes."""
    parts = []
    if version >= 2:
        features = dict(image.features_ahead)
        features.update((domain.domid, domain.session["features"]) for domain in image.domains)
        for domid in [*image.domain_quotas, *(image.features_ahead.keys() - image.domain_quotas.keys())]:
            quotas = image.domain_quotas.get(domid, {})
            fixed = records.DOMAIN.pack(domid, len(quotas), features.get(domid, FEATURES))
            parts.append(record(records.DOMAIN_DATA, fixed, records.quotas(quotas)))
    parts.append(record(records.END))
    return b"".join(parts)


def _store_record(image: Image) -> bytes:
    ahead, reported = image.features_ahead, sorted(image.reported_shutdowns)
    return record(
        records.OUR_STORE,
        records.STORE.pack(image.generation, len(ahead), len(reported)),
        *[records.AHEAD.pack(*each) for each in ahead.items()],
        *[records.REPORTED.pack(domid) for domid in reported],
    )


def _connection(number: int, whose: Domain | Client, version: int, private: bool) -> Iterator[bytes]:
    """The records of one connection."""
    state = whose.session
    given, output = state["input"], state["output"]
    if len(given) > records.INPUT_MAX and not private:
        raise ValueError(f"a connection with {len(given)} bytes of input; the format holds 65535")
    unique = b""
    if isinstance(whose, Domain):
        target = records.NO_TARGET if state["target"] is None else state["target"]
        type, spec = records.RING_TYPE, records.RING_SPEC.pack(whose.domid, target, whose.local_port)
        if version >= 2:
            unique = records.UNIQUE.pack(whose.ring.unique)
    else:
        type, spec = records.SOCKET_TYPE, records.SOCKET_SPEC.pack(whose.fd)
    fields = records.HAS_UNIQUE if unique else 0
    kept = given[: records.INPUT_MAX]
    fixed = records.CONNECTION.pack(number, type, fields, spec, len(kept), state["message_left"], len(output))
    padding = bytes(-(len(fixed) + len(kept) + len(output)) % 8)
    yield record(records.CONNECTION_DATA, fixed, kept, output, padding, unique)
    if private:
        yield _session_record(number, whose)
    for path, token, depth in state["watches"]:
        yield _watch(number, path, token, depth, version)
    if private:
        for tx_id in state["transactions"]:
            yield record(records.TRANSACTION_DATA, records.TRANSACTION.pack(number, tx_id))


def _session_record(number: int, whose: Domain | Client) -> bytes:
    state, ring, error = whose.session, Ring(), 0
    if isinstance(whose, Domain):
        ring, error = whose.ring, whose.error
    more = state["input"][records.INPUT_MAX :]
    fixed = records.SESSION.pack(
        number,
        state["last_tx_id"],
        state["features"],
        error,
        ring.port,
        len(more),
        state["executed_bytes"],
        state["sent_bytes"],
        ring.gfn,
    )
    return record(records.OUR_SESSION, fixed, more)


def _watch(number: int, path: bytes, token: bytes, depth: int, version: int) -> bytes:
    """Version 1 has no depth; its reader is told of more than it asked for then, never of less."""
    sizes = number, len(path) + 1, len(token) + 1
    if depth < 0 or version < 2:
        return record(records.WATCH_DATA, records.WATCH.pack(*sizes), path, b"\0", token, b"\0")
    fixed = records.WATCH_EXTENDED.pack(*sizes, min(depth, records.ANY_DEPTH - 1), 0)
    return record(records.WATCH_DATA_EXTENDED, fixed, path, b"\0", token, b"\0")
