"""Reading Xen's migration stream (see `xenstore.stream`).  Nothing in it is believed unchecked."""

from collections.abc import Callable
from typing import Any

from xenstore import records
from xenstore._stream import NodeReader, StreamError, check_path
from xenstore.administration import FEATURES
from xenstore.hypervisor import Ring
from xenstore.image import Client, Domain, Image
from xenstore.records import Reader
from xenstore.store import Store
from xenstore.wire import HEADER, PAYLOAD_MAX, MessageType

#: Bytes that can be looked at without a copy.
Buffer = bytes | bytearray | memoryview

_GENERATION_MAX = _POSITION_MAX = 1 << 62
#: What is kept as a C int.
_INT_MAX = 2**31 - 1


def read(buffer: Buffer, store: Store, note: Callable[[str], object] = lambda line: None) -> Image:
    """Puts a stream's nodes into a fresh store, in the place of those it has; returns all else.

    What follows the END record is not looked at.  `note` gets a line about each kind of record that is left
    out.  After an error the store is of no further use.

    Raises:
        StreamError: the bytes are no stream that a store could have written: with offset and record type.
    """
    return _Reading(memoryview(buffer), store, note).read()


class _Connection:
    """What is known so far of one connection: a domain's where fd is negative."""

    def __init__(
        self, domid: int, fd: int, target: int | None, given: bytes, output: bytes, left: int
    ) -> None:
        self.domid = domid
        self.fd = fd
        self.ring = Ring()
        self.error = 0
        self.local_port = 0
        self.has_positions = False
        self.watches: set[tuple[bytes, bytes]] = set()  # by absolute path
        self.state: dict[str, Any] = {
            "domid": domid,
            "privileged": domid == 0,
            "target": target,
            "features": int(FEATURES),
            "input": given,
            "output": output,
            "message_left": left,
            "sent_bytes": 0,
            "executed_bytes": 0,
            "watches": [],
            "last_tx_id": 0,
            "transactions": [],
        }

    def domain(self) -> Domain:
        return Domain(self.domid, self.state, self.ring, self.error, self.local_port, self.has_positions)


