"""xl device-explain: the exact text of a story."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, Map, vbd, vif
from xenclient.cli.xl.commands.device_explain import awaits, state
from xenclient.xend.errors import BusError

BEGAN = 1_790_000_000.25


def story(**fields: Any) -> Map:
    """Of an interface of d1 that is connected; `fields` differ."""
    told = ["nodes written", "backend: InitWait (2)", "frontend: Connected (4)", "backend: Connected (4)"]
    return {
        "device": "vif 0",
        "kind": "vif",
        "devid": 0,
        "backend_state": 4,
        "frontend_state": 4,
        "lines": [{"at": BEGAN + 1.5 * place, "text": text} for place, text in enumerate(told)],
        "dropped": 0,
        "error": None,
        "domid": 1,
        "domain": "d1",
        "live": vif(1, 0),
        "cause": None,
        **fields,
    }


LINES = """\
     0.000 s  nodes written
     1.500 s  backend: InitWait (2)
     3.000 s  frontend: Connected (4)
     4.500 s  backend: Connected (4)
"""
CONNECTED = "vif 0 of d1 (domain 1): backend Connected (4), frontend Connected (4)\n" + LINES


@pytest.mark.parametrize("words", [["vif 0"], ["vif", "0"], ["0"]])
def test_a_device_that_works(xl: Xl, xend: FakeXend, words: list[str]) -> None:
    xend.stories[1, "vif 0"] = story()
    assert xl("device-explain", "d1", *words) == (0, CONNECTED, "")
    assert json.loads(xl("device-explain", "--json", "d1", *words)[1]) == story(awaited=None)


FAILURE = {
    "code": "script_failed",
    "message": "vif 0: /scripts/vif-bridge exited with status 1",
    "cause": "no bridge\x1b",
    "hint": "make one",
    "script_output": "+ ip link\nbridge \x1b[31mbridge7 does not exist",
}


def test_one_that_failed(xl: Xl, xend: FakeXend) -> None:
    ends = {"backend_state": 2, "frontend_state": 1, "live": None}
    cause = "the bridge does not exist: ip link add bridge7 type bridge"
    xend.stories[1, "vif 0"] = story(error=FAILURE, cause=cause, dropped=3, **ends)
    first, *rest = LINES.splitlines(keepends=True)
    assert xl("device-explain", "d1", "0") == (
        0,
        "vif 0 of d1 (domain 1): gone\n"
        + first
        + "    ... 3 lines left out\n"
        + "".join(rest)
        + "script output:\n    + ip link\n    bridge ?[31mbridge7 does not exist\n"
        "reported: no bridge?\n"
        "hint: make one\n"
        "likely cause: the bridge does not exist: ip link add bridge7 type bridge\n",
        "",
    )


def test_one_that_waits(xl: Xl, xend: FakeXend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: BEGAN + 46.4)
    xend.stories[1, "vbd xvdb"] = story(
        device="vbd xvdb", backend_state=2, frontend_state=1, live=vbd(1, 51728, "xvdb"), cause="no driver"
    )
    _, text, _ = xl("device-explain", "d1", "xvdb")
    assert text.endswith(
        LINES + "awaited: backend and frontend to be Connected (4), 42 s so far\nlikely cause: no driver\n"
    )
    assert json.loads(xl("device-explain", "d1", "xvdb", "--json")[1])["awaited"].endswith(", 42 s so far")


WAITING = {"for": "its backend (vif 0)", "since_s": 4.2, "deadline_s": 10.0}


def operation(step_key: str | None, waiting: Map | None = WAITING, domid: int = 1) -> Map:
    """One that runs."""
    return {"domid": domid, "state": "running", "step_key": step_key, "waiting": waiting}


LATER = BEGAN + 14.5
AWAITED = [
    ({}, [operation("vif/0.await-backend")], "its backend (vif 0), 4 of 10 s"),
    ({}, [operation("vif/0.run-script", {**WAITING, "deadline_s": None})], "its backend (vif 0), 4 s"),
    ({}, [operation("vif/1.await-backend")], None),
    ({}, [operation("vif/0.add", None)], None),
    ({}, [operation("vif/01.await-backend"), operation(None)], None),
    ({"error": {"message": "late", "waited_s": 10.0}, "live": None}, [], "10 s, in vain"),
    ({"error": {"message": "late"}, "live": None, "backend_state": 6}, [], None),
    ({"frontend_state": 1}, [], "frontend to be Connected (4), 10 s so far"),
    ({"backend_state": 2}, [], "backend to be Connected (4), 10 s so far"),
    ({"backend_state": 2, "lines": []}, [], None),
    ({"backend_state": 6, "frontend_state": 6, "live": None}, [], None),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "operations", "awaited"), AWAITED)
def test_what_is_awaited(fields: Map, operations: list[Map], awaited: str | None) -> None:
    assert awaits(story(**fields), operations, LATER) == awaited


def test_a_clock_that_was_set_back() -> None:
    assert awaits(story(backend_state=2), [], BEGAN) == "backend to be Connected (4), 0 s so far"


def test_only_operations_that_run_on_its_domain_count(xl: Xl, xend: FakeXend) -> None:
    xend.stories[1, "vif 0"] = story()
    step = "vif/0.await-backend"
    xend.operations = [operation(step, domid=2), {**operation(step), "state": "failed"}]
    assert xl("device-explain", "d1", "0")[1] == CONNECTED
    xend.operations.append({**operation(step), "state": "undoing"})
    assert xl("device-explain", "d1", "0")[1] == CONNECTED + "awaited: its backend (vif 0), 4 of 10 s\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "Unknown (0)"), (2, "InitWait (2)"), (8, "Reconfigured (8)"), (9, "9")],
)
def test_states(number: int, text: str) -> None:
    assert state(number) == text


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["d1", "vif", "7"], "d1 has no device vif 7 (it has: none)"),
        (["d1", "7"], "d1 has no device 7 (it has: none)"),
        (["d1", "xvdq"], "d1 has no device xvdq (it has: none)"),
        (["no", "0"], "no domain no (xl list shows those there are)"),
        (["d1"], "device-explain: needs DOM DEVICE (usage: xl device-explain DOM DEVICE)"),
        (["d1", "a", "b", "c"], "device-explain: 'c' is too much (usage: xl device-explain DOM DEVICE)"),
    ],
)
def test_refused(xl: Xl, words: list[str], error: str) -> None:
    assert xl("device-explain", *words) == (1, "", f"xl: {error}\n")


def test_an_error_in_json(xl: Xl, xend: FakeXend) -> None:
    xend.fails["device.explain"] = BusError("store_failed", "no store")
    status, text, errors = xl("device-explain", "--json", "d1", "0")
    assert (status, json.loads(text)["error"]["code"], errors) == (1, "store_failed", "xl: no store\n")
