"""Events and consoles, as both clients have them."""

import select
from collections.abc import Callable
from typing import Any

import pytest
import trio

from tests.unit.xenclient.xend.conftest import Xend
from xenclient.xend import blocking
from xenclient.xend.errors import BusError, ConnectionLost, DeadlineError

Maker = Callable[..., Any]


async def exhaust(call: Callable[[], Any]) -> None:
    while True:
        await call()


@pytest.mark.trio
async def test_events(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        toy.events.publish("domain", "created", name="before")
        async with client.events(kinds=["domain"]) as events:
            assert events.seq == 1
            toy.events.publish("device", "added")
            toy.events.publish("domain", "created", name="a")
            assert await events.next() == {"seq": 3, "kind": "domain", "what": "created", "name": "a"}
            toy.events.publish("domain", "created", name="b")
            async for event in events:
                assert event["name"] == "b"
                break
            assert events.seq == 4
            with pytest.raises(DeadlineError, match="waiting for an event"):
                await events.next(0.01)
        async with client.events(since=1) as events:
            assert [(await events.next())["seq"] for _ in range(3)] == [2, 3, 4]


@pytest.mark.trio
async def test_events_that_are_forgotten(make_client: Maker, xend: Xend) -> None:
    async with xend.running(), make_client(xend.path) as client:
        with pytest.raises(BusError) as raised:
            async with client.events(since=99):
                pass
        assert raised.value.code == "too_slow"


@pytest.mark.trio
async def test_store_watches(make_client: Maker, xend: Xend) -> None:
    async with (
        xend.running() as toy,
        make_client(xend.path) as client,
        client.events(watch=["/local"]) as events,
    ):
        toy.publish("/local/domain", "/local")
        assert (await events.next())["path"] == "/local/domain"


@pytest.mark.trio
async def test_a_stream_goes_on_over_a_lost_connection(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy:
        manager = make_client(xend.path)
        client = await manager.__aenter__()
        stream = client.events()
        events = await stream.__aenter__()
        toy.events.publish("domain", "1")
        assert (await events.next())["seq"] == 1
    toy.events.publish("domain", "2")
    async with xend.running():
        assert (await events.next())["seq"] == 2
        toy.events.publish("domain", "3")
        assert (await events.next())["seq"] == 3
        await stream.__aexit__(None, None, None)
        await manager.__aexit__(None, None, None)


@pytest.mark.trio
async def test_a_listener_that_falls_behind_is_told(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        async with client.events() as events:
            while toy.events._subscriptions:
                toy.events.publish("domain", "created", padding="x" * 1000)
                await trio.lowlevel.checkpoint()
            with pytest.raises(BusError, match="too many events wait unsent") as raised:
                await exhaust(events.next)
            assert raised.value.code == "too_slow"
            last = events.seq
        async with client.events(since=last) as events:
            assert (await events.next())["seq"] == last + 1


@pytest.mark.trio
async def test_a_console(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client:
        async with client.console("guest") as console:
            assert console.domid == 7
            assert await console.read() == b"login: "
            await console.write(b"ls\n")
            assert await console.read() == b"LS\n"
            assert await console.read(0.01) is None
            assert toy.viewers == 1
            await console.write(b"poweroff\n")
            assert await console.read() == b""
            assert await console.read() == b""
        while toy.viewers:
            await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_console_whose_xend_goes(make_client: Maker, xend: Xend) -> None:
    async with xend.running():
        manager = make_client(xend.path)
        client = await manager.__aenter__()
        stream = client.console(1)
        console = await stream.__aenter__()
        assert await console.read() == b"login: "
    with pytest.raises(ConnectionLost):
        await exhaust(console.read)
    with pytest.raises(ConnectionLost):
        await console.write(b"x")
    await stream.__aexit__(None, None, None)
    await manager.__aexit__(None, None, None)


@pytest.mark.trio
async def test_typing_much_at_once(make_client: Maker, xend: Xend) -> None:
    async with xend.running(), make_client(xend.path) as client, client.console(1) as console:
        for number in range(200):
            await console.write(b"%03d " % number)
        text = b""
        while not text.endswith(b"199 "):
            text += await console.read()
        assert text == b"login: " + b"".join(b"%03d " % number for number in range(200))


def select_by_hand(path: str) -> list[bytes]:
    """As xl console does it: standard input and the console in one select."""
    found = []
    with blocking.Client(path) as client, client.console("guest") as console:
        for typed in (b"a", b"b", b"poweroff\n"):
            while (data := console.read(0)) is None:
                select.select([console], [], [], 10)
            found.append(data)
            console.write(typed)
        while found[-1]:
            while (data := console.read(0)) is None:
                select.select([console.fileno()], [], [], 10)
            found.append(data)
    return found


@pytest.mark.trio
async def test_a_console_can_be_selected_on(xend: Xend) -> None:
    async with xend.running():
        found = await trio.to_thread.run_sync(select_by_hand, xend.path, abandon_on_cancel=True)
    assert found == [b"login: ", b"A", b"B", b""]


@pytest.mark.trio
async def test_what_xend_refuses_of_what_is_typed_is_heard_later(make_client: Maker, xend: Xend) -> None:
    async with xend.running() as toy, make_client(xend.path) as client, client.console(1) as console:
        assert await console.read() == b"login: "
        toy._viewers.clear()
        toy._viewers[2] = toy._viewers[3] = None  # type: ignore[assignment]
        with pytest.raises(BusError, match="no console 1"):
            await exhaust(lambda: console.write(b"x"))
        toy._viewers[1] = None  # type: ignore[assignment]
