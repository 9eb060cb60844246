"""The command line of xenwatchdogd: Xen's, and ours."""

import os
from collections.abc import Sequence

import attrs

import xend
from xend.hypervisor.choose import absolute_name
from xenstore.daemon.argparse_table import ArgparseTable
from xenstore.daemon.options import Option, UsageError

__all__ = ["Options", "UsageError", "parse"]

PID_FILE = "/var/run/xenwatchdogd.pid"
#: What a timeout may be, in seconds. Below two, no whole second is left to sleep; above, it watches nothing.
LEAST_TIMEOUT_S, LONGEST_TIMEOUT_S = 2, 86400


@attrs.frozen(kw_only=True)
class Options:
    """What the command line asks for; all paths absolute.

    Attributes:
        sleep_s: how long it sleeps before it sets the timer anew, shorter than the timeout.
        safe_exit: disarm the timer at every ordered end, not only at SIGUSR1.
    """

    timeout_s: int
    sleep_s: int
    safe_exit: bool
    foreground: bool
    pid_file: str
    hypervisor: str

    @property
    def record(self) -> str:
        """Where the number of the armed timer is kept, beside the pid file."""
        return os.path.splitext(self.pid_file)[0] + ".timer"


def parse(words: Sequence[str]) -> Options:
    """The options; exits after --help and --version.

    Raises:
        UsageError: there is no such option or value, or the values make no sense together.
    """
    values = _TABLE.parse(words, {})
    timeout_s, sleep_s = values["timeout_s"], values["sleep_s"]
    if sleep_s is None:
        sleep_s = timeout_s // 2
    if not LEAST_TIMEOUT_S <= timeout_s <= LONGEST_TIMEOUT_S:
        raise UsageError(
            f"TIMEOUT {timeout_s}: {LEAST_TIMEOUT_S} to {LONGEST_TIMEOUT_S} seconds were expected"
        )
    if not 1 <= sleep_s < timeout_s:
        raise UsageError(
            f"SLEEP {sleep_s}: 1 to {timeout_s - 1} seconds were expected, as the timer expires after "
            f"{timeout_s}; half of that is the usual choice"
        )
    return Options(**values | {"sleep_s": sleep_s, "hypervisor": _hypervisor(values["hypervisor"])})


def _hypervisor(name: str) -> str:
    try:
        return absolute_name(name, "xen, auto or sim:DIR was expected")
    except ValueError as error:
        raise UsageError(f"--hypervisor {name}: {error}") from error


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r}: whole seconds were expected")
    return int(text)


_TABLE = ArgparseTable(
    "xenwatchdogd",
    (
        Option("timeout", "TIMEOUT", "seconds after which the hypervisor acts", _seconds, sets="timeout_s"),
        Option(
            "sleep",
            "SLEEP",
            "seconds between settings (TIMEOUT/2)",
            _seconds,
            sets="sleep_s",
            is_optional=True,
        ),
        Option("-F --foreground", "", "stay in the foreground; the log is standard error"),
        Option("-x --safe-exit", "", "disarm the timer at SIGTERM and SIGINT, too"),
        Option("-p --pid-file", "FILE", "(%(default)s)", os.path.abspath, default=PID_FILE),
        Option("--hypervisor", "KIND", "xen, auto, or sim:DIR: a simulated host", default="auto"),
        Option("-V --version", prints=f"xenwatchdogd {xend.VERSION}"),
    ),
    description="Resets the host unless this program sets a timer again and again.",
)
