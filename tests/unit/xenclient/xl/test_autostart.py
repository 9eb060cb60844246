"""xl autostart and autostop: what is asked, what is printed, the exit status."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.xend.errors import BusError

Map = dict[str, Any]


def row(name: str, outcome: str, ok: bool = True, **more: Any) -> Map:
    return {"name": name, "outcome": outcome, "ok": ok, "domid": None, "reason": None, "error": None, **more}


class Autostarting(FakeXend):
    """A xend that tells of a call what it is given, and answers with rows.

    Attributes:
        happens: the events, of each stream in turn, without kind, seq and key.
        rows: the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.happens: list[list[Map]] = [[]]
        self.rows: list[Map] = []
        self.key = ""
        self.has_ended = False

    def call(self, method: str, progress: object = None, **parameters: Any) -> Any:
        self.asked.append((method, dict(parameters)))
        if method in self.fails:
            raise self.fails[method]
        if parameters.get("dry_run"):
            return {"steps": ["start db", "start web after db"]}
        self.key = parameters["key"]
        return {"ended": self.has_ended} if parameters.get("wait_for") else self.rows

    def _stream(self) -> Iterator[Map]:
        told = self.happens.pop(0)
        yield {"seq": 1, "kind": "autostart", "what": "up", "name": "somebody's", "key": "else"}
        for number, event in enumerate(told, 2):
            yield {"seq": number, "kind": "autostart", "key": self.key, **event}
        raise BusError("too_slow", "events after 7 are no longer kept: the oldest is 1000")


ENDED = {"what": "ended"}


@pytest.fixture
def xend() -> Autostarting:
    return Autostarting()


@pytest.mark.parametrize(
    ("words", "method", "parameters"),
    [
        (["autostart"], "autostart.start", {}),
        (["autostart", "foo", "bar"], "autostart.start", {"names": ["foo", "bar"]}),
        (
            ["autostart", "--prehook", "%s-pre", "--posthook=%s-post", "foo"],
            "autostart.start",
            {"names": ["foo"], "prehook": "%s-pre", "posthook": "%s-post"},
        ),
        (["autostart", "--saved"], "autostart.start", {"saved": True}),
        (["autostop"], "autostart.stop", {}),
        (["autostop", "--save", "-a"], "autostart.stop", {"all": True, "save": True}),
        (["autostop", "-a"], "autostart.stop", {"all": True}),
        (
            ["autostop", "--deadline", "90", "--last-resort", "leave", "foo"],
            "autostart.stop",
            {"names": ["foo"], "timeout_s": 90.0, "last_resort": "leave"},
        ),
    ],
)
def test_asked(xl: Xl, xend: Autostarting, words: list[str], method: str, parameters: Map) -> None:
    xend.happens = [[ENDED]]
    xend.rows = [row("foo", "up")]
    assert xl(*words) == (0, "", "")
    assert xend.subscribed == {"kinds": ["autostart"]}
    key = xend.key
    assert xend.asked == [
        (method, {"wait_for": "accepted", "key": key, **parameters}),
        (method, {"key": key, **parameters}),
    ]


EVENTS: list[Map] = [
    {"what": "waiting", "name": "web", "reason": "for db"},
    {"what": "starting", "name": "db"},
    {"what": "up", "name": "db", "domid": 1, "reason": "vif 0 is not connected after 60 s"},
    {"what": "already-running", "name": "dns", "domid": 2},
    {
        "what": "failed",
        "name": "mail",
        "reason": "hook /x/mail-pre ended with status 4",
        "error": {"code": "script_failed", "message": "...", "script_output": "no volume\n\x1b[31mat all"},
    },
    {"what": "not-started", "name": "web", "reason": "needs mail, which failed: ..."},
    {"what": "stopping", "name": "db", "domid": 1},
    {"what": "destroyed", "name": "db", "domid": 1, "reason": "it did not shut down within 65 s"},
    {"what": "left", "name": "db", "reason": "..."},
    {"what": "not-running", "name": "old"},
    {"what": "ignored", "name": "10-x", "reason": 'its link leads nowhere: "../x"'},
]
LINES = """\
web: waiting for db
db: starting
db: up: vif 0 is not connected after 60 s
dns: already running
mail: failed: hook /x/mail-pre ended with status 4
    no volume
    ?[31mat all
web: not started: needs mail, which failed: ...
db: stopping
db: destroyed: it did not shut down within 65 s
db: left running: ...
old: not running
10-x: ignored: its link leads nowhere: "../x"
"""


