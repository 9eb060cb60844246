"""Debian's init script /etc/init.d/xen as it is, with this project's daemons at the paths that it starts.

It runs in a mount namespace: /sys says that this is Xen 4.17, the programs of Debian's xen-utils are ours,
and /run, /etc/default and the log directory are a simulated host's.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place
from tests.others import private
from tests.peers.daemons import need, preloaded
from tests.peers.debian import XEN_BIN
from tests.starter import Starter
from xenclient.store.blocking import Client
from xenclient.store.errors import ConnectError
from xenstore.errors import ENOENT

SCRIPT = Path("/etc/init.d/xen")
OURS = ("xenstored", "xenconsoled", "xen-init-dom0")
#: In $1 is what it sees; choom(1) may do what it is asked to on a host, but not in every container, and there
#: is no qemu of dom0's here.
MOUNTS = """set -e
mount -t tmpfs none /sys
mkdir -p /sys/hypervisor/version
echo xen >/sys/hypervisor/type
echo 4 >/sys/hypervisor/version/major
echo 17 >/sys/hypervisor/version/minor
for place in /etc/default /run; do mount --bind "$1$place" $place; done
mount --bind "$1/bin" "$2"
mount --bind "$1/choom" /usr/bin/choom
[ ! -e /usr/libexec/xen-qemu-system-i386 ] || mount --bind /dev/null /usr/libexec/xen-qemu-system-i386
shift 2
exec "$@"
"""
CHOOM = """#!/bin/sh
[ "$1 $2" = "-n -1000" ] || exit 9
shift 2
program=$1
shift
[ "$1" != -- ] || shift
exec "$program" "$@"
"""
DEFAULTS = """XENSTORED={bin}/xenstored
XENSTORED_ARGS="--platform sim:{sim}"
XENCONSOLED_ARGS="--hypervisor sim:{sim} --log-dir {top}/log"
"""


@attrs.frozen
class Dom0:
    """The host as the script sees it."""

    top: Path
    environment: dict[str, str]

    def run(self, word: str) -> subprocess.CompletedProcess[str]:
        """One call of the script."""
        return private.run(MOUNTS, self.top, XEN_BIN, SCRIPT, word, environment=self.environment)

    def pid(self, name: str) -> int | None:
        """Of a daemon, by its pid file; None: it does not run."""
        with suppress(OSError, ValueError):
            pid = int((self.top / f"run/{name}.pid").read_text())
            os.kill(pid, 0)
            return pid
        return None

    def written(self, path: str) -> bytes | None:
        """What the store has there, as somebody asks it who is not in the namespace."""
        try:
            with Client(
                str(self.top / "run/xenstored/socket"), timeout=PATIENCE_SECONDS, reconnect=0
            ) as client:
                return client.read(path)
        except (ConnectError, ENOENT):
            return None


@pytest.fixture
def dom0(starter: Starter, tmp_path: Path) -> Iterator[Dom0]:
    need(
        SCRIPT,
        XEN_BIN / "xenconsoled",
        Path("unshare"),
        Path("cc"),
        Path("start-stop-daemon"),
        Path("xenstore-read"),
    )
    for name in ("etc/default", "run", "bin", "log", "proc-xen"):
        (tmp_path / name).mkdir(parents=True)
    for name in OURS:
        shutil.copy(Path(sys.executable).parent / name, tmp_path / "bin")
    (tmp_path / "choom").write_text(CHOOM)
    (tmp_path / "choom").chmod(0o755)
    (tmp_path / "proc-xen/capabilities").write_text("control_d\n")
    place = Place(tmp_path / "host", starter.bin)
    place.host.start()
    sim = place.top / "sim"
    (tmp_path / "etc/default/xen").write_text(DEFAULTS.format(bin=XEN_BIN, sim=sim, top=tmp_path))
    environment = {
        **{name: value for name, value in place.environment.items() if not name.startswith("XENSTORED")},
        "LD_PRELOAD": preloaded("proc_xen"),
        "PROC_XEN": str(tmp_path / "proc-xen"),
        "TERM": "dumb",
    }
    made = Dom0(tmp_path, environment)
    yield made
    for name in ("xenconsoled", "xenstore"):
        if (pid := made.pid(name)) is not None:
            os.kill(pid, signal.SIGTERM)
    place.clean_up()


def test_start_twice_and_stop(dom0: Dom0) -> None:
    first = dom0.run("start")
    assert (first.returncode, first.stderr) == (0, ""), first
    store, consoles = dom0.pid("xenstore"), dom0.pid("xenconsoled")
    assert None not in (store, consoles), first
    assert dom0.written("/local/domain/0/name") == b"Domain-0"

    # It compares /proc/PID/exe with the program's file, and Python's is another: so it tries to start one,
    # which the store that runs refuses, and changes nothing.
    second = dom0.run("start")
    assert "No suitable xenstored binary found to start." in second.stdout + second.stderr, second
    assert (dom0.pid("xenstore"), dom0.pid("xenconsoled")) == (store, consoles)

    # The console daemon is found by its name; the store is never stopped, as Xen's own cannot be.
    stopped = dom0.run("stop")
    assert stopped.returncode == 0, stopped
    assert (dom0.pid("xenstore"), dom0.pid("xenconsoled")) == (store, None)
    assert dom0.written("/local/domain/0/name") == b"Domain-0"

    assert dom0.run("restart").returncode == 0
    assert dom0.pid("xenstore") == store
    assert dom0.pid("xenconsoled") not in (None, consoles)
