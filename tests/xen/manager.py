"""Our xend as the manager of a booted host."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.xen import stores
from tests.xen.dom0 import Dom0, script
from tests.xen.stores import Store

ROOT = Path(__file__).parents[2]
#: The environment this test runs in: dom0 sees it at the same place.
BIN = Path(sys.prefix) / "bin"
#: The start of a daemon of ours to its word that it serves.
LIMIT_S = 180
CONFIG = "/run/etc"
#: On the share, so that a failure shows what was logged.
LOG = "/run/share/log/xend"
PID = "/run/xend.pid"


def start(dom0: Dom0, store: Store = stores.OURS, config: str = CONFIG) -> None:
    """Bring the host up: a store, xend, a bridge.  Raises dom0.Failed."""
    dom0.must(
        f"{script('host')}mkdir -p {CONFIG}/scripts {LOG}/dump\ncp {ROOT}/xend/scripts/* {CONFIG}/scripts\n"
        f"mount -t tmpfs -o mode=700 dump {LOG}/dump"  # cores are large for a share
    )
    start_store(dom0, store)
    start_xend(dom0, config)


def start_store(dom0: Dom0, store: Store = stores.OURS) -> None:
    """Start a store, or start it again; returns once it serves.  Raises dom0.Failed."""
    serves = "until xenstore-read -s / >/dev/null 2>&1; do read -r -t 0.2 <>/run/never || true; done"
    dom0.must(f"{store.command} >/run/share/log/xenstored-start.log 2>&1\n{serves}", LIMIT_S)


def start_xend(dom0: Dom0, config: str = CONFIG) -> None:
    """Start xend, or start it again; returns once it serves.  Raises dom0.Failed.

    config: where it has its scripts.
    """
    options = f"--hypervisor xen --config-dir {config} --log-dir {LOG} --pid-file {PID} --bridge xenbr0"
    dom0.must(f"{BIN}/xend {options}", LIMIT_S)


def kill(dom0: Dom0, *pid_files: str) -> None:
    """End daemons as by a crash; returns once they are gone.  Raises dom0.Failed."""
    dom0.must(
        f"pids=$(cat {' '.join(pid_files)})\nkill -9 $pids\n"
        "for pid in $pids; do while [ -e /proc/$pid ]; do read -r -t 0.1 <>/run/never || true; done; done"
    )


@contextmanager
def consoles_of_debians(dom0: Dom0) -> Iterator[None]:
    """Debian's console daemon, which its xl waits for; beside xend, each serves the domains of the other."""
    dom0.must("xenconsoled --log=guest --pid-file=/run/xenconsoled.pid")
    yield
    dom0.must("kill $(cat /run/xenconsoled.pid); while pgrep -x xenconsoled; do sleep 0.1; done")
