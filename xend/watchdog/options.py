"""The command line of xenwatchdogd: Xen's, and ours."""

import argparse
import os
from collections.abc import Sequence

import attrs

import xend
from xend.hypervisor.choose import SIMULATED, valid_name
from xend.options import Parser, UsageError

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
    chosen = _parser().parse_args(words)
    timeout_s = chosen.timeout
    sleep_s = timeout_s // 2 if chosen.sleep is None else chosen.sleep
    if not LEAST_TIMEOUT_S <= timeout_s <= LONGEST_TIMEOUT_S:
        raise UsageError(
            f"TIMEOUT {timeout_s}: {LEAST_TIMEOUT_S} to {LONGEST_TIMEOUT_S} seconds were expected"
        )
    if not 1 <= sleep_s < timeout_s:
        raise UsageError(
            f"SLEEP {sleep_s}: 1 to {timeout_s - 1} seconds were expected, as the timer expires after "
            f"{timeout_s}; half of that is the usual choice"
        )
    return Options(
        timeout_s=timeout_s,
        sleep_s=sleep_s,
        safe_exit=chosen.safe_exit,
        foreground=chosen.foreground,
        pid_file=os.path.abspath(chosen.pid_file),
        hypervisor=_hypervisor(chosen.hypervisor),
    )


def _hypervisor(name: str) -> str:
    if not valid_name(name):
        raise UsageError(f"--hypervisor {name}: xen, auto or {SIMULATED}DIR was expected")
    if name.startswith(SIMULATED):
        return SIMULATED + os.path.abspath(name.removeprefix(SIMULATED))
    return name


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="xenwatchdogd", description="Resets the host unless this program sets a timer again and again."
    )
    add = parser.add_argument
    add("timeout", metavar="TIMEOUT", type=_seconds, help="seconds after which the hypervisor acts")
    add("sleep", metavar="SLEEP", type=_seconds, nargs="?", help="seconds between settings (TIMEOUT/2)")
    add("-F", "--foreground", action="store_true", help="stay in the foreground; the log is standard error")
    add("-x", "--safe-exit", action="store_true", help="disarm the timer at SIGTERM and SIGINT, too")
    add("-p", "--pid-file", metavar="FILE", default=PID_FILE, help="(%(default)s)")
    add("--hypervisor", metavar="KIND", default="auto", help="xen, auto, or sim:DIR: a simulated host")
    add("-V", "--version", action="version", version=f"xenwatchdogd {xend.VERSION}")
    return parser


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r}: whole seconds were expected")
    return int(text)
