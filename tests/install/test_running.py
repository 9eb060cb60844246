"""What was installed runs without the tree it came from."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.install.site import PATIENCE_SECONDS, TREE, Site
from tests.manager.daemon import Daemon
from tests.scripts.namespace import lacking
from xend.simulator.image import write_kernel

#: Runs a program where the tree is an empty directory.
HIDDEN = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(TREE)]

CONFIGURATION = """
kernel = "/kernel"
memory = 32
vif = [ 'bridge=none,script=vif-check' ]
"""

#: Says which of the store's command lines a hotplug script finds.
SCRIPT = """\
#!/bin/sh
xenstore-write /test/found "$(command -v xenstore-write)"
xenstore-write "/local/domain/0/$XENBUS_PATH/hotplug-status" connected
"""

LOADED = """
import importlib, json, pkgutil, sys
import xenclient, xend, xenstore
for package in (xenclient, xend, xenstore):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
files = [module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)]
print(json.dumps({"path": sys.path, "files": files}))
"""


def test_all_modules_come_from_the_installation(site: Site) -> None:
    done = site.run(site.python, "-c", LOADED)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert [path for path in (*loaded["path"], *loaded["files"]) if path.startswith(f"{TREE}/")] == []
    ours = [path for path in loaded["files"] if path.startswith(str(site.modules))]
    assert sum("/xenstore/_" in path for path in ours) > 20


@pytest.fixture(scope="module")
def hidden() -> list[str]:
    """What hides the tree; skips where that cannot be done."""
    if os.geteuid() != 0:
        lacking("mount namespaces are root's to make")
    if shutil.which("unshare") is None:
        lacking("not installed: unshare (Debian: util-linux)")
    argv = [*HIDDEN, "test", "!", "-e", str(TREE / "Makefile")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd="/")
    if done.returncode != 0:
        lacking(f"the tree cannot be hidden: {done.stderr.strip()}")
    return HIDDEN


class Host:
    """A simulated host, and the installed daemons on it."""

    def __init__(self, site: Site, hidden: list[str], stack: ExitStack) -> None:
        self.site = site
        self._hidden = hidden
        self._stack = stack
        self.host = site.top / "h"
        self.store_socket = site.top / "s/socket"
        self.socket = site.top / "x/socket"
        site.environment |= {
            "XENSTORED_PATH": str(self.store_socket),
            "XEND_SOCKET": str(self.socket),
            "XEND_CONFIG_DIR": str(site.etc),
        }

    def start(self, socket: str, pid_file: str, *argv: str) -> Daemon:
        """A daemon that returned, and serves."""
        daemon = Daemon(
            [*self._hidden, *argv], self.site.top / socket, self.site.top / pid_file, self.site.environment
        )
        self._stack.callback(daemon.clean_up)
        daemon.start(cwd="/")
        return daemon

    def start_all(self) -> None:
        top, sbin = self.site.top, self.site.prefix / "sbin"
        pid = ["--pid-file"]
        sim = f"sim:{self.host}"
        self.start(
            "h/host.socket", "h/host.pid", str(self.site.python), "-m", "xend.simulator", str(self.host)
        )
        store = [str(sbin / "xenstored"), "--rundir", str(top / "s"), "--platform", sim]
        self.start("s/socket", "s.pid", *store, *pid, str(top / "s.pid"))
        assert self.said("xen-init-dom0") == "Done setting up Dom0\n"
        xend = [str(sbin / "xend"), "--hypervisor", sim, "--store", str(self.store_socket)]
        xend += ["--platform", "linux"]
        where = [
            "--rundir",
            top / "x",
            "--config-dir",
            self.site.etc,
            "--log-dir",
            top / "l",
            "--root",
            top / "r",
        ]
        self.start("x/socket", "x.pid", *xend, *map(str, where), *pid, str(top / "x.pid"))
        dog = [str(sbin / "xenwatchdogd"), "--hypervisor", sim, "--safe-exit", "3000"]
        self.start("w.pid", "w.pid", *dog, *pid, str(top / "w.pid"))

    def said(self, *argv: str) -> str:
        """What an installed program prints that succeeds without a complaint."""
        directory = "sbin" if argv[0] == "xen-init-dom0" else "bin"
        done = self.site.run(self.site.prefix / directory / argv[0], *argv[1:], hidden=self._hidden)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout


@pytest.fixture
def host(site: Site, hidden: list[str]) -> Iterator[Host]:
    with ExitStack() as stack:
        made = Host(site, hidden, stack)
        (site.top / "r").mkdir()
        write_kernel(site.top / "r/kernel")
        (site.etc / "web").write_text(CONFIGURATION)
        (site.etc / "scripts/vif-check").write_text(SCRIPT)
        (site.etc / "scripts/vif-check").chmod(0o755)
        made.start_all()
        yield made


def test_a_host_with_the_tree_out_of_reach(host: Host) -> None:
    host.said("xenstore-write", "/test/one", "1")
    assert host.said("xenstore-read", "/test/one") == "1\n"
    assert host.said("xenstore-list", "/test") == "one\n"
    assert host.said("xenstore-ls", "/test") == 'one = "1"\n'
    host.said("xenstore-exists", "/test/one")
    host.said("xenstore-rm", "/test/one")
    host.said("xl", "create", "-q", "web")
    assert [row.split()[0] for row in host.said("xl", "list").splitlines()[1:]] == ["Domain-0", "web"]
    domid = host.said("xl", "domid", "web").strip()
    assert host.said("xenstore-read", f"/local/domain/{domid}/name") == "web\n"
    (quick,) = host.site.prefix.glob("lib/python*/site-packages/xenclient/quick")
    assert host.said("xenstore-read", "/test/found") == f"{quick}/xenstore-write\n"
    host.said("xm", "destroy", "web")
    assert [row.split()[0] for row in host.said("xl", "list").splitlines()[1:]] == ["Domain-0"]
