"""What starts domains with the host: Debian's init script xendomains, and Xen's own; twice, status, stop.

They run as they are, in mount namespaces where /usr/sbin/xl is ours, and /etc/xen and /etc/default are the
simulated host's.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.others import private
from tests.peers.daemons import need, preloaded
from tests.peers.debian import XEN_BIN

DEBIANS, XENS = Path("/etc/init.d/xendomains"), XEN_BIN / "xendomains"
DOMAIN = """name = "{name}"
kernel = "/boot/vmlinuz"
memory = 64
disk = [ 'phy:/srv/{disk},xvda,w' ]
"""
DEFAULTS = """XENDOMAINS_AUTO=/etc/xen/auto
XENDOMAINS_SAVE=
XENDOMAINS_RESTORE=true
XENDOMAINS_SHUTDOWN=--wait
XENDOMAINS_SHUTDOWN_ALL="--all --wait"
XENDOMAINS_AUTO_ONLY={auto_only}
XENDOMAINS_CREATE_USLEEP=1
XENDOMAINS_STOP_MAXWAIT=30
XENDOMAINS_SYSRQ=
XENDOMAINS_USLEEP=1
XENDOMAINS_MIGRATE=
"""
#: From what is mounted where to the script and its word; $1 is the host's directory.
MOUNTS = """set -e
for place in /etc/xen /etc/default /var/lock /run/lock; do mount --bind "$1$place" $place; done
mount --bind "$1/xl" /usr/sbin/xl
shift
exec "$@"
"""


@pytest.fixture
def etc(host: Place) -> Path:
    """The host's files as the scripts see them, with two domains that start with it."""
    need(DEBIANS, XENS, Path("unshare"), Path("cc"))
    top = host.top / "seen"
    shutil.rmtree(top, ignore_errors=True)
    for name in ("etc/xen/auto", "etc/xen/scripts", "etc/default", "var/lock", "run/lock", "proc-xen"):
        (top / name).mkdir(parents=True)
    shutil.copy("/etc/xen/scripts/hotplugpath.sh", top / "etc/xen/scripts")
    for name, disk in (("web", "disk0"), ("db", "disk1")):
        (top / f"etc/xen/{name}.cfg").write_text(DOMAIN.format(name=name, disk=disk))
        (top / f"etc/xen/auto/{name}.cfg").symlink_to(f"../{name}.cfg")
    (top / "etc/default/xendomains").write_text(DEFAULTS.format(auto_only="false"))
    (top / "proc-xen/privcmd").touch()
    shutil.copy(host.program("xl"), top / "xl")
    return top


def run(host: Place, etc: Path, script: Path, word: str) -> subprocess.CompletedProcess[str]:
    """One call of a script."""
    environment = {
        **host.environment,
        "LD_PRELOAD": preloaded("proc_xen"),
        "PROC_XEN": str(etc / "proc-xen"),
        "TERM": "dumb",
    }
    return private.run(MOUNTS, etc, script, word, environment=environment)


def test_debians(host: Place, etc: Path) -> None:
    first = run(host, etc, DEBIANS, "start")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        f"Starting Xen domain {name} (from /etc/xen/auto/{name}.cfg)...done." for name in ("db", "web")
    ]
    domains = [each[:3] for each in host.domains()]
    second = run(host, etc, DEBIANS, "start")
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.splitlines() == [f"Xen domain {name} already running." for name in ("db", "web")]
    assert [each[:3] for each in host.domains()] == domains
    stopped = run(host, etc, DEBIANS, "stop")
    assert (stopped.returncode, host.names()) == (0, []), stopped
    assert "fail" not in stopped.stdout


def test_debians_saves_and_restores(host: Place, etc: Path) -> None:
    """What runs as the host goes down is saved, and goes on as it comes up, before others are created."""
    saved = etc / "saved"
    saved.mkdir(mode=0o700)
    defaults = DEFAULTS.format(auto_only="false").replace("XENDOMAINS_SAVE=", f"XENDOMAINS_SAVE={saved}")
    # So long it looks after a save that has ended.
    defaults = defaults.replace("STOP_MAXWAIT=30", "STOP_MAXWAIT=5")
    (etc / "etc/default/xendomains").write_text(defaults)
    assert run(host, etc, DEBIANS, "start").returncode == 0
    uuids = {each[1]: each[2] for each in host.domains()}
    stopped = run(host, etc, DEBIANS, "stop")
    assert (stopped.returncode, host.names()) == (0, []), stopped
    assert sorted(os.listdir(saved)) == ["db", "web"]
    started = run(host, etc, DEBIANS, "start")
    assert (started.returncode, started.stderr) == (0, "")
    assert [line for line in started.stdout.splitlines() if "Restoring" in line] == [
        f"Restoring Xen domain {name} (from {saved}/{name})...done." for name in ("db", "web")
    ]
    assert os.listdir(saved) == []
    assert {each[1]: each[2] for each in host.domains()} == uuids
    (saved / "db").write_text("damaged")
    assert "db" in host.names()
    again = run(host, etc, DEBIANS, "start")
    assert "no saved domain" in again.stdout + again.stderr or "truncated" in again.stdout + again.stderr
    assert os.listdir(saved) == ["db"]  # what cannot be restored is kept


@pytest.mark.parametrize("auto_only", ["true", "false"])
def test_xens(host: Place, etc: Path, auto_only: str) -> None:
    (etc / "etc/default/xendomains").write_text(DEFAULTS.format(auto_only=auto_only))
    other = host.create("other")
    for word, status, said, names in (
        ("status", 3, "[unused]", ["other"]),
        ("start", 0, "Starting auto Xen domains: db.cfg web.cfg", ["other", "db", "web"]),
        ("start", 0, "xendomains already running (lockfile exists)", ["other", "db", "web"]),
        ("status", 0, "Checking for xendomains: db web  [running]", ["other", "db", "web"]),
        ("stop", 0, " db(shut) web(shut)", []),
        ("status", 3, "[unused]", []),
    ):
        done = run(host, etc, XENS, word)
        printed = re.sub(r"\(shut\)\.+", "(shut)", done.stdout)  # a dot while it waits
        assert (done.returncode, said in printed) == (status, True), done
        assert host.names() == names
    assert other
