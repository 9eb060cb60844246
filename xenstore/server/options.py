"""The command line: Xen's options for xenstored, by its names, and ours."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xenstore._pump import pollers
from xenstore.daemon.getopt_table import GetoptTable
from xenstore.daemon.options import Kind, Option, UsageError, path
from xenstore.limits import QUOTAS
from xenstore.platform.choose import AUTO, NAMES, SIMULATED, valid_name
from xenstore.server.trace import SWITCHES
from xenstore.wire import RELATIVE_PATH_MAX

__all__ = ["Options", "UsageError", "parse", "usage"]

_VALUE_MAX = 2**31 - 1
_SOFT = "soft-"


class Options(NamedTuple):
    """What the command line asks for; all paths absolute.

    Attributes:
        live_update: go on where the xenstored stopped that was executed before in this process.
        check_state: only say whether this file could be gone on from.
        quotas: by name.
        watch_event_timeout_seconds: bounds events queued to rings.
        socket: where it is, and beside it all that the daemon leaves for its successor.
        log_directory: of trace files that are named by a relative path.
        failpoint: where a test makes the daemon die, getting there how often.
        arguments: all options again, in words, with absolute paths.
        notes: options that do nothing here, and why.
    """

    foreground: bool
    help: bool
    banner: bool
    print_pid: bool
    live_update: bool
    check_state: str | None
    pid_file: str | None
    trace_file: str | None
    trace_switches: list[str]
    quotas: dict[str, int]
    watch_event_timeout_seconds: int | None
    keep_orphans: bool
    journal: bool
    fresh: bool
    force: bool
    socket: str
    log_directory: str
    poller: str | None
    platform: str
    failpoint: tuple[str, int] | None
    arguments: list[str]
    notes: list[str]

    @property
    def rundir(self) -> str:
        """Where the socket is, and all else that the daemon leaves for its successor."""
        return os.path.dirname(self.socket)


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """The options in `arguments` (without the program's name); raises UsageError."""
    values, given = _TABLE.parse_given(arguments, environment)
    values["quotas"] = dict(values["quotas"])
    values["socket"] = _socket(values.pop("rundir"), environment)
    notes = [f"{each.name} has no effect: {each.option.no_effect}" for each in given if each.option.no_effect]
    return Options(**values, arguments=[word for each in given for word in each.words], notes=notes)


def usage() -> str:
    """The text of --help."""
    return _TABLE.usage()


def _socket(rundir: str | None, environment: Mapping[str, str]) -> str:
    if rundir is None:
        if socket := environment.get("XENSTORED_PATH"):
            return os.path.abspath(socket)
        rundir = environment.get("XENSTORED_RUNDIR") or "/var/run/xenstored"
    return os.path.abspath(os.path.join(rundir, "socket"))


def _epilogue() -> str:
    names = ", ".join(quota.name for quota in QUOTAS if not quota.name.startswith(_SOFT))
    on = ", ".join(switch for switch in SWITCHES if SWITCHES[switch])
    return "\n".join(
        [
            "\n" + textwrap.fill(f"Quotas (0 is unlimited): {names}.", 90, break_on_hyphens=False),
            f"Trace switches: {', '.join(SWITCHES)}; on at start: {on}.",
            "Socket: $XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else /var/run/xenstored/socket.",
        ]
    )


def _failpoint(text: str) -> tuple[str, int]:
    name, colon, count = text.partition(":")
    return name, _number(count) if colon else 1


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _VALUE_MAX):
        raise ValueError(f"{text!r} is not a number of 0 to {_VALUE_MAX}")
    return int(text)


def _pair(text: str, unit: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"expected <what>=<{unit}>")
    return name, _number(value)


def _limit(quota: str) -> Kind:
    return lambda text: (quota, _number(text))


def _path_max(text: str) -> tuple[str, int]:
    return "path-max", min(_number(text), RELATIVE_PATH_MAX)


def _quota(prefix: str) -> Kind:
    known = [q.name.removeprefix(_SOFT) for q in QUOTAS if q.name.startswith(_SOFT) == bool(prefix)]

    def read(text: str) -> tuple[str, int]:
        name, value = _pair(text, "nb")
        if name not in known:
            raise ValueError(f"unknown quota {name!r}; there is {', '.join(known)}")
        return prefix + name, value

    return read


def _timeout(text: str) -> int:
    name, seconds = _pair(text, "seconds")
    if name != "watch-event":
        raise ValueError(f"unknown timeout {name!r}; there is watch-event")
    return seconds


def _trace_switch(text: str) -> str:
    if text[:1] not in ("+", "-") or text[1:] not in SWITCHES:
        raise ValueError(f"expected + or - and one of {', '.join(SWITCHES)}")
    return text


