"""xend's command line."""

import argparse
import grp
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import attrs

import xend
from xend.host import DESTROY_SECONDS, HOTPLUG_SECONDS, INIT_SECONDS, VIF_SCRIPT
from xend.hypervisor.choose import SIMULATED, valid_name

RUNDIR = "/var/run/xend"
LOG_DIRECTORY = "/var/log/xen"
STORE = "/var/run/xenstored/socket"
EMBEDDED = "embedded"
#: By system, the first whose name sys.platform begins with.
CONFIG_DIRECTORIES = {"netbsd": "/usr/pkg/etc/xen", "": "/etc/xen"}


class UsageError(Exception):
    """An option or value that does not exist, in one line."""


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
    root: str
    pid_file: str | None
    foreground: bool
    operate_gid: int | None
    read_gid: int | None
    platform: str | None
    failpoint: str | None
    vif_script: str
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


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would end the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse(words: Sequence[str], environment: Mapping[str, str]) -> Options:
    """The options; exits after --help and --version.

    Raises:
        UsageError: there is no such option or value.
    """
    parser = _parser()
    chosen = parser.parse_args(words)
    rundir = os.path.abspath(chosen.rundir or RUNDIR)
    hypervisor = chosen.hypervisor
    if hypervisor == "sim":
        hypervisor = SIMULATED + os.path.join(rundir, "sim")
    if not valid_name(hypervisor):
        raise UsageError(f"--hypervisor {hypervisor}: sim, sim:DIR, xen or auto was expected")
    if hypervisor.startswith(SIMULATED):
        hypervisor = SIMULATED + os.path.abspath(hypervisor.removeprefix(SIMULATED))
    store = chosen.store or (EMBEDDED if hypervisor.startswith(SIMULATED) else store_path(environment))
    return Options(
        hypervisor=hypervisor,
        store=None if store == EMBEDDED else os.path.abspath(store),
        rundir=rundir,
        config_directory=os.path.abspath(chosen.config_dir or config_directory()),
        log_directory=os.path.abspath(chosen.log_dir),
        root=os.path.abspath(chosen.root) if chosen.root else "",
        pid_file=os.path.abspath(chosen.pid_file) if chosen.pid_file else None,
        foreground=chosen.no_fork,
        operate_gid=_gid(chosen.operate_group),
        read_gid=_gid(chosen.read_group),
        platform=chosen.platform,
        failpoint=environment.get("XEND_FAILPOINT"),
        vif_script=chosen.vif_script,
        bridge=chosen.bridge,
        init_seconds=chosen.init_seconds,
        hotplug_seconds=chosen.hotplug_seconds,
        destroy_seconds=chosen.destroy_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="xend", description="Manages the domains of a Xen host.")
    add = parser.add_argument
    add(
        "--hypervisor",
        metavar="KIND",
        default="auto",
        help="xen, auto (xen where it is found), or sim: a simulated host, in RUNDIR/sim or sim:DIR",
    )
    add(
        "--store",
        metavar="PATH",
        help=f"xenstored's socket, or embedded: one of its own in RUNDIR/xenstored "
        f"(default: embedded with sim, else $XENSTORED_PATH or {STORE})",
    )
    add("--rundir", metavar="DIR", help=f"sockets and state ({RUNDIR})")
    add("--config-dir", metavar="DIR", help=f"scripts/ and domains' files ({config_directory()})")
    add("--log-dir", metavar="DIR", default=LOG_DIRECTORY, help="xend.log and console/ (%(default)s)")
    add("--root", metavar="DIR", help="put before the paths of guests' kernels and disks")
    add("--pid-file", metavar="FILE", help="holds the process id while it runs")
    add("--no-fork", action="store_true", help="stay in the foreground; the log goes to standard error too")
    add("--operate-group", metavar="GROUP", help="its members may do everything: they are root")
    add("--read-group", metavar="GROUP", help="its members may look")
    add(
        "--platform",
        choices=("linux", "netbsd"),
        help="whose conventions scripts follow (default: this system's)",
    )
    add(
        "--vif-script",
        metavar="NAME",
        default=VIF_SCRIPT,
        help="the hotplug script of interfaces that name none: vif-nat, vif-route ... (%(default)s)",
    )
    add("--bridge", metavar="NAME", help="of interfaces that name none (bridge0 on NetBSD, xenbr0 on Linux)")
    add("--version", action="version", version=f"xend {xend.VERSION}")
    for name, default, what in (
        ("init", INIT_SECONDS, "a device's backend may take to appear"),
        ("hotplug", HOTPLUG_SECONDS, "a hotplug script may take"),
        ("destroy", DESTROY_SECONDS, "a device's backend may take to close"),
    ):
        add(
            f"--{name}-seconds",
            metavar="S",
            type=_seconds,
            default=default,
            help=f"how long {what} (%(default)g)",
        )
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: seconds above 0 were expected")
    return seconds


def store_path(environment: Mapping[str, str]) -> str:
    """Where xenstored's socket is, by its own variables."""
    if path := environment.get("XENSTORED_PATH"):
        return path
    if directory := environment.get("XENSTORED_RUNDIR"):
        return os.path.join(directory, "socket")
    return STORE


def config_directory() -> str:
    """Where configurations and scripts are on this system."""
    return next(path for name, path in CONFIG_DIRECTORIES.items() if sys.platform.startswith(name))


def _gid(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {group}") from None
