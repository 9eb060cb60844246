"""The command line of xenbackendd: Xen's of old times, and ours."""

from collections.abc import Sequence

import attrs

from xenclient.store.address import Address
from xend.options import config_directory
from xend.settings import PLATFORM
from xenstore.daemon.argparse_table import ArgparseTable
from xenstore.daemon.options import Option, UsageError, path

__all__ = ["Options", "UsageError", "parse"]


@attrs.frozen(kw_only=True)
class Options:
    """What the command line asks for; all paths absolute.

    Attributes:
        vbd_script: the hotplug script of disks that name none.
        store: xenstored's socket, or the kernel's device.
        platform: whose conventions scripts follow: "linux" or "netbsd".
    """

    foreground: bool
    log_file: str
    pid_file: str | None
    vbd_script: str
    store: str
    config_directory: str
    platform: str


def parse(words: Sequence[str]) -> Options:
    """The options; exits after --help.

    Raises:
        UsageError: there is no such option or value.
    """
    return Options(**_table().parse(words, {}))


def _table() -> ArgparseTable:
    """Made when it is needed: the default of --store is where a store is just now."""
    return ArgparseTable(
        "xenbackendd",
        (
            Option("-d --debug", "", "accepted, as in old times", no_effect="it logs all there is to log"),
            Option("-f --foreground", "", "stay in the foreground"),
            Option("-l --log-file", "FILE", "(%(default)s)", path, default="/var/log/xen/xenbackendd.log"),
            Option("-p --pid-file", "FILE", "holds the process id while it runs", path),
            Option("-s --vbd-script", "NAME", "of disks that name none (%(default)s)", default="block"),
            Option(
                "--store",
                "PATH",
                "xenstored's socket, or where there is none the kernel's device (%(default)s)",
                path,
                default=Address().where,
            ),
            Option(
                "--config-dir",
                "DIR",
                "has scripts/ (%(default)s)",
                path,
                sets="config_directory",
                default=config_directory(),
            ),
            Option(
                "--platform",
                "",
                "whose conventions scripts follow",
                choices=("linux", "netbsd"),
                default=PLATFORM,
            ),
        ),
        description="Runs the hotplug scripts of this domain's backends.",
    )
