"""That the stand-in for rc.subr has the rules for which the scripts are written (netbsd.md 2)."""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.rcd.host import Dom0
from tests.rcd.verbs import answer
from tests.starter import Starter

#: A daemon in Python, whose #! line is to be filled in.
DAEMON = """\
#!{line}
import os, signal, sys
if os.fork():
    os._exit(0)
os.setsid()
open("/var/run/d.pid", "w").write(str(os.getpid()))
for fd in (0, 1, 2):
    os.close(fd)
signal.pause()
"""
SCRIPT = """\
. /etc/rc.subr
name=d
rcvar=d
command=/root/d
pidfile=/var/run/d.pid
{lines}
load_rc_config d
run_rc_command "$1"
"""


class Match(NamedTuple):
    """A #! line, what the script says of it, whether its process is found, and with what warning."""

    line: str
    interpreter: str
    is_found: bool
    warns: bool = False


MATCHES = (
    Match(sys.executable, "", False),
    Match(sys.executable, sys.executable, True),
    Match(f"{sys.executable} -sP", sys.executable, True),
    Match(sys.executable, "/usr/bin/python3", True, warns=True),
)


@pytest.fixture
def dom0(starter: Starter) -> Iterator[Dom0]:
    """Any shell's will do; nothing of it is on."""
    made = Dom0("/usr/bin/dash", starter)
    made.write("/etc/rc.conf", "d=YES\n")
    yield made
    made.close()


def ask(dom0: Dom0, verb: str, lines: str, **env: str) -> tuple[int, str, str]:
    """What a script with these lines answers."""
    dom0.write("/etc/rc.d/d", f"#!/bin/sh\n{SCRIPT.format(lines=lines)}", 0o755)
    return answer(dom0.run("/etc/rc.d/d", verb, env=env))


@pytest.mark.parametrize("match", MATCHES)
def test_a_daemon_in_python_is_known_by_its_interpreter(dom0: Dom0, match: Match) -> None:
    base = sys.executable.rsplit("/", 1)[0]
    dom0.write("/root/d", DAEMON.format(line=match.line), 0o755)
    lines = f"command_interpreter={match.interpreter}" if match.interpreter else ""
    path = f"{base}:/usr/bin:/bin"
    assert ask(dom0, "start", lines, PATH=path)[:2] == (0, "Starting d.\n")
    code, said, complaint = ask(dom0, "status", lines, PATH=path)
    assert (code, said) == ((0, "d is running as pid N.\n") if match.is_found else (1, "d is not running.\n"))
    assert ("$command_interpreter" in complaint) == match.warns


WARNING = "/etc/rc.d/d: WARNING:"
CASES = (
    # verb, lines, answer
    ("start", "start_cmd=:", (0, "", "")),
    ("start", "start_cmd=false", (1, "", "")),
    ("forcestart", "start_cmd=false", (0, "", "")),
    ("start", "start_precmd=false; start_cmd='echo ran'", (1, "", "")),
    ("forcestart", "start_precmd=false; start_cmd='echo ran'", (0, "ran\n", "")),
    ("start", "start_cmd='echo cmd'; start_postcmd='echo post'", (0, "cmd\npost\n", "")),
    ("start", "command=/root/none", (0, "", "")),
    ("start", "command=/bin/echo; d_flags='a b'; command_args=c", (0, "Starting d.\na b c\n", "")),
    ("start", "command=/usr/bin/printenv; d_flags=A; d_env='A=1'", (0, "Starting d.\n1\n", "")),
    ("start", "command=/bin/echo; required_files=/none", (1, "", f"{WARNING} /none is not readable.\n")),
    ("start", "command=/bin/echo; required_dirs=/none", (1, "", f"{WARNING} /none is not a directory.\n")),
    ("stop", "", (1, "", "d not running? (check /var/run/d.pid).\n")),
    ("restart", "start_cmd=false; stop_cmd=false", (0, "", "")),
    ("fly", "extra_commands=fly; fly_cmd='echo flies'", (0, "flies\n", "")),
    ("onefly", "extra_commands=fly; fly_cmd='nothing=NO; checkyesno nothing'", (1, "", "")),
    ("status", "rc_fast=yes; extra_commands=status; status_cmd='echo ${rc_fast}'", (0, "yes\n", "")),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]}")
def test_rules(dom0: Dom0, case: tuple[str, str, tuple[int, str, str]]) -> None:
    verb, lines, wanted = case
    assert ask(dom0, verb, lines) == wanted


def test_flags_of_the_caller_come_first(dom0: Dom0) -> None:
    said = ask(dom0, "start", "command=/bin/echo; d_flags=a", flags="b")
    assert said == (0, "Starting d.\nb\n", "")


def test_what_is_not_enabled_is_silent_at_boot_alone(dom0: Dom0) -> None:
    dom0.write("/etc/rc.conf", "d=NO\n")
    code, said, complaint = ask(dom0, "start", "start_cmd='echo ran'")
    assert (code, said) == (1, "")
    assert "is not enabled" in complaint
    assert "[d 0]" in dom0.said("/bin/sh", "/etc/rc").splitlines()
