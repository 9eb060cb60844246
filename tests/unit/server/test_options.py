"""The command line, as a table: what is given, what it means."""

import os
from typing import Any

import pytest

from xenstore.limits import QUOTAS
from xenstore.server.options import UsageError, parse, usage

MEANINGS: list[tuple[str, dict[str, Any]]] = [
    ("", {"foreground": False, "socket": "/var/run/xenstored/socket", "quotas": {}, "notes": []}),
    ("-N", {"foreground": True}),
    ("--no-fork", {"foreground": True}),
    ("--no-f", {"foreground": True}),  # getopt_long takes unambiguous beginnings
    ("-F /a/pid", {"pid_file": "/a/pid"}),
    ("-F/a/pid", {"pid_file": "/a/pid"}),
    ("--pid-file /a/pid", {"pid_file": "/a/pid"}),
    ("--pid-file=/a/pid", {"pid_file": "/a/pid"}),
    ("-F pid", {"pid_file": os.path.abspath("pid")}),
    ("-T /a/trace", {"trace_file": "/a/trace"}),
    ("--trace-file t", {"trace_file": os.path.abspath("t")}),
    ("--trace-control=+wrl --trace-control -io", {"trace_switches": ["+wrl", "-io"]}),
    ("-E 1 -S 2 -W 3", {"quotas": {"nodes": 1, "node-size": 2, "watches": 3}}),
    ("-t 4 -A 5 -M 6", {"quotas": {"transactions": 4, "node-permissions": 5, "path-max": 6}}),
    ("--entry-nb 1 --entry-size 2 --watch-nb 3", {"quotas": {"nodes": 1, "node-size": 2, "watches": 3}}),
    ("--transaction=4 --perm-nb=5", {"quotas": {"transactions": 4, "node-permissions": 5}}),
    ("--path-max 99999", {"quotas": {"path-max": 2048}}),
    ("-Q memory=7 --quota outstanding=0", {"quotas": {"memory": 7, "outstanding": 0}}),
    ("-Q transaction-nodes=8 -E 9 -E 10", {"quotas": {"transaction-nodes": 8, "nodes": 10}}),
    ("-q memory=5", {"quotas": {"soft-memory": 5}}),
    ("--quota-soft memory=5", {"quotas": {"soft-memory": 5}}),
    ("-w watch-event=30", {"watch_event_timeout_seconds": 30}),
    ("--timeout watch-event=0", {"watch_event_timeout_seconds": 0}),
    ("-K", {"keep_orphans": True}),
    ("--rundir /a", {"socket": "/a/socket"}),
    ("--rundir a", {"socket": os.path.abspath("a/socket")}),
    ("--poller poll", {"poller": "poll"}),
    ("--banner -P -H", {"banner": True, "print_pid": True, "help": True}),
    ("-I off", {"notes": ["-I has no effect: the store is in memory"]}),
    ("--master-domid 0", {"notes": ["--master-domid has no effect: this xenstored always runs in dom0"]}),
]


@pytest.mark.parametrize(("arguments", "meaning"), MEANINGS)
def test_what_is_accepted(arguments: str, meaning: dict[str, Any]) -> None:
    options = parse(arguments.split(), {})
    assert {name: getattr(options, name) for name in meaning} == meaning


@pytest.mark.parametrize(("setting", "meaning"), [("a.b", ("a.b", 1)), ("a.b:7", ("a.b", 7))])
def test_a_failpoint(setting: str, meaning: tuple[str, int]) -> None:
    assert parse([], {"XENSTORED_FAILPOINT": setting}).failpoint == meaning
    assert parse([], {}).failpoint is None
    with pytest.raises(UsageError, match="XENSTORED_FAILPOINT=a:x: 'x' is not a number"):
        parse([], {"XENSTORED_FAILPOINT": "a:x"})


@pytest.mark.parametrize("option", ["-V", "-D", "-R", "--verbose", "--no-domain-init", "--no-recovery"])
def test_options_of_older_xens_are_explained(option: str) -> None:
    (note,) = parse([option], {}).notes
    assert note.startswith(f"{option} has no effect: ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("-Z", "option -Z not recognized; see --help"),
        ("--nonsense", "option --nonsense not recognized; see --help"),
        ("--trace", "option --trace not a unique prefix; see --help"),
        ("-F", "option -F requires argument; see --help"),
        ("--no-fork=yes", "option --no-fork must not have an argument; see --help"),
        ("start", "unexpected argument 'start'; see --help"),
        ("-E x", "-E x: 'x' is not a number of 0 to 2147483647"),
        ("-E -1", "-E -1: '-1' is not a number of 0 to 2147483647"),
        ("-W 2147483648", "-W 2147483648: '2147483648' is not a number of 0 to 2147483647"),
        ("-Q memory", "-Q memory: expected <what>=<nb>"),
        ("-Q memory=", "-Q memory=: '' is not a number of 0 to 2147483647"),
        ("-Q space=1", "-Q space=1: unknown quota 'space'; there is nodes, "),
        ("-Q soft-memory=1", "-Q soft-memory=1: unknown quota 'soft-memory'; there is nodes, "),
        ("-q nodes=1", "-q nodes=1: unknown quota 'nodes'; there is memory"),
        ("-w watch-event", "-w watch-event: expected <what>=<seconds>"),
        ("-w idle=1", "-w idle=1: unknown timeout 'idle'; there is watch-event"),
        ("--trace-control=io", "--trace-control io: expected + or - and one of obj, io, "),
        ("--trace-control=+all", "--trace-control +all: expected + or - and one of obj, io, "),
        ("--poller select", "--poller select: unknown poller; there is "),
        ("--event 5", "--event 5: only 0: "),
    ],
)
def test_what_is_refused(arguments: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(arguments.split(), {})
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "arguments", "socket"),
    [
        ({"XENSTORED_RUNDIR": "/r"}, [], "/r/socket"),
        ({"XENSTORED_PATH": "/p/sock"}, [], "/p/sock"),
        ({"XENSTORED_RUNDIR": "/r", "XENSTORED_PATH": "/p/sock"}, [], "/p/sock"),
        ({"XENSTORED_RUNDIR": "/r", "XENSTORED_PATH": "/p/sock"}, ["--rundir", "/o"], "/o/socket"),
        ({"XENSTORED_RUNDIR": "", "XENSTORED_PATH": ""}, [], "/var/run/xenstored/socket"),
    ],
)
def test_where_the_socket_is(environment: dict[str, str], arguments: list[str], socket: str) -> None:
    assert parse(arguments, environment).socket == socket


def test_where_relative_trace_files_are() -> None:
    assert parse([], {}).log_directory == "/var/lib/xen/xenstore"
    assert parse([], {"XENSTORED_ROOTDIR": "/r"}).log_directory == "/r"


def test_the_help_names_everything() -> None:
    text = usage()
    for name in ("--no-fork", "--rundir", "--trace-control", "-K, --keep-orphans", "watch-event"):
        assert name in text
    assert all(quota.name.removeprefix("soft-") in text for quota in QUOTAS)
    assert max(len(line) for line in text.splitlines()) <= 100
