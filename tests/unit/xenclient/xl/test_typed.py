"""Errors name what somebody typed, whatever calls of the bus that became."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain
from xenclient.xend.errors import CALL, BusError, ClientError, ConnectionLost, DeadlineError

TYPED = [
    (["block-attach", "d1", "x"], "block-attach"),
    (["block-a", "d1", "/x", "raw", "xvdb"], "block-attach"),
    (["network-attach", "d1", "brige=b"], "network-attach"),
    (["cd-insert", "d1", "hdc", "/x"], "cd-insert"),
    (["shutdown", "d1"], "shutdown"),
    (["shutdown", "-a"], "shutdown"),
    (["mem-set", "d1", "64"], "mem-set"),
]


@pytest.fixture
def broken(xend: FakeXend, monkeypatch: pytest.MonkeyPatch) -> FakeXend:
    """What changes something raises `fails["any"]`."""
    xend.domains[2:] = []

    def operate(method: str, progress: object, parameters: dict[str, Any]) -> Any:
        raise xend.fails["any"]

    monkeypatch.setattr(xend, "_operate", operate)
    return xend


@pytest.mark.parametrize(("words", "command"), TYPED)
def test_a_wrong_parameter(xl: Xl, broken: FakeXend, words: list[str], command: str) -> None:
    error = BusError("bad_config", "it is wrong", {"method": "noun.verb", "hint": "mend it"})
    assert str(error) == "noun.verb: it is wrong (mend it)"
    broken.fails["any"] = error
    assert xl(*words) == (1, "", f"xl: {command}: it is wrong (mend it)\n")


def test_the_method_stays_a_value(xl: Xl, broken: FakeXend) -> None:
    broken.fails["any"] = BusError("bad_config", "it is wrong", {"method": "device.attach"})
    error = json.loads(xl("block-attach", "d1", "x", "--json")[1])["error"]
    assert error == {"code": "bad_config", "message": "block-attach: it is wrong", "method": "device.attach"}


ABOUT: list[ClientError] = [
    ConnectionLost(f"it went away before it answered {CALL}: who knows", "noun.verb d1"),
    ClientError(f"{CALL}: a parameter cannot be sent", "noun.verb d1"),
    DeadlineError(f"the answer to {CALL}", 3, "/socket", "noun.verb d1"),
]


@pytest.mark.parametrize("error", ABOUT)
@pytest.mark.parametrize(("words", "command"), TYPED)
def test_a_call_that_got_no_answer(
    xl: Xl, broken: FakeXend, words: list[str], command: str, error: ClientError
) -> None:
    assert "noun.verb d1" in str(error)
    broken.fails["any"] = error  # type: ignore[assignment]
    text = str(error).replace("noun.verb d1", command)
    assert xl(*words) == (1, "", f"xl: {text}\n")


def test_other_errors_are_told_as_they_are(xl: Xl, broken: FakeXend) -> None:
    broken.domains.append(domain(3, "d3"))
    broken.fails["any"] = BusError("busy", "shutdown of d1 is running", {"hint": "wait for it"})
    assert xl("reboot", "-a") == (1, "", "xl: shutdown of d1 is running (wait for it)\n" * 2)
