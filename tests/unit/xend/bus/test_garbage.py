"""100,000 malformed messages from one seed, while another client goes about its work."""

import random
import resource
import sys
from collections.abc import Iterator

import msgpack
import pytest
import trio
from trio.testing import lockstep_stream_pair, wait_all_tasks_blocked

from tests.unit.xend.bus.test_frames import BAD, GOOD
from tests.unit.xend.bus.toy import Toy, Wire, bus
from xend.bus import serve
from xend.bus.request_loop import CALLS_MAX

#: Those whose calls are refused, and that leave the connection as it is.
PER_CONNECTION = 200
MEMORY_MAX_BYTES = 48 << 20

WORDS: list[object] = [
    "hello", "domain.create", "domain.lst", "console.write", "", "\0", "x" * 300, None, True, -1, 0,
    2**64 - 1, 1.5, float("nan"), b"\xff", [], {}, [[]], {"deadline_s": -1}, {"text": 1}, {"": {}},
    {"since": "x"},
]  # fmt: skip


def wrong_calls(chance: random.Random) -> Iterator[bytes]:
    """Messages with the shape of a request, whose call is refused."""
    while True:
        method = chance.choice(["domain.create", "domain.lst", "events.subscribe", "", "hello\0", "x" * 99])
        params = [chance.choice(WORDS) for _ in range(chance.randint(1, 3))]
        if params == [{}]:
            continue
        yield msgpack.packb([0, chance.getrandbits(32), method, params])


def nonsense(chance: random.Random) -> Iterator[bytes]:
    """Bytes that end a connection, or leave it waiting for what never comes."""
    while True:
        how = chance.randrange(5)
        if how == 0:
            yield chance.randbytes(chance.randint(1, 64))
        elif how == 1:
            yield chance.choice(BAD)[1]
        elif how == 2:
            good = bytearray(chance.choice(GOOD)[1])
            good[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
            yield bytes(good)
        elif how == 3:
            good = bytearray(chance.choice(GOOD)[1])
            yield bytes(good[: chance.randrange(1, len(good))]) + chance.randbytes(8)
        else:
            yield msgpack.packb([chance.choice(WORDS) for _ in range(chance.randint(0, 6))])


def memory_bytes() -> int:
    """The most this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


async def annoy(wire: Wire, calls: list[bytes], last: bytes) -> None:
    """Wrong calls, all of them answered, then what ends the connection; perhaps the client hangs up first."""
    for at in range(0, len(calls), CALLS_MAX):
        batch = calls[at : at + CALLS_MAX]
        await wire.stream.send_all(b"".join(batch))
        for _ in batch:
            kind, _, error, result = await wire.receive()
            assert (kind, result) == (1, None)
            assert error["code"] in ("bad_request", "not_permitted"), error
    await wire.stream.send_all(last)
    await wire.stream.aclose()


@pytest.mark.slow
@pytest.mark.trio
@pytest.mark.parametrize("messages", [20_000, pytest.param(100_000, marks=pytest.mark.long)])
async def test_garbage_on_other_connections_is_not_noticed(messages: int) -> None:
    chance = random.Random(6)
    wrong, bad = wrong_calls(chance), nonsense(chance)
    toy = Toy()
    async with bus(toy) as connect:
        worker = connect()
        before = memory_bytes()
        sent = 0
        while sent < messages:
            calls = [next(wrong) for _ in range(chance.choice([0, 0, 0, 1, PER_CONNECTION]))]
            await annoy(connect(), calls, next(bad))
            sent += len(calls) + 1
            assert (await worker.ask(sent, "domain.list"))[:3] == [1, sent, None]
        assert memory_bytes() - before < MEMORY_MAX_BYTES
        assert toy.executed == []
        assert toy.log == []


@pytest.mark.trio
async def test_messages_that_never_end_hold_no_more_than_their_bound() -> None:
    chunk = 1 << 16
    async with bus(Toy()) as connect:
        before = memory_bytes()
        wires = [connect() for _ in range(16)]
        for wire in wires:
            # A text of just under a megabyte, of which the last byte never comes.
            await wire.stream.send_all(b"\x94\x00\x01\xdb\x00\x0f\xff\xf0")
            for _ in range(15):
                await wire.stream.send_all(bytes(chunk))
        assert (await connect().ask(1, "hello"))[2] is None
        assert memory_bytes() - before < 3 * len(wires) << 20


@pytest.mark.trio
async def test_a_client_that_reads_no_answers_holds_only_itself_up() -> None:
    toy = Toy()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve, [], toy.methods(), toy.log.append)
        ours, theirs = lockstep_stream_pair()
        nursery.start_soon(server.converse, theirs)
        taken = 0

        async def flood() -> None:
            nonlocal taken
            while True:
                await ours.send_all(msgpack.packb([0, 1, "domain.list", []]) * 100)
                taken += 100

        nursery.start_soon(flood)
        await wait_all_tasks_blocked()
        # What is taken is at most a message ahead of the calls that run.
        assert taken * len(msgpack.packb([0, 1, "domain.list", []])) < 2 << 20
        nursery.cancel_scope.cancel()
