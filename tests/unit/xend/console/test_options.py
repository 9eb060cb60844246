"""xenconsoled's command line."""

import os
from typing import Any

import pytest

from xend.console.options import UsageError, parse, usage


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("--log=all", {"log_guests": True, "log_hypervisor": True}),
        ("--log none", {}),
        ("--log guest", {"log_guests": True}),
        ("--log hv -t hv", {"log_hypervisor": True, "stamp_hypervisor": True}),
        ("--timestamp=guest", {"stamp_guests": True}),
        ("-i -v", {"foreground": True, "verbose": True}),
        ("--no-fork", {"foreground": True}),
        ("-o keep", {"keep_overflow": True}),
        ("--overflow-data=discard", {}),
        ("--replace-escape", {"replace_escape": True}),
        ("--log-dir=/tmp/x/../y", {"log_directory": "/tmp/y"}),
        ("--pid-file p", {"pid_file": os.path.abspath("p")}),
        ("--store /s", {"store": "/s"}),
        ("--hypervisor sim:/d", {"hypervisor": "sim:/d"}),
        ("--hypervisor xen", {"hypervisor": "xen"}),
        ("-V", {"version": True}),
        ("-h", {"help": True}),
    ],
)
def test_options(line: str, expected: dict[str, Any]) -> None:
    options = parse(line.split())
    defaults = parse([])
    for name in ("log_guests", "log_hypervisor", *expected):
        assert getattr(options, name) == expected.get(name, getattr(defaults, name)), name


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--log=some", "expected none, guest, hv, all"),
        ("-t x", "-t x: expected"),
        ("-o lose", "expected discard, keep"),
        ("--hypervisor kvm", "expected xen, auto, or sim:DIR"),
        ("--hypervisor sim:", "expected xen, auto, or sim:DIR"),
        ("--frobnicate", "see --help"),
        ("extra", "unexpected argument 'extra'"),
    ],
)
def test_errors(line: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_help_names_every_option() -> None:
    text = usage()
    for name in ("log", "log-dir", "pid-file", "timestamp", "overflow-data", "interactive", "store"):
        assert f"--{name}" in text
    assert max(map(len, text.splitlines())) <= 100
