"""Conversations: what is asked, in what order it is answered, and what ends a connection."""

import msgpack
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.unit.xend.bus.toy import Toy, bus
from xend.bus.output import NOTIFICATIONS_MAX
from xend.bus.request_loop import CALLS_MAX


@pytest.mark.trio
async def test_hello_tells_what_may_be_called() -> None:
    async with bus(Toy()) as connect:
        answer = await connect("read").ask(7, "hello", client="test", version=1)
        assert answer == [
            1, 7, None,
            {
                "server": "xend", "version": "0.1.0", "hypervisor": "toy", "protocol": 1, "access": "read",
                "methods": ["domain.list", "events.subscribe", "events.unsubscribe", "hello",
                            "operation.wait", "test.fault", "test.nursery", "test.undone", "test.unsayable"],
            },
        ]  # fmt: skip
        answer = await connect().ask(8, "hello")
        assert answer[3]["access"] == "operate"
        assert "domain.create" in answer[3]["methods"]


@pytest.mark.trio
async def test_a_version_that_is_not_spoken() -> None:
    async with bus(Toy()) as connect:
        _, _, error, result = await connect().ask(1, "hello", version=2)
        assert result is None
        assert error == {
            "code": "unsupported",
            "message": "version 2 of the protocol is not spoken here, only 1",
        }


@pytest.mark.trio
async def test_errors_are_maps_and_the_connection_goes_on() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        refused = {
            "code": "no_such_domain",
            "message": "there is no domain x",
            "domain": "x",
            "hint": "xl list shows all",
        }
        assert await wire.ask(1, "domain.destroy", domain="x") == [1, 1, refused, None]
        assert (await wire.ask(2, "domain.lst"))[2]["code"] == "bad_request"
        assert (await wire.ask(3, "domain.list", bad=1))[2]["code"] == "bad_request"
        assert (await wire.ask(4, "domain.list"))[2:] == [None, [{"domid": 0, "name": "Domain-0"}]]


@pytest.mark.trio
async def test_the_reading_socket_only_reads() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect("read")
        for method in ("domain.create", "domain.destroy", "console.attach", "console.write"):
            _, _, error, _ = await wire.ask(1, method, text="x")
            assert error["code"] == "not_permitted", method
        _, _, error, _ = await wire.ask(2, "events.subscribe", watch=["/"])
        assert error["code"] == "not_permitted"
        assert toy.executed == []
        assert toy.watched == []


@pytest.mark.trio
@pytest.mark.parametrize("method", ["test.fault", "test.unsayable"])
async def test_a_fault_of_ours_is_logged_and_answered(method: str) -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        _, id, error, _ = await wire.ask(5, method)
        assert (id, error["code"]) == (5, "internal")
        assert "Traceback" not in str(error)
        assert len(toy.log) == 1
        assert f"call {method}: Traceback" in toy.log[0]
        assert (await wire.ask(6, "hello"))[2] is None


@pytest.mark.trio
async def test_answers_come_as_calls_end() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.send([0, 1, "domain.create", [{"text": "slow"}]], [0, 2, "hello", []])
        assert (await wire.receive())[1] == 2
        toy.may_end.set()
        assert (await wire.receive())[1] == 1


@pytest.mark.trio
async def test_notifications_of_a_client_are_ignored() -> None:
    async with bus(Toy()) as connect:
        wire = connect()
        await wire.send([2, "domain.create", [{"text": "x"}]], [2, "?", []])
        assert (await wire.ask(1, "hello"))[1] == 1


@pytest.mark.trio
async def test_nonsense_ends_the_connection_after_an_error_and_no_other() -> None:
    async with bus(Toy()) as connect:
        good, bad = connect(), connect()
        await bad.stream.send_all(msgpack.packb([0, 9, "hello", []]) + b"\xc1")
        kind, id, error, result = await bad.receive()
        assert (kind, id, error["code"], result) == (1, 0, "bad_request", None)
        while await bad.receive() is not None:
            pass
        assert (await good.ask(1, "hello"))[2] is None


@pytest.mark.trio
async def test_only_so_many_calls_run_at_a_time() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire, other = connect(), connect()
        for id in range(CALLS_MAX + 3):
            await wire.send([0, id, "domain.create", [{"text": "slow", "key": str(id)}]])
        await wait_all_tasks_blocked()
        assert len(toy.executed) == CALLS_MAX
        assert (await other.ask(1, "hello"))[2] is None
        toy.may_end.set()
        ids = {(await wire.receive())[1] for _ in range(CALLS_MAX + 3)}
        assert ids == set(range(CALLS_MAX + 3))
        assert len(toy.executed) == CALLS_MAX + 3


