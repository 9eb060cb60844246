"""xenconsoled's view of the host: whose consoles it serves, and which not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.unit.xend.console.world import Host, domain, serving, write_nodes
from xenclient.store.aio import Client
from xend.console.follow import Follower
from xend.console.service import Consoles


def play(body: Callable[[Host], Awaitable[None]]) -> None:
    trio.run(body, Host(), clock=MockClock(autojump_threshold=0))


@asynccontextmanager
async def following(host: Host) -> AsyncIterator[tuple[Consoles, Client]]:
    async with serving(host) as (consoles, store), trio.open_nursery() as nursery:
        nursery.start_soon(Follower(host, store, consoles, host.lines.append).run)
        yield consoles, store
        nursery.cancel_scope.cancel()


async def introduce(host: Host) -> None:
    host.store.event(b"@introduceDomain", 1)
    await trio.sleep(0.1)


async def release(host: Host) -> None:
    host.store.event(b"@releaseDomain", 1)
    await trio.sleep(0.1)


def test_domains_come_and_go() -> None:
    async def body(host: Host) -> None:
        host.start(1)
        async with following(host) as (consoles, store):
            await write_nodes(store, 1, "foo")
            await trio.sleep(0.1)
            assert consoles.domids == [1], "one that was there before"
            host.start(2)
            await introduce(host)
            assert consoles.domids == [1], "not yet: no nodes"
            await write_nodes(store, 2, "bar")
            await trio.sleep(0.1)
            assert consoles.domids == [1, 2]
            assert await store.read("/local/domain/2/console/tty") == b"/dev/pts/1"
            viewer = consoles.attach(1, 100)
            del host.alive[1]
            await release(host)
            assert consoles.domids == [2]
            assert host.rings[1].closed
            assert await viewer.receive() == b""
        assert host.lines == []

    play(body)


def test_a_dying_domain_is_let_go_of() -> None:
    """It stays a zombie as long as its console page is mapped."""

    async def body(host: Host) -> None:
        ring = host.start(1)
        async with following(host) as (_, store):
            await write_nodes(store, 1, "foo")
            await trio.sleep(0.1)
            host.alive[1] = domain(1, host.alive[1].uuid, is_dying=True)
            await release(host)
            assert ring.closed

    play(body)


def test_another_domain_with_the_same_domid() -> None:
    async def body(host: Host) -> None:
        old = host.start(1)
        async with following(host) as (consoles, store):
            await write_nodes(store, 1, "foo")
            await trio.sleep(0.1)
            new = host.start(1, uuid="11111111-2222-3333-4444-555555555555")
            await introduce(host)
            assert old.closed
            assert consoles.domids == [1]
            new.say(b"new")
            assert await consoles.attach(1, 100).receive() == b"new"

    play(body)


@pytest.mark.parametrize(
    ("nodes", "served"),
    [
        ({}, True),
        ({"type": ""}, True),
        ({"type": "ioemu"}, False),
        ({"type": "xenconsoled2"}, False),
        ({"port": ""}, False),
        ({"port": "-1"}, False),
        ({"ring_ref": "0x77"}, False),
        ({"ring_ref": "7" * 400}, False),
        ({"limit": "garbage"}, True),
        ({"limit": "9" * 400}, True),
        ({"limit": "0"}, True),
    ],
)
def test_which_consoles_are_ours(nodes: dict[str, str], served: bool) -> None:
    async def body(host: Host) -> None:
        host.start(1)
        async with following(host) as (consoles, store):
            await write_nodes(store, 1, "foo", **nodes)
            await trio.sleep(0.1)
            assert (consoles.domids == [1]) == served

    play(body)


def test_dom0_has_none() -> None:
    async def body(host: Host) -> None:
        host.start(0)
        async with following(host) as (consoles, store):
            await write_nodes(store, 0, "Domain-0")
            await trio.sleep(0.1)
            assert consoles.domids == []

    play(body)


def test_a_console_that_changes_hands_or_place() -> None:
    async def body(host: Host) -> None:
        first = host.start(1)
        async with following(host) as (consoles, store):
            await write_nodes(store, 1, "foo")
            await trio.sleep(0.1)
            await store.write("/local/domain/1/console/type", "ioemu")
            await trio.sleep(0.1)
            assert first.closed
            assert consoles.domids == []
            second = host.start(1)
            await store.write("/local/domain/1/console/type", "xenconsoled")
            await trio.sleep(0.1)
            assert consoles.domids == [1]
            third = host.start(1)
            await store.write("/local/domain/1/console/port", "3")
            await trio.sleep(0.1)
            assert second.closed
            third.say(b"third")
            assert await consoles.attach(1, 100).receive() == b"third"

    play(body)


def test_a_ring_that_cannot_be_opened_is_said_and_tried_again_when_something_changes() -> None:
    async def body(host: Host) -> None:
        host.start(1)
        ring = host.rings.pop(1)
        async with following(host) as (consoles, store):
            await write_nodes(store, 1, "foo")
            await trio.sleep(0.1)
            assert host.lines
            assert "no domain 1" in host.lines[0]
            host.rings[1] = ring
            await store.write("/local/domain/1/console/port", "3")
            await trio.sleep(0.1)
            assert consoles.domids == [1]

    play(body)


def test_our_own_writing_of_tty_is_no_reason_to_begin_anew() -> None:
    async def body(host: Host) -> None:
        host.start(1)
        async with following(host) as (_, store):
            await write_nodes(store, 1, "foo")
            await trio.sleep(100)
            assert len(host.ptys) == 1

    play(body)
