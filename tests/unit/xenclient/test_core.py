"""The connection without I/O: framing, matching, loss."""

import pytest

from xenclient.store.core import ANSWER_MAX_BYTES, Connection, Request
from xenclient.store.errors import ConnectionLost
from xenstore.errors import E2BIG, EAGAIN, EINVAL, ENOENT
from xenstore.wire import HEADER, MessageType, pack

READ_A = Request(MessageType.READ, b"/a\0")


def connection() -> tuple[Connection, list[tuple[bytes, bytes]]]:
    events: list[tuple[bytes, bytes]] = []
    return Connection(lambda path, token: events.append((path, token))), events


def sent(conn: Connection) -> list[tuple[int, int, int, bytes]]:
    """Take all that is to be sent: (type, request id, transaction id, payload)."""
    data = bytes(conn.outgoing)
    conn.sent(len(data))
    messages = []
    while data:
        type, req_id, tx_id, size = HEADER.unpack_from(data)
        messages.append((type, req_id, tx_id, data[16 : 16 + size]))
        data = data[16 + size :]
    return messages


#: What the server sends to a client with requests 1 (READ), 2 (DIRECTORY) and 3 (WRITE) under way.
STREAM = b"".join(
    (
        pack(MessageType.WATCH_EVENT, b"/a\0t\0"),
        pack(MessageType.READ, b"v\0w", req_id=1),
        pack(MessageType.WATCH_EVENT, b"@releaseDomain\0\0"),
        pack(MessageType.ERROR, b"ENOENT\0", req_id=3),
        pack(MessageType.DIRECTORY, b"", req_id=2),
    )
)


@pytest.mark.parametrize(
    "cuts", [(cut,) for cut in range(len(STREAM) + 1)] + [tuple(range(len(STREAM)))], ids=len
)
def test_answers_and_events_however_the_bytes_are_cut(cuts: tuple[int, ...]) -> None:
    conn, events = connection()
    done: list[str] = []
    read = conn.call(READ_A, lambda: done.append("read"))
    directory = conn.call(Request(MessageType.DIRECTORY, b"/a\0"), lambda: done.append("directory"))
    write = conn.call(Request(MessageType.WRITE, b"/b/c\0x"), lambda: done.append("write"))
    for start, end in zip((0, *cuts), (*cuts, len(STREAM)), strict=True):
        conn.receive(STREAM[start:end])
    assert done == ["read", "write", "directory"]
    assert read.result() == b"v\0w"
    assert directory.result() == b""
    with pytest.raises(ENOENT, match=r"^WRITE /b/c: ENOENT"):
        write.result()
    assert events == [(b"/a", b"t"), (b"@releaseDomain", b"")]
    assert not conn.lost


def test_requests_are_framed_with_ids_of_their_own() -> None:
    conn, _ = connection()
    conn.call(READ_A)
    conn.call(Request(MessageType.WRITE, b"/a\0x", 5, conn))
    assert sent(conn) == [(MessageType.READ, 1, 0, b"/a\0"), (MessageType.WRITE, 2, 5, b"/a\0x")]


def test_request_ids_in_use_are_passed_over_when_they_wrap() -> None:
    conn, _ = connection()
    conn.call(READ_A)
    conn._req_id = 0xFFFFFFFE
    conn.call(READ_A)
    conn.call(READ_A)
    assert [req_id for _, req_id, _, _ in sent(conn)] == [1, 0xFFFFFFFF, 2]


def test_a_request_that_fits_no_message_is_refused_here() -> None:
    conn, _ = connection()
    conn.call(Request(MessageType.WRITE, b"/a\0" + b"x" * 4093))
    with pytest.raises(E2BIG, match="WRITE /a: 4097 bytes"):
        conn.call(Request(MessageType.WRITE, b"/a\0" + b"x" * 4094))


def test_an_unknown_errno_is_einval_and_named() -> None:
    conn, _ = connection()
    call = conn.call(READ_A)
    conn.receive(pack(MessageType.ERROR, b"EQUOTA\0", req_id=1))
    with pytest.raises(EINVAL, match=r"READ /a .*EQUOTA"):
        call.result()


NONSENSE = [
    (pack(MessageType.READ, b"", req_id=9), "answers no request"),
    (pack(MessageType.WRITE, b"OK\0", req_id=1), "answers no request"),
    (HEADER.pack(MessageType.READ, 1, 0, ANSWER_MAX_BYTES + 1), "1048577 bytes"),
]