@pytest.mark.trio
async def test_a_deadline_cancels_the_call(autojump_clock: MockClock) -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        answer = await wire.ask(1, "domain.create", text="slow", deadline_s=2.5)
        assert answer[2] == {
            "code": "no_answer", "method": "domain.create", "message": "it did not end within 2.5 s",
            "waited_s": 2.5
        }  # fmt: skip
        assert toy.cancelled == ["domain.create"]
        assert (await wire.ask(2, "domain.create", text="quick", deadline_s=2.5))[2] is None


@pytest.mark.trio
async def test_who_undoes_at_the_deadline_did_not_answer_in_time(autojump_clock: MockClock) -> None:
    async with bus(Toy()) as connect:
        _, _, error, _ = await connect().ask(1, "test.undone", deadline_s=2)
        assert (error["code"], error["waited_s"]) == ("no_answer", 2.0)


@pytest.mark.trio
async def test_an_error_from_within_a_nursery_is_the_error() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        assert (await connect().ask(1, "test.nursery"))[2]["code"] == "no_such_domain"
        assert toy.log == []


@pytest.mark.trio
async def test_an_operation_outlives_its_caller() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.send([0, 1, "domain.create", [{"text": "slow", "key": "k"}]])
        await wait_all_tasks_blocked()
        await wire.stream.aclose()
        await wait_all_tasks_blocked()
        assert toy.cancelled == []
        toy.may_end.set()
        _, _, error, result = await connect().ask(1, "domain.create", text="slow", key="k")
        assert (error, result["operation"]) == (None, 1)
        assert toy.executed == ["slow"]


@pytest.mark.trio
async def test_what_only_waits_ends_with_its_caller() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.send([0, 1, "operation.wait", [{"operation": 1}]])
        assert (await wire.ask(2, "console.attach", domain=1))[3] == {"domid": 7, "console": 1}
        assert toy.viewers == 1
        await wire.stream.aclose()
        await wait_all_tasks_blocked()
        assert toy.cancelled == ["operation.wait"]
        assert toy.viewers == 0


@pytest.mark.trio
async def test_who_has_only_ended_his_side_is_still_answered() -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.send([0, 1, "domain.create", [{"text": "slow"}]], [0, 2, "hello", []])
        assert isinstance(wire.stream, trio.StapledStream)
        await wire.stream.send_stream.aclose()
        toy.may_end.set()
        assert {(await wire.receive())[1], (await wire.receive())[1]} == {1, 2}
        assert await wire.receive() is None


@pytest.mark.trio
async def test_what_follows_an_answer_follows_it() -> None:
    async with bus(Toy()) as connect:
        wire = connect()
        assert (await wire.ask(1, "console.attach", domain="x"))[1] == 1
        assert await wire.receive() == [2, "console", [{"console": 1, "data": b"login: "}]]
        assert await wire.ask(2, "console.write", console=1, data=b"ls") == [
            2, "console", [{"console": 1, "data": b"LS"}]
        ]  # fmt: skip
        assert await wire.receive() == [1, 2, None, {}]


@pytest.mark.trio
async def test_who_leaves_notifications_unread_is_cut_off(autojump_clock: MockClock) -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "console.attach", domain="x")
        viewer = toy._viewers[1]
        for _ in range(NOTIFICATIONS_MAX + 10):
            viewer.notify("console", {"console": 1, "data": b"y"})
        last = None
        while (message := await wire.receive()) is not None:
            last = message
        assert last is not None
        assert (last[1], last[2][0]["kind"], last[2][0]["code"]) == ("event", "end", "too_slow")
        await wait_all_tasks_blocked()
        assert toy.viewers == 0
        viewer.notify("console", {})  # nobody hears it, and nobody is hurt


@pytest.mark.trio
async def test_large_notifications_count_by_their_size(autojump_clock: MockClock) -> None:
    toy = Toy()
    async with bus(toy) as connect:
        wire = connect()
        await wire.ask(1, "console.attach", domain="x")
        for _ in range(6):
            toy._viewers[1].notify("console", {"console": 1, "data": bytes(1 << 20)})
        await wait_all_tasks_blocked()
        while (message := await wire.receive()) is not None:
            last = message
        assert last[2][0]["code"] == "too_slow"
