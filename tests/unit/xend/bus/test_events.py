"""The event stream: order, resuming, forgetting, falling behind, store watches."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, wait_all_tasks_blocked

from tests.unit.xend.bus.toy import Toy, Wire, bus
from xend.bus import EventLog, serve
from xend.bus.events import UNSENT_MAX
from xend.errors import XendError


async def event(wire: Wire) -> dict[str, Any]:
    kind, method, (fields,) = await wire.receive()
    assert (kind, method) == (2, "event")
    assert isinstance(fields, dict)
    return fields


@pytest.mark.trio
async def test_events_come_in_order_to_all_who_listen() -> None:
    toy = Toy(last_seq=40)
    async with bus(toy) as connect:
        first, second = connect(), connect("read")
        assert await first.ask(1, "events.subscribe") == [1, 1, None, {"seq": 40}]
        assert await second.ask(1, "events.subscribe", kinds=["device"]) == [1, 1, None, {"seq": 40}]
        assert toy.events.publish("domain", "created", domid=1, name="a") == 41
        assert toy.events.publish("device", "added", domid=1, device="vif 0") == 42
        assert await event(first) == {"seq": 41, "kind": "domain", "what": "created", "domid": 1, "name": "a"}
        assert (await event(first))["seq"] == 42
        assert (await event(second))["device"] == "vif 0"


@pytest.mark.trio
async def test_an_event_is_as_it_was_when_it_happened() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "events.subscribe")
        steps = ["a"]
        toy.events.publish("operation", "started", operation={"steps": steps})
        steps.append("b")
        assert (await event(wire))["operation"] == {"steps": ["a"]}


@pytest.mark.trio
async def test_resuming_misses_nothing() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        for number in range(5):
            toy.events.publish("domain" if number % 2 else "device", str(number))
        wire = connect()
        assert (await wire.ask(1, "events.subscribe", since=2))[3] == {"seq": 2}
        toy.events.publish("domain", "5")
        assert [(await event(wire))["seq"] for _ in range(4)] == [3, 4, 5, 6]
        assert (await connect().ask(1, "events.subscribe", since=6))[3] == {"seq": 6}
        some = connect()
        await some.ask(1, "events.subscribe", since=0, kinds=["domain"])
        assert [(await event(some))["seq"] for _ in range(3)] == [2, 4, 6]


def test_what_is_forgotten_cannot_be_resumed() -> None:
    log = EventLog(kept=3, last_seq=100)
    for number in range(5):
        log.publish("domain", str(number))
    log.subscribe(since=102)
    for since, text in [
        (101, "events after 101 are no longer kept: the oldest is 103"),
        (0, "events after 0 are no longer kept: the oldest is 103"),
        (106, "event 106 has not happened: the last is 105"),
    ]:
        with pytest.raises(XendError) as raised:
            log.subscribe(since=since)
        assert (raised.value.code, raised.value.message) == ("too_slow", text)


def test_an_event_of_an_earlier_xend_cannot_be_resumed() -> None:
    log = EventLog(last_seq=1000)
    log.subscribe(since=1000)
    with pytest.raises(XendError, match="events after 17 are no longer kept: the oldest is 1001"):
        log.subscribe(since=17)


@pytest.mark.trio
async def test_a_refused_resumption_leaves_the_connection_and_its_stream() -> None:
    toy = Toy(last_seq=10)
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "events.subscribe")
        assert (await wire.ask(2, "events.subscribe", since=3))[2]["code"] == "too_slow"
        toy.events.publish("domain", "created")
        assert (await event(wire))["seq"] == 11


@pytest.mark.trio
async def test_subscribing_again_replaces_and_unsubscribing_ends() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "events.subscribe")
        await wire.ask(2, "events.subscribe", kinds=["device"])
        toy.events.publish("domain", "created")
        toy.events.publish("device", "added")
        assert (await event(wire))["seq"] == 2
        assert await wire.ask(3, "events.unsubscribe") == [1, 3, None, {}]
        toy.events.publish("device", "removed")
        assert (await wire.ask(4, "hello"))[1] == 4
        assert toy.events._subscriptions == {}


@pytest.mark.trio
async def test_of_many_subscriptions_at_once_one_stays() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.send(*([0, id, "events.subscribe", [{"watch": ["/"]}]] for id in range(40)))
        answers = [await wire.receive() for _ in range(40)]
        assert [answer[2:] for answer in answers] == [[None, {"seq": 0}]] * 40
        await wait_all_tasks_blocked()
        assert len(toy.events._subscriptions) == 1
        toy.events.publish("domain", "created")
        assert (await event(wire))["seq"] == 1
        assert (await wire.ask(50, "hello"))[1] == 50


@pytest.mark.trio
async def test_a_stream_ends_with_its_connection() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "events.subscribe")
        assert len(toy.events._subscriptions) == 1
        await wire.stream.aclose()
        await wait_all_tasks_blocked()
        assert toy.events._subscriptions == {}


@pytest.mark.trio
async def test_a_listener_that_falls_behind_is_told_and_cut_off(autojump_clock: MockClock) -> None:
    toy = Toy()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve, [], toy.methods(), toy.log.append)
        ours, theirs = lockstep_stream_pair()  # holds nothing: who does not read stops the sender
        nursery.start_soon(server.converse, theirs)
        wire = Wire(ours)
        await wire.ask(1, "events.subscribe")
        sent = 0
        while toy.events._subscriptions:
            toy.events.publish("domain", "created", padding="x" * 200)
            sent += 1
            await wait_all_tasks_blocked()
        assert sent >= UNSENT_MAX
        seqs = []
        while (fields := await event(wire))["kind"] != "end":
            seqs.append(fields["seq"])
        assert seqs == list(range(1, len(seqs) + 1))
        assert (fields["code"], fields["seq"]) == ("too_slow", seqs[-1])
        assert await wire.receive() is None
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_listener_that_never_reads_is_closed_all_the_same(autojump_clock: MockClock) -> None:
    toy = Toy()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve, [], toy.methods(), toy.log.append)
        ours, theirs = lockstep_stream_pair()
        done = trio.Event()

        async def converse() -> None:
            await server.converse(theirs)
            done.set()

        nursery.start_soon(converse)
        wire = Wire(ours)
        await wire.ask(1, "events.subscribe")
        while toy.events._subscriptions:
            toy.events.publish("domain", "created")
        await done.wait()
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_backlog_longer_than_may_wait_is_no_falling_behind() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        for _ in range(3 * UNSENT_MAX):
            toy.events.publish("domain", "created")
        wire = connect()
        await wire.ask(1, "events.subscribe", since=0)
        assert [(await event(wire))["seq"] for _ in range(3 * UNSENT_MAX)] == list(
            range(1, 3 * UNSENT_MAX + 1)
        )


@pytest.mark.trio
async def test_store_watches_are_events_of_who_asked() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire, other = connect(), connect()
        await other.ask(1, "events.subscribe")
        assert (await wire.ask(1, "events.subscribe", kinds=["domain"], watch=["/local", "@releaseDomain"]))[
            2
        ] is None
        assert toy.watched == ["/local", "@releaseDomain"]
        toy.publish("/local/domain/1", "/local")
        toy.events.publish("domain", "created")
        assert await event(wire) == {
            "seq": 1, "kind": "store", "what": "changed", "path": "/local/domain/1", "token": "/local"
        }  # fmt: skip
        assert (await event(wire))["seq"] == 2
        assert (await event(other))["seq"] == 2


@pytest.mark.trio
async def test_watches_that_cannot_be_set_fail_the_call() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        _, _, error, _ = await wire.ask(1, "events.subscribe", watch=["no path"])
        assert error == {"code": "store_failed", "message": "cannot watch no path", "cause": "EINVAL"}
        assert (await wire.ask(2, "hello"))[2] is None
        assert toy.events._subscriptions == {}


@pytest.mark.trio
async def test_watches_that_fail_later_end_the_stream() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "events.subscribe", watch=["/"])
        toy.fail_watches.set()
        assert await event(wire) == {
            "kind": "end", "code": "store_failed", "message": "the store is gone", "seq": 0
        }  # fmt: skip
        assert await wire.receive() is None
