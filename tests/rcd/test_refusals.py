"""What must be there before a start: each lack is one line that names the remedy, and nothing has started."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.rcd.conftest import SHELLS
from tests.rcd.host import Dom0
from tests.rcd.verbs import ask

Spoil = Callable[[Dom0], object]


class Lack(NamedTuple):
    """What is wrong, the script that notices, and its line."""

    name: str
    script: str
    spoil: Spoil
    line: str


def without(*paths: str) -> Spoil:
    """Less these files and directories."""
    return lambda dom0: dom0.said("rm", "-rf", *paths)


def after(*lines: str) -> Spoil:
    """After these commands of a shell's in dom0."""
    return lambda dom0: dom0.said("sh", "-c", "\n".join(("set -e", *lines)))


def with_running(script: str) -> Spoil:
    """With xend enabled only after that was started."""

    def spoil(dom0: Dom0) -> None:
        dom0.rc_conf()
        assert ask(dom0, script, "onestart") == (0, f"Starting {script}.\n", "")
        dom0.rc_conf("xend=YES")

    return spoil


KERNFS = 'kernfs is not mounted: add "kernfs /kern kernfs rw" to /etc/fstab and run: mount /kern'
NO_XEN = (
    "this kernel does not run on Xen (there is no /kern/xen): boot a XEN3_DOM0 kernel through xen.gz, "
    "see boot.cfg(5)"
)
GUEST = "this is a guest, not dom0 (there is no /kern/xen/privcmd): set {}=NO in /etc/rc.conf"
MAKEDEV = "/dev/{} is no device node: run: cd /dev && sh MAKEDEV xen"
SOCKET = "/var/run/xenstored/socket"
ROOTS = "has mode {}, users other than root may write to it: run: chmod"
NOBODY = "65534"
ENABLED = {
    "xencommons": "xencommons",
    "xend": "xend",
    "xenbackendd": "xenbackendd",
    "xen-watchdog": "xenwatchdog",
}

