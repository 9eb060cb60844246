"""The guide's NetBSD."""

import shutil
import sys

from tests.guide.host import HOME, MACHINE, Host
from tests.rcd.host import HERE as RCD
from tests.rcd.host import ROOT, SERVICES, SIMULATED
from xend.simulator.image import write_kernel

PYTHON = "/usr/pkg/bin/python3.11"
FOR_BOTH = ("sysctl", "swapctl", "ifconfig", "brconfig", "vnconfig", "route", "npfctl", "iscsictl")
FOR_ROOT = ("mount", "make", "pkgin", "dd", "ftp", "lvm", "shutdown", "network", "MAKEDEV", "iscsid", "npf")
#: These are other programs' too, which want the machine's own.
FOR_SCRIPTS = ("uname", "stat", "mount")
#: In /etc/rc.conf.d, so that what the guide says in rc.conf counts: where the simulated machine is.
SIMULATIONS = {
    "xencommons": ("xenstored_flags", "xenconsoled_flags"),
    "xend": ("xend_flags",),
    "xenbackendd": ("xenbackendd_flags",),
    "xenwatchdog": ("xenwatchdog_flags",),
}
#: Services of the system's that the guide enables.
SERVICE = """\
# PROVIDE: {name}
# BEFORE: DAEMON
. /etc/rc.subr
name={name} rcvar={name} start_cmd='echo Starting {name}.; /rescue/{name}'
load_rc_config {name}
run_rc_command "$1"
"""


class NetBSD(Host):
    """kernfs is not mounted, the devices were not made."""

    path_of_root = "/rescue:/usr/pkg/sbin:/usr/pkg/bin:/sbin:/bin:/usr/sbin:/usr/bin"

    def prepare(self) -> None:
        self._services()
        self._programs()
        self.said(sys.executable, "-m", "venv", "--without-pip", "/usr/pkg")
        shutil.copytree(ROOT / "pkgsrc", self.path(f"{HOME}/xend/pkgsrc"))
        for name in ("sysutils", "distfiles"):
            self.path(f"/usr/pkgsrc/{name}").mkdir(parents=True)
        for kernel in ("/netbsd-XEN3_DOMU.gz", "/netbsd-INSTALL_XEN3_DOMU.gz"):
            write_kernel(self.path(kernel))
        self.write("/etc/fstab", "/dev/wd0a / ffs rw 1 1\n")
        for file in ("/boot.cfg", "/etc/rc.conf", "/etc/npf.conf"):
            self.write(file, "")
        self.said("sh", "-c", "umount /dev/xenevt /dev/xsd_kva && rm /dev/xenevt /dev/xsd_kva")
        self.said("sh", "-c", f"mkdir -p {MACHINE}/kern && mv /kern/* {MACHINE}/kern")
        self.said("mknod", f"{MACHINE}/block", "b", "7", "0")

    def _services(self) -> None:
        for file in sorted((RCD / "etc").iterdir()):
            self.write(f"/etc/{file.name}", file.read_text())
        order = (RCD / "order.py").read_text()
        self.write("/rescue/rcorder", f"#!{PYTHON}\n{order}", 0o755)
        for name, words in SERVICES.items():
            does = "/rescue/network start" if name == "network" else ":"
            self.write(f"/etc/rc.d/{name}", f"# {words}\n{does}\n", 0o755)
        for name in ("iscsid", "npf"):
            self.write(f"/etc/rc.d/{name}", SERVICE.format(name=name), 0o755)
        given = dict(line.split("=", 1) for line in SIMULATED.strip().splitlines())
        for service, variables in SIMULATIONS.items():
            lines = [f'{name}="{given[name].strip(chr(34))} ${{{name}:-}}"' for name in variables]
            self.write(f"/etc/rc.conf.d/{service}", "\n".join(lines) + "\n")

    def _programs(self) -> None:
        """Scripts look for programs in /usr/pkg/sbin first."""
        for_root = [("/rescue", name) for name in (*FOR_ROOT, *FOR_BOTH)]
        for_scripts = [("/usr/pkg/sbin", name) for name in (*FOR_SCRIPTS, *FOR_BOTH)]
        self.stand_in("netbsd", [*for_root, *for_scripts])
        for name in ("units", "disks", "bridges", "addresses", "table"):
            self.path(f"{MACHINE}/{name}").mkdir()
        self.write("/dev/MAKEDEV", 'exec /rescue/MAKEDEV "$@"\n')
