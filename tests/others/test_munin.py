"""munin's Xen plugins of munin-monitoring/contrib, as they are, with our xm, xl and xentop.

They are no package of Debian's: $MUNIN_CONTRIB names a checkout of that repository, or its git directory.
Without one, how they read what is printed is in tests/unit/xenclient/top/test_parsers.py.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.others import private
from tests.peers.daemons import need

#: What one prints, given these words: values by names.
Plugin = Callable[..., dict[str, str]]
FOLDER = "plugins/xen"
PLUGINS = ("xen", "xen-cpu", "xen-multi", "xen_cpu_v2", "xen_memory", "xen_traffic_all", "xen_vbd")
#: From what is mounted where to the plugin: they call xm and xentop in /usr/sbin, and one writes into /tmp.
MOUNTS = """set -e
mount --bind "$1/sbin" /usr/sbin
mount --bind "$1/tmp" /tmp
shift
exec "$@"
"""
#: For those that use munin's own module where that is not installed; what it does is written in its manual.
MODULE = """package Munin::Plugin;
use Exporter 'import';
our @EXPORT = ('clean_fieldname');
sub clean_fieldname { my $name = shift; $name =~ s/^[^A-Za-z_]/_/; $name =~ s/[^A-Za-z0-9_]/_/g; $name }
1;
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A directory with them."""
    need(Path("perl"), Path("unshare"), Path("awk"))
    where = Path(os.environ.get("MUNIN_CONTRIB", "/usr/local/share/munin/contrib"))
    if not where.is_dir():
        pytest.skip(f"no checkout of munin-monitoring/contrib at {where} (MUNIN_CONTRIB)")
    folder = where / FOLDER
    for name in PLUGINS:
        path = tmp_path / name
        if folder.is_dir():
            shutil.copy(folder / name, path)
        else:
            git = ["git", "-C", str(where), "show", f"HEAD:{FOLDER}/{name}"]
            path.write_bytes(subprocess.run(git, check=True, capture_output=True).stdout)
        path.chmod(0o755)
    return tmp_path


@pytest.fixture
def run(host: Place, plugins: Path) -> Plugin:
    for name in ("sbin", "tmp", "state", "perl/Munin"):
        (plugins / name).mkdir(parents=True)
    (plugins / "perl/Munin/Plugin.pm").write_text(MODULE)
    for name in ("xm", "xl", "xentop"):
        shutil.copy(host.program(name), plugins / "sbin")

    def run(plugin: str, *words: str) -> dict[str, str]:
        """What it prints: values by names."""
        environment = {
            **host.environment,
            "MUNIN_PLUGSTATE": str(plugins / "state"),
            "PERL5LIB": str(plugins / "perl"),
            "TMPDIR": "/tmp",
        }
        done = private.run(MOUNTS, plugins, plugins / plugin, *words, environment=environment)
        assert done.returncode == 0, done
        lines = [line.partition(" ") for line in done.stdout.splitlines() if line]
        return {name: value for name, _, value in lines}

    return run


def test_each_tells_of_each_domain(host: Place, run: Plugin) -> None:
    host.create("web-1")
    host.create("db.x")
    names = {"Domain_0", "web_1", "db_x"}
    for plugin in PLUGINS:
        assert run(plugin, "autoconf") in ({"yes": ""}, {"no": "(/proc/net/dev not found)"})

    run("xen", "config")
    assert set(run("xen")) == {f"{name}.value" for name in names}
    labels = run("xen-cpu", "config")
    assert {labels[f"{name}.label"] for name in names} == names
    for _ in range(2):  # the first has nothing to compare with
        assert set(run("xen_cpu_v2")) == {"Domain-0.value", "web-1.value", "db.x.value"}
    memory = run("xen_memory")
    assert int(memory["total_memory.value"]) > int(memory["free_memory.value"]) > 0
    multi = run("xen-multi")
    for name in names:
        assert int(multi[f"{name}_mem.value"]) >= 32 << 10
        counters = ("cpu", "cpu_time", "nettx", "netrx", "vbdrd", "vbdwr")
        assert {f"{name}_{counter}.value" for counter in counters} <= set(multi)
    assert {f"{name}_mem.label" for name in names} <= set(run("xen-multi", "config"))
