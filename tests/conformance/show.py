"""Messages as a person reads them in a failure."""

from tests.conformance.table import Row
from tests.conformance.words import Action, Like, Raw, Signal
from tests.peers.wire import Message
from xenstore.wire import TYPE_NAMES
from xenstore.wire import MessageType as Type

#: Longer payloads are cut in the middle.
PAYLOAD_SHOWN = 160


def show(what: object) -> str:
    """A list of messages, one a line if there are several; anything else by its repr."""
    if not isinstance(what, list):
        return repr(what)
    if not what:
        return "nothing"
    return "\n                     ".join(_show_one(one) for one in what)


def show_sent(row: Row) -> str:
    """What a row sends."""
    match row.what:
        case Action(name, arguments):
            return f"({name.replace('_', ' ')} {' '.join(map(str, arguments))})"
        case Raw(data):
            return f"bytes {_cut(data)}"
        case request:
            transaction = f" in transaction {row.tx}" if row.tx else ""
            return f"{_type(request.type)} {_cut(request.payload)}{transaction}"


def _show_one(what: object) -> str:
    match what:
        case Message(Type.WATCH_EVENT, req_id, tx_id, payload):
            parts = payload.split(b"\0")
            return f"event {_ascii(parts[0])} token {_ascii(b'|'.join(parts[1:-1]))}{_ids(req_id, tx_id)}"
        case Message(Type.ERROR, req_id, tx_id, payload):
            return f"error {_ascii(payload.rstrip(chr(0).encode()))}{_ids(req_id, tx_id)}"
        case Message(type, req_id, tx_id, payload):
            return f"{_type(type)} {_cut(payload)}{_ids(req_id, tx_id)}"
        case Like(pattern, unlike):
            return f"a reply like {_cut(pattern)}" + (f", unlike the {unlike} before" if unlike else "")
        case Signal(name):
            return f"({name})"
    return repr(what)


def _ids(req_id: int, tx_id: int) -> str:
    return f"   [req_id {req_id}, tx_id {tx_id}]" if req_id or tx_id else ""


def _type(number: int) -> str:
    return TYPE_NAMES.get(number, f"type {number}")


def _ascii(data: bytes) -> str:
    return data.decode("ascii", "backslashreplace")


def _cut(data: bytes) -> str:
    if len(data) <= PAYLOAD_SHOWN:
        return repr(data)
    half = PAYLOAD_SHOWN // 2
    return f"{data[:half]!r} ... {data[-half:]!r} ({len(data)} bytes)"