@pytest.mark.parametrize(("data", "reason"), NONSENSE)
def test_nonsense_loses_the_connection(data: bytes, reason: str) -> None:
    conn, _ = connection()
    call = conn.call(READ_A)
    sent(conn)
    conn.receive(data)
    assert reason in conn.lost
    assert call.done
    assert call.lost


#: What a lost call raises when it was sent in part, and when it was sent whole; None: it may be repeated.
LOST = [
    (READ_A, None, None),
    (Request(MessageType.DIRECTORY, b"/a\0"), None, None),
    (Request(MessageType.WATCH, b"/a\0t\0"), None, None),
    (Request(MessageType.TRANSACTION_START, b"\0"), None, None),
    (Request(MessageType.WRITE, b"/a\0x"), None, None),
    (Request(MessageType.MKDIR, b"/a\0"), None, None),
    (Request(MessageType.RM, b"/a\0"), None, None),
    (Request(MessageType.SET_PERMS, b"/a\0n0\0"), None, None),
    (Request(MessageType.INTRODUCE, b"1\0001\0001\0"), None, ConnectionLost),
    (Request(MessageType.RELEASE, b"1\0"), None, ConnectionLost),
    (Request(MessageType.CONTROL, b"check\0"), None, ConnectionLost),
    (Request(MessageType.READ, b"/a\0", 5), EAGAIN, EAGAIN),
    (Request(MessageType.WRITE, b"/a\0x", 5), EAGAIN, EAGAIN),
    (Request(MessageType.TRANSACTION_END, b"T\0", 5), EAGAIN, ConnectionLost),
    (Request(MessageType.TRANSACTION_END, b"F\0", 5), EAGAIN, EAGAIN),
]


@pytest.mark.parametrize(("request_", "in_part", "whole"), LOST, ids=lambda value: str(value)[:40])
def test_what_a_lost_call_may_have_done(
    request_: Request, in_part: type[Exception] | None, whole: type[Exception] | None
) -> None:
    for expected, left in ((in_part, 1), (whole, 0)):
        conn, _ = connection()
        call = conn.call(Request(request_.type, request_.payload, request_.tx_id, conn))
        conn.sent(len(conn.outgoing) - left)
        conn.lose("the server went away")
        assert call.lost
        if expected is None:
            call.check_repeatable(conn.lost)
        else:
            with pytest.raises(expected, match="the server went away"):
                call.check_repeatable(conn.lost)


def test_a_transaction_belongs_to_its_connection() -> None:
    first, _ = connection()
    second, _ = connection()
    with pytest.raises(EAGAIN):
        second.call(Request(MessageType.READ, b"/a\0", 1, first))


def test_the_late_answer_of_an_abandoned_call_is_dropped() -> None:
    conn, _ = connection()
    call = conn.call(READ_A, lambda: pytest.fail("nobody waits"))
    sent(conn)
    conn.abandon(call)
    conn.receive(pack(MessageType.READ, b"v", req_id=1))
    assert not conn.outgoing
    assert not conn.lost


ABANDONED = [
    (Request(MessageType.TRANSACTION_START, b"\0"), b"7\0", (MessageType.TRANSACTION_END, 2, 7, b"F\0")),
    (Request(MessageType.WATCH, b"/a\0t\0001\0"), b"OK\0", (MessageType.UNWATCH, 2, 0, b"/a\0t\0")),
]


@pytest.mark.parametrize(("request_", "answer", "undo"), ABANDONED, ids=["transaction", "watch"])
@pytest.mark.parametrize("order", ["abandoned first", "answered first"])
def test_what_an_abandoned_call_leaves_behind_is_taken_back(
    request_: Request, answer: bytes, undo: tuple[int, int, int, bytes], order: str
) -> None:
    conn, _ = connection()
    call = conn.call(Request(request_.type, request_.payload))
    sent(conn)
    reply = pack(request_.type, answer, req_id=1)
    if order == "abandoned first":
        conn.abandon(call)
        conn.receive(reply)
    else:
        conn.receive(reply)
        conn.abandon(call)
    assert sent(conn) == [undo]


def test_nothing_is_taken_back_of_what_was_refused() -> None:
    conn, _ = connection()
    call = conn.call(Request(MessageType.WATCH, b"/a\0t\0"))
    sent(conn)
    conn.abandon(call)
    conn.receive(pack(MessageType.ERROR, b"EEXIST\0", req_id=1))
    assert not conn.outgoing