def _poller(name: str) -> str:
    if name not in pollers():
        raise ValueError(f"unknown poller; there is {', '.join(pollers())}")
    return name


def _platform(name: str) -> str:
    if not valid_name(name):
        raise ValueError(f"expected {', '.join(NAMES)} or {SIMULATED}<dir>")
    if name.startswith(SIMULATED):
        return SIMULATED + os.path.abspath(name.removeprefix(SIMULATED))
    return name


def _zero(text: str) -> int:
    if _number(text) != 0:
        raise ValueError("only 0: this xenstored runs in dom0, never in a domain of its own")
    return 0


def _quota_option(spelling: str, value: str, help: str, kind: Kind) -> Option:
    return Option(spelling, value, help, kind, sets="quotas", is_repeated=True)


_ALWAYS_DOM0 = "this xenstored always runs in dom0"
_TABLE = GetoptTable(
    "xenstored",
    (
        Option("-N --no-fork", "", "stay in the foreground", sets="foreground"),
        Option("-F --pid-file", "<file>", "write the daemon's process id here", path),
        Option("-P --output-pid", "", "print the daemon's process id", sets="print_pid"),
        Option("--rundir", "<dir>", "serve <dir>/socket", path),
        Option("-T --trace-file", "<file>", "trace requests, replies and events here", path),
        Option(
            "--trace-control",
            "+|-<switch>",
            "choose what is traced (see below)",
            _trace_switch,
            sets="trace_switches",
            is_repeated=True,
        ),
        _quota_option("-E --entry-nb", "<nb>", "quota nodes: owned by a domain", _limit("nodes")),
        _quota_option("-S --entry-size", "<size>", "quota node-size: bytes of a node", _limit("node-size")),
        _quota_option("-W --watch-nb", "<nb>", "quota watches: of a domain", _limit("watches")),
        _quota_option(
            "-t --transaction", "<nb>", "quota transactions: a domain's open ones", _limit("transactions")
        ),
        _quota_option(
            "-A --perm-nb", "<nb>", "quota node-permissions: entries of a node", _limit("node-permissions")
        ),
        _quota_option("-M --path-max", "<chars>", f"quota path-max, {RELATIVE_PATH_MAX} at most", _path_max),
        _quota_option("-Q --quota", "<what>=<nb>", "set a quota (see below)", _quota("")),
        _quota_option(
            "-q --quota-soft", "<what>=<nb>", "set a quota that only warns in the log", _quota(_SOFT)
        ),
        Option(
            "-w --timeout",
            "<what>=<s>",
            "watch-event: drop events not read for so long",
            _timeout,
            sets="watch_event_timeout_seconds",
        ),
        Option("-K --keep-orphans", "", "keep the nodes of domains that are gone (a risk)"),
        Option("--no-journal", "", "record nothing: a restart begins empty", sets="journal", constant=False),
        Option("--fresh", "", "begin empty, not where the journal ends"),
        Option("--force", "", "--fresh even where domains run"),
        Option("--poller", "<name>", f"how to wait for clients: {', '.join(pollers())}", _poller),
        Option(
            "--platform",
            "<name>",
            f"whose domains: {', '.join(NAMES)}, {SIMULATED}<dir>",
            _platform,
            default=AUTO,
        ),
        Option("-U --live-update", "", "go on from <rundir>/state_dump"),
        Option("--check-state", "<file>", "say whether -U could go on from a file", path),
        Option("--banner", "", "print what to try in another terminal"),
        Option("-H --help", "", "print this"),
        Option("-V --verbose", "", "no effect", no_effect="--trace-file shows each request"),
        Option("-D --no-domain-init", "", "no effect", no_effect="no domain is initialised here"),
        Option("-R --no-recovery", "", "no effect", no_effect="there is no database file to recover"),
        Option("-I --internal-db", "<on|off>", "no effect", no_effect="the store is in memory"),
        Option("--event", "<port>", "0 only, no effect", _zero, no_effect=_ALWAYS_DOM0),
        Option("--master-domid", "<domid>", "0 only, no effect", _zero, no_effect=_ALWAYS_DOM0),
        Option("--priv-domid", "<domid>", "0 only, no effect", _zero, no_effect=_ALWAYS_DOM0),
        Option("", sets="log_directory", variable="XENSTORED_ROOTDIR", default="/var/lib/xen/xenstore"),
        Option("", kind=_failpoint, sets="failpoint", variable="XENSTORED_FAILPOINT"),
    ),
    help_column=36,
    separator=" ",
    epilogue=_epilogue(),
)