LACKS = (
    *(Lack(f"{script}-kernfs", script, without("/kern/version", "/kern/xen"), KERNFS) for script in ENABLED),
    Lack("bare-metal", "xencommons", without("/kern/xen"), NO_XEN),
    Lack("guest", "xencommons", without("/kern/xen/privcmd"), GUEST.format("xencommons")),
    Lack("watchdog-in-a-guest", "xen-watchdog", without("/kern/xen/privcmd"), GUEST.format("xenwatchdog")),
    Lack("no-xenevt", "xencommons", after("umount /dev/xenevt"), MAKEDEV.format("xenevt")),
    Lack("no-xsd_kva", "xencommons", after("umount /dev/xsd_kva"), MAKEDEV.format("xsd_kva")),
    Lack("xend-no-xenevt", "xend", after("umount /dev/xenevt"), MAKEDEV.format("xenevt")),
    Lack(
        "file-for-directory", "xencommons", after("echo >/var/run/xenstored"),
        "/var/run/xenstored is in the way of a directory: remove it",
    ),
    Lack(
        "open-directory", "xencommons", after("mkdir /var/run/xenstored", "chmod 775 /var/run/xenstored"),
        f"/var/run/xenstored {ROOTS.format('drwxrwxr-x')} go-w /var/run/xenstored",
    ),
    Lack(
        "foreign-directory", "xend", after("mkdir /var/run/xend", f"chown {NOBODY} /var/run/xend"),
        f"/var/run/xend belongs to user {NOBODY} instead of root: run: chown 0:0 /var/run/xend",
    ),
    Lack(
        "open-logs", "xencommons", after("mkdir /var/log/xen", "chmod 777 /var/log/xen"),
        f"/var/log/xen {ROOTS.format('drwxrwxrwx')} go-w /var/log/xen",
    ),
    *(
        Lack(
            f"{script}-no-store", script, without(SOCKET),
            f"there is no xenstored at {SOCKET}: set xencommons=YES in /etc/rc.conf and run: "
            "/etc/rc.d/xencommons start",
        )
        for script in ("xend", "xenbackendd")
    ),
    Lack(
        "other-store", "xend",
        lambda dom0: dom0.rc_conf("xend=YES", 'xend_flags="$xend_flags --store /tmp/no/socket"'),
        "there is no xenstored at /tmp/no/socket: set xencommons=YES in /etc/rc.conf and run: "
        "/etc/rc.d/xencommons start",
    ),
    Lack(
        "open-socket", "xend", after(f"chmod 777 {SOCKET}"),
        f"{SOCKET} {ROOTS.format('srwxrwxrwx')} 600 {SOCKET}",
    ),
    Lack(
        "foreign-socket", "xend", after(f"chown {NOBODY} {SOCKET}"),
        f"{SOCKET} belongs to user {NOBODY} instead of root: stop the program that serves it, and run: "
        "/etc/rc.d/xencommons onerestart",
    ),
    Lack(
        "file-for-socket", "xenbackendd", after(f"rm {SOCKET}", f"echo >{SOCKET}"),
        f"{SOCKET} is no socket: remove it and run: /etc/rc.d/xencommons onerestart",
    ),
    Lack(
        "consoles-served", "xend", with_running("xencommons"),
        "xenconsoled serves the consoles (pid N): set xend=YES in /etc/rc.conf and run: "
        "/etc/rc.d/xencommons restart",
    ),
    Lack(
        "backends-served", "xend", with_running("xenbackendd"),
        "xenbackendd runs the hotplug scripts (pid N): set xenbackendd=NO in /etc/rc.conf and run: "
        "/etc/rc.d/xenbackendd onestop",
    ),
    Lack(
        "beside-xend", "xenbackendd", lambda dom0: dom0.rc_conf("xenbackendd=YES", "xend=YES"),
        "xend runs the hotplug scripts of this domain itself: set xenbackendd=NO in /etc/rc.conf, or xend=NO "
        "and run: /etc/rc.d/xend onestop",
    ),
    Lack(
        "no-xend", "xendomains", lambda dom0: dom0.rc_conf("xendomains=YES"),
        "xend does not run: set xend=YES in /etc/rc.conf and run: /etc/rc.d/xend start",
    ),
    Lack(
        "hook-elsewhere", "xendomains",
        lambda dom0: dom0.rc_conf("xendomains=YES", "xendomains_prehook=/root/%s-pre"),
        "/root/%s-pre: configurations and hooks are files in /usr/pkg/etc/xen itself: move them there, and "
        "say so in xendomains_config, xendomains_prehook, xendomains_posthook",
    ),
    Lack(
        "last-resort", "xendomains",
        lambda dom0: dom0.rc_conf("xendomains=YES", "xendomains_lastresort=pray"),
        "xendomains_lastresort=pray, xendomains_stop=listed in /etc/rc.conf: destroy or leave, and listed or "
        "all, were expected",
    ),
    Lack(
        "deadline", "xendomains", lambda dom0: dom0.rc_conf("xendomains=YES", "xendomains_deadline=2m"),
        "xendomains_deadline=2m, xendomains_patience=60 in /etc/rc.conf: seconds were expected",
    ),
)  # fmt: skip

#: Scripts that need the store first.
CLIENTS = ("xend", "xenbackendd")


@pytest.mark.parametrize(
    ("dom0", "lack"),
    [pytest.param(SHELLS[number % 2], lack, id=lack.name) for number, lack in enumerate(LACKS)],
    indirect=["dom0"],
)
def test_a_lack_is_one_line(dom0: Dom0, lack: Lack) -> None:
    if lack.script in CLIENTS:
        dom0.rc_conf("xend=YES")  # so that there are no consoles, whose start takes time
        assert ask(dom0, "xencommons", "onestart")[0] == 0
    name = ENABLED.get(lack.script, lack.script)
    dom0.rc_conf(f"{name}=YES")
    lack.spoil(dom0)
    before = dom0.processes()
    assert ask(dom0, lack.script, "start") == (1, "", f"{name}: {lack.line}\n")
    assert dom0.processes() == before


