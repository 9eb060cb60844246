"""What a helper says, which may be anything."""

import random

import msgpack
import pytest

from xend.helper import wire


@pytest.mark.parametrize(
    "answer",
    [
        wire.Ready("4.17", ""),
        wire.Ready(None, "no module"),
        wire.Step("parse"),
        wire.Done({"store_gfn": 1}),
        wire.Failed(2, "/nope \udcff"),
    ],
)
def test_there_and_back(answer: wire.Answer) -> None:
    messages = wire.Messages(wire.ANSWER_MAX)
    messages.feed(wire.pack_answer(answer))
    assert [wire.answer_of(message) for message in messages] == [answer]


@pytest.mark.parametrize(
    "message",
    [
        None, 7, "done", [], ["done"], ["done", {}, 1], ["done", []], ["ready"], ["ready", 4.17, ""],
        ["ready", None],
        ["step", "nowhere"], ["step", None], ["step", ["parse"]], ["failed", 0, ""], ["failed", -1, ""],
        ["failed", True, ""], ["failed", 1 << 40, ""], ["failed", "2", ""], ["failed", 2, b""], ["failed", 2],
        {"done": {}}, [["done"], {}], ["shutdown", 1],
    ],
)  # fmt: skip
def test_what_is_no_answer(message: object) -> None:
    with pytest.raises(ValueError, match="none of the helper's messages"):
        wire.answer_of(message)


def test_texts_are_bounded() -> None:
    assert wire.answer_of(["failed", 2, "x" * 10_000]) == wire.Failed(2, "x" * wire.TEXT_MAX)


@pytest.mark.parametrize("seed", range(200))
def test_bytes_that_make_no_sense(seed: int) -> None:
    """Answers, or a ValueError."""
    chance = random.Random(seed)
    data = bytearray(chance.randbytes(chance.randrange(200)))
    if seed % 2:
        data[:] = wire.pack_answer(wire.Failed(5, "x" * 50))
        data[chance.randrange(len(data))] = chance.randrange(256)
    messages = wire.Messages(wire.ANSWER_MAX)
    try:
        messages.feed(bytes(data))
        for message in messages:
            wire.answer_of(message)
    except ValueError:
        pass


def test_what_is_too_long() -> None:
    messages = wire.Messages(wire.ANSWER_MAX)
    with pytest.raises(ValueError):  # noqa: PT011 - msgpack's
        messages.feed(msgpack.packb(["failed", 2, "x" * wire.ANSWER_MAX]))