def test_a_line_for_each_event_and_the_status_of_the_whole(xl: Xl, xend: Autostarting) -> None:
    xend.happens = [[*EVENTS, ENDED]]
    xend.rows = [row("db", "up"), row("mail", "failed", False), row("web", "not-started", False)]
    assert xl("autostart") == (1, LINES, "xl: 2 of 3 did not come up: mail, web\n")
    xend.happens = [[ENDED]]
    xend.rows = [row("db", "destroyed", False), row("web", "down")]
    assert xl("autostop") == (1, "", "xl: 1 of 2 did not go down by itself: db\n")


def test_where_the_stream_breaks_off_the_call_is_made_again_with_its_key(xl: Xl, xend: Autostarting) -> None:
    xend.happens = [EVENTS[:2], [EVENTS[3], ENDED]]
    xend.rows = [row("db", "up")]
    assert xl("autostart") == (0, "web: waiting for db\ndb: starting\ndns: already running\n", "")
    assert len({parameters["key"] for _, parameters in xend.asked}) == 1
    assert [parameters.get("wait_for") for _, parameters in xend.asked] == ["accepted", "accepted", None]


def test_a_call_that_has_ended_by_then_is_not_waited_for(xl: Xl, xend: Autostarting) -> None:
    xend.has_ended = True
    xend.rows = [row("db", "up")]
    assert xl("autostart") == (0, "", "")


def test_json_is_the_rows(xl: Xl, xend: Autostarting) -> None:
    xend.rows = [row("db", "failed", False, reason="why")]
    status, text, errors = xl("autostop", "--json")
    assert (status, json.loads(text), errors) == (1, xend.rows, "")
    assert xend.subscribed == {}


def test_nothing_to_do_is_said(xl: Xl, xend: Autostarting) -> None:
    xend.happens = [[ENDED], [ENDED]]
    assert xl("autostart") == (0, "nothing to do: nothing is named, and auto/ is empty\n", "")
    assert xl("autostop", "-a") == (0, "nothing to do: there is only Domain-0\n", "")


def test_a_dry_run_prints_the_steps(xl: Xl, xend: Autostarting) -> None:
    for words in (["autostart", "--dry-run"], ["-N", "autostop"]):
        assert xl(*words) == (0, "start db\nstart web after db\n", "")
    assert all(parameters == {"dry_run": True} for _, parameters in xend.asked)


def test_a_refusal_is_one_line(xl: Xl, xend: Autostarting) -> None:
    xend.fails["autostart.start"] = BusError("bad_config", "/etc/xen/auto may be written by others", {})
    assert xl("autostart") == (1, "", "xl: /etc/xen/auto may be written by others\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["autostop", "-a", "foo"], "autostop: names, or -a, not both "),
        (["autostop", "--deadline", "soon"], "autostop: --deadline 'soon' is no number of seconds above 0 "),
        (["autostop", "--deadline", "0"], "autostop: --deadline '0' is no number of seconds above 0 "),
        (["autostop", "--deadline", "nan"], "autostop: --deadline 'nan' is no number of seconds above 0 "),
        (
            ["autostop", "--last-resort", "pray"],
            "autostop: --last-resort 'pray' is neither destroy nor leave ",
        ),
        (["autostart", "--prehook"], "autostart: option '--prehook' requires an argument "),
    ],
)
def test_wrong_use_asks_nothing(xl: Xl, xend: Autostarting, words: list[str], error: str) -> None:
    status, text, errors = xl(*words)
    assert (status, text, xend.asked) == (1, "", [])
    assert errors.startswith(f"xl: {error}(usage: xl {words[0]} ")
