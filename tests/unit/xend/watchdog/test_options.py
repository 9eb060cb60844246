"""The command line of xenwatchdogd."""

import pytest

from xend.watchdog.options import Options, UsageError, parse

DEFAULTS = {
    "safe_exit": False,
    "foreground": False,
    "pid_file": "/var/run/xenwatchdogd.pid",
    "hypervisor": "auto",
}

ACCEPTED = [
    ("30 15", {"timeout_s": 30, "sleep_s": 15}),
    ("30", {"timeout_s": 30, "sleep_s": 15}),
    ("31", {"timeout_s": 31, "sleep_s": 15}),
    ("2", {"timeout_s": 2, "sleep_s": 1}),
    ("86400 86399", {"timeout_s": 86400, "sleep_s": 86399}),
    ("-F -x 30", {"timeout_s": 30, "sleep_s": 15, "foreground": True, "safe_exit": True}),
    ("--foreground --safe-exit 9 3", {"timeout_s": 9, "sleep_s": 3, "foreground": True, "safe_exit": True}),
    ("--pid-file /run/w.pid 30", {"timeout_s": 30, "sleep_s": 15, "pid_file": "/run/w.pid"}),
    ("30 15 --hypervisor sim:/s", {"timeout_s": 30, "sleep_s": 15, "hypervisor": "sim:/s"}),
]


@pytest.mark.parametrize(("words", "wanted"), ACCEPTED)
def test_accepted(words: str, wanted: dict[str, object]) -> None:
    assert parse(words.split()) == Options(**{**DEFAULTS, **wanted})  # type: ignore[arg-type]


REFUSED = [
    ("", "TIMEOUT"),
    ("1", "2 to 86400 seconds"),
    ("0", "2 to 86400 seconds"),
    ("86401", "2 to 86400 seconds"),
    ("30 30", "SLEEP 30: 1 to 29 seconds"),
    ("30 31", "SLEEP 31: 1 to 29 seconds"),
    ("30 0", "SLEEP 0: 1 to 29 seconds"),
    ("thirty", "'thirty': whole seconds"),
    ("1.5", "'1.5': whole seconds"),
    ("-3", ""),
    ("9999999999", "whole seconds"),
    ("30 15 7", "unrecognized arguments: 7"),
    ("30 --pidfile /p", "unrecognized"),
    ("30 --hypervisor kvm", "xen, auto or sim:DIR"),
    ("30 --hypervisor sim:", "xen, auto or sim:DIR"),
]


@pytest.mark.parametrize(("words", "complaint"), REFUSED)
def test_refused_in_one_line(words: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words.split())
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_record_lies_beside_the_pid_file() -> None:
    assert parse(["30"]).record == "/var/run/xenwatchdogd.timer"
    assert parse(["30", "-p", "/run/dog"]).record == "/run/dog.timer"
