"""Calls, errors, progress, lost connections: what both clients do."""

import os
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import trio

from tests.unit.xenclient.xend.conftest import Xend
from xenclient.xend.errors import BusError, ClientError, ConnectError, ConnectionLost, DeadlineError

Maker = Callable[..., Any]


@pytest.mark.trio
async def test_calls(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        hello = await client.hello("test")
        assert (hello["server"], hello["protocol"], hello["access"]) == ("xend", 1, "operate")
        assert await client.domains() == [{"domid": 0, "name": "Domain-0"}]
        assert await client.call("domain.list", domain=None) == [{"domid": 0, "name": "Domain-0"}]
        created = await client.create("name='a'", name="a.cfg", extra=["memory=64"], paused=True)
        assert created == {"operation": 1, "domid": 1, "name": "d1", "paused": True}
        assert toy.executed == ["name='a'"]


@pytest.mark.trio
async def test_errors(make_client: Maker, xend: Xend) -> None:
    async with xend.running(), make_client(xend.path) as client:
        with pytest.raises(BusError) as raised:
            await client.destroy("x")
        assert raised.value.code == "no_such_domain"
        assert raised.value.message == "there is no domain x"
        assert raised.value.fields == {"domain": "x", "hint": "xl list shows all"}
        assert str(raised.value) == "there is no domain x (xl list shows all)"
        with pytest.raises(BusError, match=r'no method "domain\.nil"'):
            await client.call("domain.nil")
        with pytest.raises(ClientError, match=r"domain.create: a parameter cannot be sent"):
            await client.create("\ud800")
        assert await client.domains()


@pytest.mark.trio
async def test_a_deadline_of_the_call_is_xends(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        with pytest.raises(BusError) as raised:
            await client.create("slow", deadline_s=0.01)
        assert raised.value.code == "no_answer"
        assert raised.value.fields["waited_s"] >= 0.01
        assert toy.cancelled == ["domain.create"]


@pytest.mark.trio
async def test_progress(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        maps: list[dict[str, Any]] = []
        toy.executed.append("somebody else's")
        created = await client.create("a", progress=maps.append)
        assert created["operation"] == 2
        assert [(each["operation"], each["step"]) for each in maps] == [(2, 0), (2, 1), (2, 2)]


@pytest.mark.trio
async def test_progress_is_of_this_operation_only(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        maps: list[dict[str, Any]] = []

        def progress(operation: dict[str, Any]) -> None:
            maps.append(operation)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.create("slow", progress=progress))
            while len(maps) < 3:
                await trio.lowlevel.checkpoint()
            toy.events.publish("operation", "step", operation={"operation": 9, "key": "other", "step": 7})
            toy.may_end.set()
        assert [each["step"] for each in maps] == [0, 1, 2]


@pytest.mark.trio
async def test_a_fault_in_a_callback_is_the_callers(make_client: Maker, xend: Xend) -> None:
    def fail(operation: dict[str, Any]) -> None:
        raise TypeError("of the caller's own")

    async with xend.running(), make_client(xend.path) as client:
        with pytest.raises(TypeError, match="of the caller's own"):
            await client.create("a", progress=fail)
        assert await client.domains()


@pytest.mark.trio
async def test_no_xend(make_client: Maker, xend: Xend) -> None:
    with pytest.raises(ConnectError) as raised:
        async with make_client(xend.path):
            pass
    assert str(raised.value) == f"no socket at {xend.path}: is xend running? ($XEND_SOCKET names another)"
    async with xend.running():
        os.link(xend.path, xend.path + ".left")
    with pytest.raises(ConnectError, match=r"nobody listens on .* is xend running"):
        async with make_client(xend.path + ".left"):
            pass


@pytest.mark.trio
async def test_the_environment_names_the_socket(
    make_client: Maker, xend: Xend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XEND_SOCKET", xend.path)
    async with xend.running(), make_client() as client:
        assert await client.domains()


@pytest.mark.trio
async def test_an_operation_whose_answer_was_lost_is_done_once(make_client: Maker, xend: Xend) -> None:
    async with make_client_of(make_client, xend) as client:
        results: list[Any] = []

        async def create() -> None:
            results.append(await client.create("slow"))

        async with trio.open_nursery() as nursery:
            async with xend.running() as toy:
                nursery.start_soon(create)
                await until(lambda: toy.executed == ["slow"])
            # The first xend forgets what it was doing; the second finishes it under its key.
            toy.executed.clear()
            toy.may_end.set()
            async with xend.running():
                await until(lambda: bool(results))
                assert toy.executed == ["slow"]
                assert results[0]["operation"] == 1


@pytest.mark.trio
async def test_what_asks_is_asked_again(make_client: Maker, xend: Xend) -> None:
    async with make_client_of(make_client, xend) as client:
        async with xend.running():
            assert await client.domains()
        async with xend.running():
            assert await client.domains()


@pytest.mark.trio
async def test_a_lost_xend_is_awaited_no_longer_than_said(make_client: Maker, xend: Xend) -> None:
    async with xend.running():
        manager = make_client(xend.path)
        client = await manager.__aenter__()
        assert await client.domains()
    client._link.timeout = 0.05  # not before xend has answered, which may take as long
    with pytest.raises(DeadlineError, match=r"gave up after 0.05 s on .*/socket, waiting for "):
        await client.domains()
    await manager.__aexit__(None, None, None)


@pytest.mark.trio
async def test_what_acts_is_not_done_twice(make_client: Maker, xend: Xend, nursery: trio.Nursery) -> None:
    seen: list[Any] = []

    async def hang_up(stream: trio.SocketStream) -> None:
        unpacker = msgpack.Unpacker()
        async with stream:
            while True:
                unpacker.feed(await stream.receive_some(4096))
                for message in unpacker:
                    seen.append(message[2])
                    return

    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(xend.path)
    sock.listen()
    nursery.start_soon(trio.serve_listeners, hang_up, [trio.SocketListener(sock)])
    async with make_client(xend.path) as client:
        with pytest.raises(ConnectionLost, match=r"operation.cancel 3: it may or may not have been executed"):
            await client.operation_cancel(3)
        assert seen == ["operation.cancel"]
        with pytest.raises(ConnectionLost, match=r"again, before it answered domain.list"):
            await client.domains()
        assert seen == ["operation.cancel", "domain.list", "domain.list"]
    nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_refused_connection_says_why(make_client: Maker, xend: Xend, nursery: trio.Nursery) -> None:
    async def refuse(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(4096)
            await stream.send_all(
                msgpack.packb([1, 0, {"code": "not_permitted", "message": "not you"}, None])
            )

    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(xend.path)
    sock.listen()
    nursery.start_soon(trio.serve_listeners, refuse, [trio.SocketListener(sock)])
    async with make_client(xend.path) as client:
        with pytest.raises(BusError) as raised:
            await client.create("a")
    assert (raised.value.code, str(raised.value)) == ("not_permitted", "not you")
    nursery.cancel_scope.cancel()


@pytest.mark.trio
@pytest.mark.parametrize("nonsense", [b"\xc1", b"\x07", b"\x90", b"\x94\x01\x01\xc0", b"\x93\x02\x01\x07"])
async def test_a_server_that_talks_nonsense(
    make_client: Maker, xend: Xend, nursery: trio.Nursery, nonsense: bytes
) -> None:
    async def talk(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(4096)
            await stream.send_all(nonsense)

    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(xend.path)
    sock.listen()
    nursery.start_soon(trio.serve_listeners, talk, [trio.SocketListener(sock)])
    async with make_client(xend.path) as client:
        with pytest.raises(ConnectionLost):
            await client.domains()
    nursery.cancel_scope.cancel()


def make_client_of(make_client: Maker, xend: Xend) -> Any:
    """A client of an xend that was there when it connected, and is stopped."""

    class Stopped:
        async def __aenter__(self) -> Any:
            async with xend.running():
                self.manager = make_client(xend.path)
                return await self.manager.__aenter__()

        async def __aexit__(self, *exc_info: object) -> None:
            await self.manager.__aexit__(*exc_info)

    return Stopped()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()
