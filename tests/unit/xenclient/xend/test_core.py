"""The protocol without I/O, and which socket is used."""

import errno
from typing import Any

import msgpack
import pytest
import trio

from tests.unit.xenclient.xend.conftest import Xend
from xenclient.xend import aio
from xenclient.xend.aio_link import TrioLink, connect_socket
from xenclient.xend.core import Connection, Request
from xenclient.xend.errors import BusError, ConnectError, ConnectionLost


def all_to_send(connection: Connection) -> list[Any]:
    unpacker = msgpack.Unpacker()
    while data := connection.to_send():
        unpacker.feed(data[:3])
        connection.sent(len(data[:3]))
    return list(unpacker)


def test_answers_find_their_calls_byte_by_byte() -> None:
    connection = Connection()
    first, second = (
        connection.call(Request("domain.list")),
        connection.call(Request("hello", {"client": "x"})),
    )
    assert not first.sent
    assert all_to_send(connection) == [
        [0, 1, "domain.list", []],
        [0, 2, "hello", [{"client": "x"}]],
    ]
    assert first.sent
    answers = b"".join(
        map(
            msgpack.packb,
            ([2, "event", [{"seq": 1}]], [1, 2, None, {"a": 1}], [1, 1, {"code": "busy"}, None]),
        )
    )
    for byte in answers:
        assert not (first.done and second.done)
        connection.receive(bytes([byte]))
    assert second.result() == {"a": 1}
    with pytest.raises(BusError, match="no reason given") as raised:
        first.result()
    assert raised.value.code == "busy"
    assert connection.notifications == [("event", {"seq": 1})]
    assert connection.lost == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1", "xend sent what is no message"),
        (b"\x07", "xend sent what is no message"),
        (b"\x90", "xend sent what is no message"),
        (b"\x93\x02\xa1n\x90", "xend sent what is no message"),
        (b"\x94\x01\x09\xc0\xc0", "xend answered what was not asked"),
        (b"\x94\x01\x00\x80\xc0", "xend answered what was not asked"),
        (b"\x94\x01\x00\x81\xa7message\xa5never\xc0", "xend ended the connection (never)"),
    ],
)
def test_nonsense_loses_the_connection_and_its_calls(data: bytes, reason: str) -> None:
    connection = Connection()
    call = connection.call(Request("hello"))
    connection.receive(data)
    assert connection.lost.startswith(reason)
    assert call.done
    assert call.lost
    assert connection.call(Request("hello")).lost


@pytest.mark.parametrize(
    ("method", "params", "repeatable", "keyed"),
    [
        ("domain.list", {}, True, False),
        ("host.dmesg", {}, True, False),
        ("host.dmesg", {"clear": True}, False, False),
        ("domain.create", {"text": ""}, True, True),
        ("domain.set_memory", {}, True, True),
        ("console.write", {}, False, False),
        ("operation.cancel", {}, False, False),
        ("operation.wait", {}, True, False),
        ("vcpu.list", {}, True, False),
    ],
)
def test_what_may_be_sent_again(method: str, params: dict[str, Any], repeatable: bool, keyed: bool) -> None:
    request = Request(method, params)
    assert request.is_repeatable is repeatable
    assert ("key" in request.params) is keyed
    call = Connection().call(request)
    call.check_repeatable("not sent yet")
    call.sent = True
    if not repeatable:
        with pytest.raises(ConnectionLost, match=r"gone before it answered .* may or may not"):
            call.check_repeatable("gone")


def test_keys_differ_and_may_be_given() -> None:
    assert Request("domain.create").params["key"] != Request("domain.create").params["key"]
    assert Request("domain.create", {"key": "mine"}).params["key"] == "mine"


def test_errors_are_one_line() -> None:
    error = BusError.from_map({"code": "x", "message": "two\nlines", "cause": "c", "hint": "h", "step": "s"})
    assert str(error) == "two lines: c (h)"
    assert error.fields == {"cause": "c", "hint": "h", "step": "s"}


def forbidden(path: str) -> ConnectError:
    return ConnectError(f"no permission to connect to {path}", errno.EACCES, path)


@pytest.mark.trio
async def test_who_may_only_read_reads(xend: Xend) -> None:
    def connect(path: str) -> trio.abc.Stream:
        if not path.endswith("_ro"):
            raise forbidden(path)
        return connect_socket(path)

    async with xend.running(), aio.Client(xend.path, connect=connect) as client:
        assert (await client.hello())["access"] == "read"
        assert await client.domains()
        with pytest.raises(ConnectError, match=f"no permission to connect to {xend.path}$"):
            await client.destroy("x")
        async with client.events() as events:
            xend.toy.events.publish("domain", "created")
            assert (await events.next())["seq"] == 1


def test_who_may_not_even_read_hears_of_the_first_socket() -> None:
    def connect(path: str) -> trio.abc.Stream:
        tried.append(path)
        raise forbidden(path)

    tried: list[str] = []
    with pytest.raises(ConnectError, match=r"no permission to connect to /run/x/socket$"):
        trio.run(TrioLink("/run/x/socket", 1.0, connect).open)
    assert tried == ["/run/x/socket", "/run/x/socket_ro"]