def test_a_second_store_is_refused_by_the_program(dom0: Dom0) -> None:
    dom0.said("/usr/pkg/sbin/xenstored", "--platform", "none")
    code, said, complaint = ask(dom0, "xencommons", "onestart")
    assert (code, said) == (1, "Starting xencommons.\n")
    assert complaint.startswith("xenstored: /var/run/xenstored/socket is served by another xenstored (pid ")
    assert complaint.count("\n") == 1


def test_a_store_that_is_gone_is_named_by_the_program(dom0: Dom0) -> None:
    dom0.rc_conf("xencommons=YES", "xend=YES")
    assert ask(dom0, "xencommons", "start")[0] == 0
    dom0.kill("xenstored")
    code, said, complaint = ask(dom0, "xend", "start")
    assert (code, said) == (1, "Starting xend.\n")
    assert complaint.startswith(f"xend: nobody listens on {SOCKET}: xenstored is gone; start it again")
    assert complaint.count("\n") == 1


def test_force_goes_on_where_a_script_would_refuse(dom0: Dom0) -> None:
    dom0.said("rm", "/kern/xen/privcmd")
    code, said, complaint = ask(dom0, "xencommons", "forcestart")
    assert (code, said) == (0, "Starting xencommons.\n")
    assert complaint == f"xencommons: {GUEST.format('xencommons')}\n"
    assert ask(dom0, "xencommons", "onestatus")[0] == 0


def test_directories_are_made(dom0: Dom0) -> None:
    dom0.said("rm", "-rf", "/var/run", "/var/log")
    dom0.rc_conf("xend=YES")
    for script in ("xencommons", "xend"):
        assert ask(dom0, script, "onestart") == (0, f"Starting {script}.\n", "")
    for name in ("run/xenstored", "run/xend", "log/xen/console"):
        assert dom0.path(f"/var/{name}").stat().st_mode & 0o777 == 0o755


@pytest.mark.from_nothing
def test_a_driver_domain_reaches_the_store_through_its_kernel(dom0: Dom0) -> None:
    """The device is the store's socket here, seen through a link."""
    dom0.rc_conf("xend=YES")
    assert ask(dom0, "xencommons", "onestart")[0] == 0
    dom0.rc_conf("xenbackendd=YES")
    moved = SOCKET.replace("xenstored/", "xenstored/kernels-")
    dom0.said("sh", "-c", f"mv {SOCKET} {moved}; rm /kern/xen/privcmd; ln -fs {moved} /kern/xen/xenbus")
    assert ask(dom0, "xenbackendd", "start") == (0, "Starting xenbackendd.\n", "")
    assert "serving the backends of /kern/xen/xenbus" in dom0.path("/var/log/xen/xenbackendd.log").read_text()


@pytest.mark.parametrize("program", ["xenstored", "xend"])
def test_a_stop_is_bounded_and_says_what_still_runs(dom0: Dom0, program: str) -> None:
    script = "xencommons" if program == "xenstored" else program
    dom0.rc_conf("xencommons=YES", "xend=YES", f"{script}_stop_seconds=1")
    assert ask(dom0, "xencommons", "start")[0] == 0
    if script == "xend":
        assert ask(dom0, "xend", "start")[0] == 0
    pid = dom0.pid(program)
    assert pid is not None
    dom0.said("kill", "-STOP", pid)
    complaint = (
        f"{script}: {program} (pid N) still runs 1 s after SIGTERM: see /var/log/xen and syslog, "
        f"or run: kill -9 {pid}\n"
    )
    assert ask(dom0, script, "stop") == (1, f"Stopping {script}.\n", complaint)
    dom0.said("kill", "-CONT", pid)
    dom0.await_end(pid)
    assert ask(dom0, script, "status")[0] == 1
