"""The runner itself: whatever is not as the table says is found."""

import re

import pytest

from tests.conformance.runner import Mismatch
from tests.conformance.table import Row, act, but, do, home, node, scenario
from tests.conformance.target import Target
from tests.conformance.words import (
    CLOSED,
    DIE,
    ENOENT,
    OK,
    SILENCE,
    Like,
    Raw,
    begins,
    is_introduced,
    read,
    start,
    uses,
    watch,
    write,
)
from xenstore.wire import MessageType, pack

WATCHING = do("a", watch("/t", "tok"), OK, "a watch", events=["/t tok"])

#: Rows of which the last is wrong, and what the failure says.
WRONG: dict[str, tuple[list[Row], str]] = {
    "another value": ([do("a", read("/t"), b"w", "x")], "expected READ b'w'.*got +READ b'v'"),
    "an error instead": ([do("a", read("/u"), b"v", "x")], "expected READ b'v'.*got +error ENOENT"),
    "no error": ([do("a", read("/t"), ENOENT, "x")], "expected error ENOENT.*got +READ b'v'"),
    "no reply expected": ([do("a", read("/t"), SILENCE, "x")], "expected nothing.*got +READ"),
    "not closed": ([do("a", read("/t"), CLOSED, "x")], "expected .the connection is closed.*got +READ"),
    "closed": ([do("a", Raw(bytes(12) + b"\xff" * 4), SILENCE, "x")], "got +.the connection is closed"),
    "an event missing": ([do("a", watch("/t", "tok"), OK, "x")], "got .*event /t token tok"),
    "an event too many": ([do("a", write("/t"), OK, "x", events=["/t tok"])], "expected event /t token tok"),
    "an event after the reply": ([WATCHING, do("a", write("/t"), OK, "x", after=["/t tok"])], "got +event"),
    "another token": (
        [WATCHING, do("a", write("/t"), OK, "x", events=["/t x"])],
        "expected event /t token x",
    ),
    "someone else's event": ([WATCHING, do("b", write("/t"), OK, "x")], "on a expected nothing"),
    "none for someone else": (
        [WATCHING, do("b", read("/t"), b"v", "x", others={"a": ["/t tok"]})],
        "got +nothing",
    ),
    "no pattern": ([do("a", read("/t"), Like(rb"\d+"), "x")], r"a reply like b'\\\\d\+'.*got +READ b'v'"),
    "another variable": (
        [do("a", start(), begins("T"), "x"), do("a", start(), begins("T"), "x")],
        "got +TRANSACTION_START b'2",
    ),
    "the same as before": (
        [do("a", read("/t"), Like(b"(?P<one>.)"), "x"), do("a", read("/t"), Like(b"(?P<two>.)", "one"), "x")],
        "unlike the one before",
    ),
    "another request id": (
        [do("a", Raw(pack(MessageType.READ, b"/t\0", req_id=5)), (), "x")],
        r"got +READ b'v' +\[req_id 5, tx_id 0\]",
    ),
    "another count": ([act("d3", uses(nodes=7), "x")], "expected {'nodes': 7}.*got +{'nodes': 1}"),
    "an event of a death": (
        [
            do("a", watch("@releaseDomain", "out"), OK, "x", events=["@releaseDomain out"]),
            act("d3", DIE, "x"),
        ],
        "expected nothing.*got +event @releaseDomain",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_differs_is_found(case: str) -> None:
    rows, text = WRONG[case]
    given = [node("/t", "v"), *(home(3) for row in rows if row.who == "d3")]
    played = scenario("name", *rows, given=given)
    with pytest.raises(Mismatch, match=re.compile(text, re.DOTALL)) as failure:
        Target("session").play(played)
    assert f"name, row {len(rows)} (test_runner.py:" in str(failure.value)


def test_what_is_right_is_counted() -> None:
    rows = (
        WATCHING,
        do("a", is_introduced(0), b"T\0", "x"),
        do("b", write("/t"), OK, "x", others={"a": ["/t tok"]}),
    )
    assert Target("session").play(scenario("name", *rows)) == 3


def test_a_declared_difference_must_show() -> None:
    """A peer that does what ours does, though its row declares otherwise, is found."""
    target = Target("session")
    target.peer = "c"
    different = do("a", read("/t"), b"v", "x", c=but("4.17 says otherwise", b"w"))
    with pytest.raises(Mismatch, match="declared difference of this peer"):
        target.play(scenario("name", different, given=[node("/t", "v")]))
    agreeing = do("a", read("/t"), b"w", "x", c=but("4.17 says otherwise", b"v"))
    assert target.play(scenario("name", agreeing, given=[node("/t", "v")])) == 1


def test_a_difference_needs_a_change() -> None:
    with pytest.raises(ValueError, match="difference without any"):
        but("nothing")
