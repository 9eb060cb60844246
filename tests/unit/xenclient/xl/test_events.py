"""xl events: a line an event."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl.commands.events import line
from xenclient.xend.errors import BusError

OPERATION = {
    "operation": "3",
    "kind": "domain.create",
    "domain": "d1",
    "domid": 1,
    "started": 1_790_000_000,
    "steps": ["build", "attach vif 0"],
    "step": 1,
    "state": "running",
    "waiting": {"for": "a backend", "since_s": 2.6, "deadline_s": 10},
    "error": None,
    "result": None,
}
DOMAIN = {"kind": "domain", "domid": 1, "name": "d1", "uuid": "u"}
DEVICE = {"kind": "device", "domid": 1, "name": "d1", "device": "vif 0"}
CREATED = {"seq": 5, "what": "created", **DOMAIN}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (CREATED, "5 domain created d1 (1)"),
        ({"seq": 6, "what": "crashed", "reason": "watchdog", **DOMAIN}, "6 domain crashed d1 (1): watchdog"),
        ({"seq": 7, "what": "connected", **DEVICE}, "7 device connected d1 (1) vif 0"),
        (
            {"seq": 8, "what": "failed", **DEVICE, "error": {"message": "no backend"}},
            "8 device failed d1 (1) vif 0: no backend",
        ),
        (
            {"seq": 9, "kind": "operation", "what": "waiting", "operation": OPERATION},
            "9 operation waiting 3 domain.create d1, 2 of 2: attach vif 0, waiting for a backend, 2 of 10 s",
        ),
        (
            {"seq": 10, "kind": "store", "what": "changed", "path": "/local/domain/1", "token": "/local"},
            "10 store changed /local/domain/1",
        ),
        ({"seq": 11, "kind": "news", "what": "heard"}, "11 news heard"),
    ],
)
def test_lines(event: dict[str, Any], text: str) -> None:
    assert line(event) == text + "\n"


def test_json_is_one_object_a_line(xl: Xl, xend: FakeXend) -> None:
    xend.stream = [CREATED, {**CREATED, "seq": 6, "what": "destroyed"}]
    lines = xl("events", "--json")[1].splitlines()
    assert [json.loads(each) for each in lines] == [
        *xend.stream,
        {"error": {"message": "xend ended the stream"}},
    ]


@pytest.mark.parametrize(
    ("options", "subscribed"),
    [
        ([], {"since": None, "kinds": None, "watch": None}),
        (["--since", "41"], {"since": 41, "kinds": None, "watch": None}),
        (["--kind=domain,device"], {"since": None, "kinds": ["domain", "device"], "watch": None}),
        (
            ["--kind=domain", "--kind", "device"],
            {"since": None, "kinds": ["domain", "device"], "watch": None},
        ),
        (["--watch=/vm"], {"since": None, "kinds": None, "watch": ["/vm"]}),
        (["--watch=/vm", "--kind=domain"], {"since": None, "kinds": ["domain", "store"], "watch": ["/vm"]}),
    ],
)
def test_subscriptions(xl: Xl, xend: FakeXend, options: list[str], subscribed: dict[str, object]) -> None:
    status, _, errors = xl("events", *options)
    assert (status, errors) == (1, "xl: xend ended the stream\n")
    assert xend.subscribed == subscribed


def test_a_listener_that_fell_behind_is_told_where_to_go_on(xl: Xl, xend: FakeXend) -> None:
    xend.stream = [CREATED]
    xend.fails["events"] = BusError("too_slow", "the listener fell behind the event stream")
    assert xl("events") == (
        1,
        "5 domain created d1 (1)\n",
        "xl: the listener fell behind the event stream (xl events --since 5 goes on from there)\n",
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--since=-1"], "--since '-1' is no number of an event"),
        (
            ["--kind=nonsense"],
            "--kind 'nonsense' is none of domain, device, operation, autostart, managed, store",
        ),
    ],
)
def test_wrong_use(xl: Xl, options: list[str], error: str) -> None:
    assert xl("events", *options) == (1, "", f"xl: events: {error} (xl help events tells its options)\n")
