"""A dom0 of its own, NetBSD as far as rc.d scripts see: a root file system, processes, programs, a machine.

It lies in mount and process namespaces, so its paths are the real ones, nobody else sees them, and all that
runs in it ends with it.  The hypervisor is simulated; the daemons are this project's, as an installation has
them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.manager.place import clean_environment
from tests.scripts.namespace import lacking
from tests.starter import Starter, programs, script
from xend.simulator.image import write_kernel

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TEMPLATES = ROOT / "rc.d"
SCRIPTS = ("xencommons", "xend", "xenbackendd", "xendomains", "xen-watchdog")
SHARED = "xen.subr"
#: In PREFIX/sbin; all other programs are in PREFIX/bin.
SBIN = ("xenstored", "xend", "xenbackendd", "xenconsoled", "xenwatchdogd", "xen-init-dom0")
PREFIX = "/usr/pkg"
CONFIG = f"{PREFIX}/etc/xen"
#: An interpreter that is started already (tests/starter).
HANDS_OVER = f"{PREFIX}/libexec/python3"
#: What is in the templates, and what an installation puts there.
VARIABLES = {
    "PREFIX": PREFIX,
    "PKG_SYSCONFDIR": CONFIG,
    "VARBASE": "/var",
}
#: The rest of a NetBSD's order, as far as these scripts touch it.
SERVICES = {
    "network": "PROVIDE: network",
    "NETWORKING": "PROVIDE: NETWORKING\n# REQUIRE: network",
    "mountall": "PROVIDE: mountall\n# REQUIRE: NETWORKING",
    "syslogd": "PROVIDE: syslogd\n# REQUIRE: mountall",
    "SERVERS": "PROVIDE: SERVERS\n# REQUIRE: mountall syslogd",
    "DAEMON": "PROVIDE: DAEMON\n# REQUIRE: NETWORKING SERVERS",
    "cron": "PROVIDE: cron\n# REQUIRE: LOGIN\n# KEYWORD: shutdown",
    "LOGIN": "PROVIDE: LOGIN\n# REQUIRE: DAEMON",
    "bootconf.sh": "PROVIDE: bootconf\n# BEFORE: network\n# KEYWORD: nostart",
}
SIMULATION = "/sim"
#: With these rc.conf lines the daemons serve the simulated machine.
SIMULATED = f"""
xenstored_flags="--platform sim:{SIMULATION}"
xenconsoled_flags="--hypervisor sim:{SIMULATION}"
xend_flags="--hypervisor sim:{SIMULATION} --platform netbsd"
xenbackendd_flags="--platform netbsd"
xenwatchdog_flags="--hypervisor sim:{SIMULATION}"
"""
#: Says that a device is there.
HOTPLUG = f"""#!/bin/sh
if [ "$2" = 2 ]; then
    [ "${{0##*/}}" != block ] || {PREFIX}/bin/xenstore-write "$1/physical-device" 3584
    {PREFIX}/bin/xenstore-write "$1/hotplug-status" connected
