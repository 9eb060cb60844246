"""Whatever guests, scripts, files and users write: messages of the bus and lines of logs are printable."""

import os
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xend.bus.events import EventLog
from xend.errors import XendError
from xend.log import Log, log_fault
from xenstore.daemon.start import Program
from xenstore.daemon.text import clean_lines, one_line

#: Line ends, a terminal's escapes, marks of direction, bytes that are no text, Python's own line ends.
HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "user\u202egnp.exe",
    "\u2066a\u2069",
    "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "\x00\x08\x7f",
    "\udcff\udc80",
    "zero\u200bwidth\ufeff",
    "\U000e0041tag",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_it_is_obeyed_and_nothing_lost(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    assert len(shown) > len(text)


def test_what_is_printable_stays() -> None:
    for text in ("", "plain", "/dev/xvda: 'no' \"such\" file", "Grüße, 世界", "a b"):
        assert one_line(text) is text


def test_the_escapes_are_pythons_and_a_byte_is_one() -> None:
    assert one_line("a\n\x1b\u202e\udcff") == r"a\n\x1b\u202e\xff"


def test_several_lines_stay_several() -> None:
    assert clean_lines("one\ttab\r\ntwo\n\n\x1bthree\rfour\n") == ["one tab", "two", r"\x1bthree\rfour"]
    assert clean_lines("") == []


def strings_of(value: object) -> list[str]:
    if isinstance(value, dict):
        return [each for pair in value.items() for part in pair for each in strings_of(part)]
    if isinstance(value, list):
        return [each for part in value for each in strings_of(part)]
    return [value] if isinstance(value, str) else []


ANYTHING = st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE)


@given(st.fixed_dictionaries({"message": ANYTHING}, optional=dict.fromkeys(XendError.FIELDS, ANYTHING)))
def test_an_error_is_printable_whatever_it_is_made_of(fields: dict[str, str]) -> None:
    error = XendError("script_failed", fields.pop("message"), **fields)
    again = XendError.from_map(error.as_map())
    assert again.as_map() == error.as_map()
    for made in (error, error.annotated(device="vif\n0")):
        for text in [str(made), *strings_of({**made.as_map(), "script_output": ""})]:
            assert text.isprintable()
        for line in made.fields.get("script_output", "").split("\n"):
            assert line.isprintable()


@given(ANYTHING)
def test_an_event_is_printable(text: str) -> None:
    log = EventLog()
    subscription = log.subscribe()
    log.publish("domain", "renamed", name=text, domid=5)
    (event,) = log._kept.values()
    assert subscription.wants("domain")
    assert all(each.isprintable() for each in strings_of(msgpack.unpackb(event.message)))


@pytest.fixture
def lines_of(tmp_path: Path) -> Callable[[Callable[[Log], object]], list[str]]:
    """The lines that something puts into xend's log, without their times."""

    def lines_of(act: Callable[[Log], object]) -> list[str]:
        log = Log(str(tmp_path / "xend.log"), to_stderr=False)
        log.open()
        act(log)
        log.close()
        data = (tmp_path / "xend.log").read_text()
        assert data.endswith("\n")
        return [line[20:] for line in data.split("\n")[:-1]]

    return lines_of


@pytest.mark.parametrize("text", HOSTILE)
def test_a_log_line_is_one(text: str, lines_of: Callable[[Callable[[Log], object]], list[str]]) -> None:
    assert lines_of(lambda log: log(f"domain 5: {text}")) == [f"domain 5: {one_line(text)}"]


def test_a_fault_is_so_many_lines(lines_of: Callable[[Callable[[Log], object]], list[str]]) -> None:
    lines = lines_of(lambda log: log_fault(log, "call x", ValueError("a\nfault\x1b[2J")))
    assert lines == ["call x: ValueError: a", r"fault\x1b[2J"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_daemon_says_on_standard_error_is_one_line(
    text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Program("xenstored").to_stderr(f"control: {text}")
    assert capfd.readouterr().err == f"xenstored: control: {one_line(text)}\n"


def test_what_a_daemon_says_to_the_system_log_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda level, line: said.append(line))
    for text in HOSTILE:
        Program("xend").to_syslog(os.fsdecode(os.fsencode(text)) if "\udc80" in text else text)
    assert said == [one_line(text) for text in HOSTILE]
