"""QMP with a device model that its guest has broken into; tests/peers/test_qemu.py has Debian's."""

import json

import pytest
import trio
import trio.testing

from xend.model import qmp
from xend.model.qmp import Conversation, QmpError

GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\n'
DONE = b'{"return": {}, "id": 1}\n'

#: What it says before and after the first command, and what is told of it.
HOSTILE: list[tuple[str, bytes, bytes, str]] = [
    ("no greeting", b'{"return": {}}\n', b"", "it does not greet"),
    ("a list", b"[]\n", b"", "no message"),
    ("a number", b"1e999\n", b"", "no message"),
    ("no JSON", b"\x00\xff\x1b[2J\n", b"", "no JSON"),
    ("too deep", b"[" * 100_000 + b"\n", b"", "no JSON"),
    ("too large a number", b'{"QMP": ' + b"9" * 10_000 + b"}\n", b"", "no JSON"),
    ("no line", b"x" * ((1 << 20) + 70_000), b"", "in one message"),
    ("its end", b"", b"", "closed"),
    ("another id", GREETING, b'{"return": {}, "id": 2}\n', "was not asked"),
    ("no id", GREETING, b'{"return": {}}\n', "was not asked"),
    ("a refusal", GREETING, b'{"error": {"desc": "no\\u001b[2J"}, "id": 1}\n', "no\\x1b[2J"),
    ("a refusal without words", GREETING, b'{"error": {}, "id": 1}\n', "qmp_capabilities: null"),
    ("an error that is none", GREETING, b'{"error": 5, "id": 1}\n', "it answers"),
    ("half an answer", GREETING, b'{"return": {}, "id"', "closed"),
]


async def told(first: bytes, then: bytes) -> str:
    """What is wrong with one that says so."""
    ours, theirs = trio.testing.memory_stream_pair()

    async def say() -> None:
        await theirs.send_all(first)
        if first == GREETING:
            await theirs.receive_some()
            await theirs.send_all(then)
        await theirs.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(say)
        try:
            await Conversation(ours).begin()
        except QmpError as error:
            nursery.cancel_scope.cancel()
            return str(error)
    raise AssertionError("it was believed")


@pytest.mark.parametrize(
    ("first", "then", "words"), [each[1:] for each in HOSTILE], ids=[h[0] for h in HOSTILE]
)
def test_what_makes_no_sense_ends_it(first: bytes, then: bytes, words: str) -> None:
    message = trio.run(told, first, then)
    assert words in message
    assert message.isprintable()
    assert len(message) < 400


def test_a_flood_of_events_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp, "ALL_MAX_BYTES", 1 << 16)
    event = b'{"event": "RTC_CHANGE", "data": "' + b"x" * 1000 + b'"}\n'
    assert "it says more than 65536 bytes" in trio.run(told, GREETING, event * 100)


def test_events_may_come_before_the_greeting() -> None:
    """A guest that begins to run just as somebody connects: seen with QEMU 10."""

    async def body() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        await theirs.send_all(b'{"event": "RESUME"}\n' + GREETING + DONE)
        await Conversation(ours).begin()

    trio.run(body)


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"return": {}}, "taken"), ({"error": {"desc": "locked"}}, "eject: locked")],
    ids=["taken", "refused"],
)
def test_a_descriptor_is_lent_for_one_command(answer: dict[str, object], said: str) -> None:
    answers: list[dict[str, object]] = [{"return": {"fdset-id": 7}}, answer, {"return": {}}]
    asked: list[object] = []

    async def body() -> str:
        ours, theirs = trio.testing.memory_stream_pair()

        async def play() -> None:
            for number, each in enumerate(answers, 1):
                asked.append(json.loads(await theirs.receive_some()))
                await theirs.send_all(json.dumps({"id": number, **each}).encode() + b"\n")

        async def send(stream: trio.abc.Stream, fd: int, data: bytes) -> None:
            await stream.send_all(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            conversation = Conversation(ours, send)
            try:
                async with conversation.lent(0) as number:
                    await conversation.ask("eject", number=number)
            except QmpError as error:
                return str(error)
        return "taken"

    assert trio.run(body) == said
    assert asked[1:] == [
        {"execute": "eject", "id": 2, "arguments": {"number": 7}},
        {"execute": "remove-fd", "id": 3, "arguments": {"fdset-id": 7}},
    ]


def test_answers_come_in_pieces_and_between_events() -> None:
    async def body() -> None:
        ours, theirs = trio.testing.memory_stream_pair()

        async def play() -> None:
            for byte in GREETING:
                await theirs.send_all(bytes([byte]))
            assert json.loads(await theirs.receive_some()) == {"execute": "qmp_capabilities", "id": 1}
            await theirs.send_all(b'{"event": "RESUME"}\n' + DONE)
            asked = json.loads(await theirs.receive_some())
            assert asked == {"execute": "eject", "id": 2, "arguments": {"id": "ide-5632"}}
            await theirs.send_all(b'{"id": 2, "return": [1]}\n')

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            conversation = Conversation(ours)
            await conversation.begin()
            assert await conversation.ask("eject", id="ide-5632") == [1]

    trio.run(body)