fi
"""
PATIENCE_SECONDS = 120.0


def substituted(template: Path, shell: str, python: str = sys.executable) -> str:
    """A template as an installation has it."""
    text = template.read_text()
    for name, value in {**VARIABLES, "RCD_SCRIPTS_SHELL": shell, "PYTHONBIN": python}.items():
        text = text.replace(f"@{name}@", value)
    return text


class Dom0:
    """Its shell is what scripts run under.

    starter: has it begin, and its programs start fast.
    is_real: its programs are started by the interpreter itself, from nothing.

    Attributes:
        flavour: of its kernel, as the simulated machine has them.
        root: its root, as seen from outside.
        python: its programs' interpreter.
    """

    flavour = "netbsd"

    def __init__(self, shell: str, starter: Starter, is_real: bool = False) -> None:
        self.shell = shell
        self.python = sys.executable if is_real else HANDS_OVER
        self._top = Path(tempfile.mkdtemp(prefix="rcd-"))
        base = os.path.realpath(sys.base_prefix)
        # What is below /usr is there already, and /usr itself must be writable.
        lent = [path.removeprefix("/") for path in (str(ROOT), base) if path != "/usr"]
        self._begun = subprocess.Popen(
            [str(starter.python), "-m", "tests.rcd.init", str(self._top), HANDS_OVER, *lent],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._begun.stdout is not None
        self._init = self._begun.stdout.readline().strip()
        if self._begun.stdout.readline() != "up\n":
            said = self._begun.communicate()[1].strip()
            shutil.rmtree(self._top, ignore_errors=True)
            lacking(f"this kernel gives no namespaces for a dom0: {said}")
        self.root = Path("/proc", self._init, "root")
        self._environment = clean_environment() | {"PATH": "/rescue:/sbin:/bin:/usr/sbin:/usr/bin"}
        self._install()

    def close(self) -> None:
        """End all that runs in it."""
        assert self._begun.stdin is not None
        self._begun.stdin.close()
        self._begun.wait(PATIENCE_SECONDS)
        for stream in (self._begun.stdout, self._begun.stderr):
            assert stream is not None
            stream.close()
        shutil.rmtree(self._top, ignore_errors=True)

    # --- its files ------------------------------------------------------------------------------------

    def path(self, path: str) -> Path:
        """A path of its, as seen from outside."""
        return self.root / path.removeprefix("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Makes a file, and its directory."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def rc_conf(self, *lines: str) -> None:
        """What /etc/rc.conf says, beside how the daemons find the simulated machine."""
        self.write("/etc/rc.conf", SIMULATED + "\n".join(lines) + "\n")

    def _substituted(self, name: str) -> str:
        return substituted(TEMPLATES / f"{name}.in", self.shell, self.python)

    def _install(self) -> None:
        for name in SCRIPTS:
            self.write(f"/etc/rc.d/{name}", self._substituted(name), 0o755)
        self.write(f"{PREFIX}/libexec/xen/{SHARED}", self._substituted(SHARED))
        for name, words in SERVICES.items():
            self.write(f"/etc/rc.d/{name}", f"# {words}\n:\n", 0o755)
        for file in sorted((HERE / "etc").iterdir()):
            self.write(f"/etc/{file.name}", file.read_text())
        self.write("/rescue/rcorder", f"#!{sys.executable}\n{(HERE / 'order.py').read_text()}", 0o755)
        for name in programs():
            directory = "sbin" if name in SBIN else "bin"
            self.write(f"{PREFIX}/{directory}/{name}", script(name, self.python), 0o755)
        for hotplug in ("block", "vif-bridge"):
            self.write(f"{CONFIG}/scripts/{hotplug}", HOTPLUG, 0o755)
        self.path(f"{CONFIG}/auto").mkdir()
        write_kernel(self.path("/netbsd"))
        self.rc_conf()

    # --- its processes --------------------------------------------------------------------------------

    def argv(self, *argv: str) -> list[str]:
        """What runs a program in it."""
        return ["nsenter", "-t", self._init, "-m", "-p", "-r", "-w", *argv]

    def run(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program in it, and waits until nobody holds its output any more."""
        return subprocess.run(
            self.argv(*argv),
            env={**self._environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    def said(self, *argv: str) -> str:
        """What a program prints that succeeds without a complaint."""
        done = self.run(*argv)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def service(
        self, script: str, verb: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs one of its scripts, as an administrator does."""
        return self.run(self.shell, f"/etc/rc.d/{script}", verb, env=env)

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Starts a program in it, whose output is one stream."""
        return subprocess.Popen(
            self.argv(*argv),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def xl(self, *words: str) -> str:
        """What xl prints that succeeds, apart from what it tells the user."""
        done = self.run(f"{PREFIX}/bin/xl", *words)
        assert done.returncode == 0, done
        return done.stdout

    def store(self, tool: str, *words: str) -> str:
        """What xenstore-TOOL prints that succeeds."""
        return self.said(f"{PREFIX}/bin/xenstore-{tool}", *words)

    def processes(self) -> list[str]:
        """The command lines of all processes, but for process 1, its helper and ps itself.

        One that has ended and that process 1 has not yet reaped is none any more.
        """
        lines = [line.split(None, 2) for line in self.said("ps", "-axo", "pid=,stat=,args=").splitlines()]
        return [
            args
            for pid, state, args in lines
            if pid != "1" and not state.startswith("Z") and " ps -axo " not in f" {args} "
        ]

    def pid(self, program: str) -> str | None:
        """What a program's pid file says; None: there is none."""
        file = self.path(f"/var/run/{program}.pid")
        return file.read_text().strip() if file.exists() else None

    def kill(self, program: str) -> None:
        """End a daemon as a crash would."""
        pid = self.pid(program)
        assert pid is not None
        self.said("kill", "-9", pid)
        self.await_end(pid)

    def await_end(self, pid: str) -> None:
        """Returns once there is no such process."""
        while self.path(f"/proc/{pid}").exists():
            os.sched_yield()

    # --- its machine ----------------------------------------------------------------------------------

    def power_on(self, *words: str) -> None:
        """The simulated machine, as its firmware leaves it to dom0's kernel; words: more of what it is."""
        words = ("--flavour", self.flavour, "--seed", "1", *words)
        self.said(self.python, "-m", "xend.simulator", SIMULATION, *words)

    def machine(self) -> list[str]:
        """The command lines of a machine that is on, and nothing runs in it."""
        return [line for line in self.processes() if " -m xend.simulator " in line]

    def power_off(self) -> None:
        """It ends, with what is left of its domains."""
        pid = self.path(f"{SIMULATION}/host.pid").read_text().strip()
        self.said("kill", pid)
        self.await_end(pid)
