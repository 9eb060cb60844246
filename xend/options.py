"""xend's command line."""

import grp
import os
import sys
from collections.abc import Mapping, Sequence

import attrs

import xend
from xend.hypervisor.choose import SIMULATED, absolute_name
from xend.settings import DESTROY_SECONDS, HOTPLUG_SECONDS, INIT_SECONDS, VIF_SCRIPT
from xenstore.daemon.argparse_table import ArgparseTable
from xenstore.daemon.options import Option, UsageError, path

__all__ = ["Options", "UsageError", "config_directory", "parse"]

RUNDIR = "/var/run/xend"
LOG_DIRECTORY = "/var/log/xen"
STORE = "/var/run/xenstored/socket"
EMBEDDED = "embedded"
#: By system, the first whose name sys.platform begins with.
SAVE_DIRECTORIES = {"netbsd": "/var/db/xend/saved", "": "/var/lib/xend/saved"}
CONFIG_DIRECTORIES = {"netbsd": "/usr/pkg/etc/xen", "": "/etc/xen"}


@attrs.frozen(kw_only=True)
class Options:
    """What the command line asks for; all paths absolute.

    Attributes:
        hypervisor: "xen", "auto" or "sim:DIR".
        store: the socket of a xenstored; None: one of xend's own.
        failpoint: "KIND:STEP", STEP its name or its index: where a test makes xend kill itself.
    """

    hypervisor: str
    store: str | None
    rundir: str
    config_directory: str
    log_directory: str
    save_directory: str
    root: str
    pid_file: str | None
    foreground: bool
    operate_gid: int | None
    read_gid: int | None
    platform: str | None
    failpoint: str | None
    vif_script: str | None
    bridge: str | None
    init_seconds: float
    hotplug_seconds: float
    destroy_seconds: float

    @property
    def simulator_directory(self) -> str | None:
        """Where the simulated host lives; None: it is real."""
        return self.hypervisor.removeprefix(SIMULATED) if self.hypervisor.startswith(SIMULATED) else None

    @property
    def store_rundir(self) -> str:
        """Of the embedded store."""
        return os.path.join(self.rundir, "xenstored")

    @property
    def store_socket(self) -> str:
        """Where the store is reached."""
        return self.store or os.path.join(self.store_rundir, "socket")


def parse(words: Sequence[str], environment: Mapping[str, str]) -> Options:
    """The options; exits after --help and --version.

    Raises:
        UsageError: there is no such option or value.
    """
    values = _TABLE.parse(words, environment)
    rundir = values["rundir"] or RUNDIR
    hypervisor = _hypervisor(values["hypervisor"], rundir)
    is_simulated = hypervisor.startswith(SIMULATED)
    store = values["store"] or (EMBEDDED if is_simulated else store_path(environment))
    values |= {
        "hypervisor": hypervisor,
        "store": None if store == EMBEDDED else os.path.abspath(store),
        "rundir": rundir,
        "config_directory": values["config_directory"] or config_directory(),
        "pid_file": values["pid_file"] or None,
        "operate_gid": _gid(values.pop("operate_group")),
        "read_gid": _gid(values.pop("read_group")),
    }
    return Options(**values)


def _hypervisor(name: str, rundir: str) -> str:
    if name == "sim":
        return SIMULATED + os.path.join(rundir, "sim")
    try:
        return absolute_name(name, "sim, sim:DIR, xen or auto was expected")
    except ValueError as error:
        raise UsageError(f"--hypervisor {name}: {error}") from error


def store_path(environment: Mapping[str, str]) -> str:
    """Where xenstored's socket is, by its own variables."""
    if path := environment.get("XENSTORED_PATH"):
        return path
    if directory := environment.get("XENSTORED_RUNDIR"):
        return os.path.join(directory, "socket")
    return STORE


def config_directory() -> str:
    """Where configurations and scripts are on this system."""
    return _of_system(CONFIG_DIRECTORIES)


def _of_system(directories: Mapping[str, str]) -> str:
    return next(path for name, path in directories.items() if sys.platform.startswith(name))


def _gid(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {group}") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise ValueError(f"{text!r}: seconds above 0 were expected")
    return seconds


def _seconds_option(name: str, default: float, what: str) -> Option:
    return Option(f"--{name}-seconds", "S", f"how long {what} (%(default)g)", _seconds, default=default)


_TABLE = ArgparseTable(
    "xend",
    (
        Option(
            "--hypervisor",
            "KIND",
            "xen, auto (xen where it is found), or sim: a simulated host, in RUNDIR/sim or sim:DIR",
            default="auto",
        ),
        Option(
            "--store",
            "PATH",
            "xenstored's socket, or embedded: one of its own in RUNDIR/xenstored "
            f"(default: embedded with sim, else $XENSTORED_PATH or {STORE})",
        ),
        Option("--rundir", "DIR", "sockets and state (%(default)s)", path, default=RUNDIR),
        Option(
            "--config-dir",
            "DIR",
            "scripts/ and domains' files (%(default)s)",
            path,
            sets="config_directory",
            default=config_directory(),
        ),
        Option(
            "--log-dir",
            "DIR",
            "xend.log and console/ (%(default)s)",
            os.path.abspath,
            sets="log_directory",
            default=LOG_DIRECTORY,
        ),
        Option(
            "--save-dir",
            "DIR",
            "domains that were saved as the host stopped (%(default)s)",
            os.path.abspath,
            sets="save_directory",
            default=_of_system(SAVE_DIRECTORIES),
        ),
        Option("--root", "DIR", "put before the paths of guests' kernels and disks", path, default=""),
        Option("--pid-file", "FILE", "holds the process id while it runs", path),
        Option(
            "--no-fork", "", "stay in the foreground; the log goes to standard error too", sets="foreground"
        ),
        Option("--operate-group", "GROUP", "its members may do everything: they are root"),
        Option("--read-group", "GROUP", "its members may look"),
        Option(
            "--platform",
            "",
            "whose conventions scripts follow (default: this system's)",
            choices=("linux", "netbsd"),
        ),
        Option(
            "--vif-script",
            "NAME",
            "the hotplug script of interfaces that name none: vif-nat, vif-route ... (default: xl.conf's, "
            f"or {VIF_SCRIPT})",
        ),
        Option(
            "--bridge",
            "NAME",
            "of interfaces that name none (default: xl.conf's, or bridge0 on NetBSD, xenbr0 on Linux)",
        ),
        Option("--version", prints=f"xend {xend.VERSION}"),
        _seconds_option("init", INIT_SECONDS, "a device's backend may take to appear"),
        _seconds_option("hotplug", HOTPLUG_SECONDS, "a hotplug script may take"),
        _seconds_option("destroy", DESTROY_SECONDS, "a device's backend may take to close"),
        Option("", sets="failpoint", variable="XEND_FAILPOINT"),
    ),
    description="Manages the domains of a Xen host.",
)