class _Reading:
    """One stream being read."""

    def __init__(self, stream: memoryview, store: Store, note: Callable[[str], object]) -> None:
        self._stream = stream
        self._store = store
        self._note = note
        self._nodes: NodeReader | None = None
        self._connections: dict[int, _Connection] = {}
        self._by_place: dict[tuple[bool, int], _Connection] = {}
        self._domain_quotas: dict[int, dict[str, int]] = {}
        self._features_ahead: dict[int, int] = {}
        self._noted: set[int] = set()
        self._version = 0
        self._image = Image(quotas=store.quotas)
        self._actions: dict[int, Callable[[Reader], None]] = {
            records.GLOBAL_DATA: self._global,
            records.CONNECTION_DATA: self._connection,
            records.WATCH_DATA: self._watch,
            records.TRANSACTION_DATA: self._transaction,
            records.GLOBAL_QUOTA_DATA: self._global_quota,
            records.DOMAIN_DATA: self._domain,
            records.WATCH_DATA_EXTENDED: self._watch_extended,
            records.OUR_STORE: self._our_store,
            records.OUR_ACCOUNTS: self._our_accounts,
            records.OUR_SESSION: self._our_session,
        }

    def read(self) -> Image:
        at = self._preamble()
        while True:
            type, body, end = records.next_record(self._stream, at)
            if type in (records.NODE_DATA, records.OUR_NODE):
                end = self._read_nodes(at)
            elif type == records.END:
                break
            elif type in self._actions:
                self._actions[type](Reader(at, type, body))
            elif type not in self._noted:
                self._noted.add(type)
                self._note(f"records of the unknown type {type:#x} are left out")
            at = end
        if self._nodes is None:
            raise StreamError(at, None, "the stream has no nodes")
        self._nodes.finish()
        return self._finished()

    def _preamble(self) -> int:
        if len(self._stream) < records.PREAMBLE.size:
            raise StreamError(0, None, f"{len(self._stream)} bytes are no stream; one begins with 16")
        ident, version, flags = records.PREAMBLE.unpack_from(self._stream)
        if ident != records.IDENT:
            raise StreamError(0, None, f"a stream begins with {records.IDENT!r}, this one with {ident!r}")
        if version not in records.VERSIONS:
            raise StreamError(8, None, f"version {version}; this program reads 1 and 2")
        if flags != records.FLAGS:
            raise StreamError(
                12, None, f"flags {flags:#x}; in this machine's byte order they are {records.FLAGS:#x}"
            )
        self._version = version
        return records.PREAMBLE.size

    def _read_nodes(self, at: int) -> int:
        if self._nodes is None:
            self._nodes = NodeReader(self._store, self._image.generation)
        return self._nodes.read(self._stream, at)

    def _finished(self) -> Image:
        connections = self._connections.values()
        return self._image._replace(
            domain_quotas=self._domain_quotas,
            features_ahead=self._features_ahead,
            domains=tuple(each.domain() for each in connections if each.fd < 0),
            clients=tuple(Client(each.fd, each.state) for each in connections if each.fd >= 0),
        )

    # --- Xen's records ------------------------------------------------------------------------------------

    def _global(self, reader: Reader) -> None:
        socket_fd, event_fd = reader.take(records.GLOBAL)
        self._image = self._image._replace(socket_fd=socket_fd, event_fd=event_fd)

    def _connection(self, reader: Reader) -> None:
        number, type, fields, spec, in_size, left, out_size = reader.take(records.CONNECTION)
        given, output = reader.raw(in_size), reader.raw(out_size)
        _check_output(reader, left, output)
        domid, fd, target, port = 0, -1, records.NO_TARGET, 0
        if type == records.RING_TYPE:
            domid, target, port = records.RING_SPEC.unpack(spec)
            reader.domid(domid)
            if target != records.NO_TARGET:
                reader.domid(target)
            _in_range(reader, "port", port, _INT_MAX)
        elif type == records.SOCKET_TYPE:
            (fd,) = records.SOCKET_SPEC.unpack(spec)
            if fd < 0:
                raise reader.error(f"a socket with descriptor {fd}")
        else:
            raise reader.error(f"a connection of type {type}; 0 is a ring, 1 a socket")
        place = (fd < 0, domid if fd < 0 else fd)
        if number in self._connections or place in self._by_place:
            raise reader.error(f"a second connection {number}, or one of domain {domid}, descriptor {fd}")
        known = _Connection(domid, fd, None if target == records.NO_TARGET else target, given, output, left)
        self._connections[number] = self._by_place[place] = known
        known.local_port = port
        if fields & records.HAS_UNIQUE and self._version >= 2:
            reader.raw(-(records.CONNECTION.size + in_size + out_size) % 8)
            known.ring = Ring(unique=reader.take(records.UNIQUE)[0])

    def _watch(self, reader: Reader) -> None:
        number, path_size, token_size = reader.take(records.WATCH)
        self._add_watch(reader, number, path_size, token_size, -1)

    def _watch_extended(self, reader: Reader) -> None:
        number, path_size, token_size, depth, _ = reader.take(records.WATCH_EXTENDED)
        self._add_watch(reader, number, path_size, token_size, -1 if depth == records.ANY_DEPTH else depth)

    def _add_watch(self, reader: Reader, number: int, path_size: int, token_size: int, depth: int) -> None:
        connection = self._of(reader, number)
        path, token = reader.string(path_size), reader.string(token_size)
        if not check_path(path) or len(token) > PAYLOAD_MAX:
            raise reader.error(f"a watch on {path[:80]!r}: no such path is valid, or its token is too long")
        absolute = path if path[:1] in (b"/", b"@") else b"/local/domain/%d/%b" % (connection.domid, path)
        if (absolute, token) in connection.watches:
            raise reader.error(f"a second watch on {path!r} with the token {token!r}")
        connection.watches.add((absolute, token))
        connection.state["watches"].append((path, token, depth))

    def _transaction(self, reader: Reader) -> None:
        number, tx_id = reader.take(records.TRANSACTION)
        opened = self._of(reader, number).state["transactions"]
        if not 0 < tx_id <= _INT_MAX or tx_id in opened:
            raise reader.error(f"a transaction {tx_id}, which is no id, or open already")
        opened.append(tx_id)

    def _global_quota(self, reader: Reader) -> None:
        quotas = {**self._image.quotas, **reader.quotas(sum(reader.take(records.GLOBAL_QUOTA)))}
        self._image = self._image._replace(quotas=quotas)

    def _domain(self, reader: Reader) -> None:
        domid, count, features = reader.take(records.DOMAIN)
        _in_range(reader, "features", features, _INT_MAX)
        quotas = reader.quotas(count)
        if quotas:
            self._domain_quotas[domid] = quotas
        if self._version < 2:
            return
        known = self._by_place.get((True, domid))
        if known is not None:
            known.state["features"] = features
        elif features != FEATURES:
            self._features_ahead[reader.domid(domid)] = features

    # --- ours ---------------------------------------------------------------------------------------------

    def _our_store(self, reader: Reader) -> None:
        generation, ahead, reported = reader.take(records.STORE)
        if generation > _GENERATION_MAX:
            raise reader.error(f"generation {generation} is out of range")
        for _ in range(ahead):
            domid, features = reader.take(records.AHEAD)
            _in_range(reader, "features", features, _INT_MAX)
            self._features_ahead[reader.domid(domid)] = features
        told = frozenset(reader.domid(*reader.take(records.REPORTED)) for _ in range(reported))
        self._image = self._image._replace(generation=generation, reported_shutdowns=told)

    def _our_accounts(self, reader: Reader) -> None:
        self._image = self._image._replace(identities=dict(reader.all(records.IDENTITY)))

    def _our_session(self, reader: Reader) -> None:
        fields = reader.take(records.SESSION)
        number, last_tx_id, features, error, port, more, executed, sent, gfn = fields
        connection = self._of(reader, number)
        for name, value in (("transaction", last_tx_id), ("features", features), ("error", error)):
            _in_range(reader, name, value, _INT_MAX)
        for position in (executed, sent):
            _in_range(reader, "position", position, _POSITION_MAX)
        connection.state.update(
            last_tx_id=last_tx_id, features=features, executed_bytes=executed, sent_bytes=sent
        )
        connection.state["input"] += reader.raw(more)
        connection.ring = Ring(gfn, port, connection.ring.unique)
        connection.error = error
        connection.has_positions = True

    def _of(self, reader: Reader, number: int) -> _Connection:
        connection = self._connections.get(number)
        if connection is None:
            raise reader.error(f"connection {number} was not there before")
        return connection


def _in_range(reader: Reader, name: str, value: int, most: int) -> None:
    if value > most:
        raise reader.error(f"{name} {value} is not in 0 .. {most}")


def _check_output(reader: Reader, left: int, output: bytes) -> None:
    """What a message begun left over, then whole messages: as events are looked for in it."""
    at = left
    while at + HEADER.size <= len(output):
        type, _, _, size = HEADER.unpack_from(output, at)
        if size > PAYLOAD_MAX or (type == MessageType.WATCH_EVENT and size < 2):
            break
        at += HEADER.size + size
    if at != len(output):
        raise reader.error(
            f"the output of {len(output)} bytes is no sequence of messages after the first {left}"
        )
