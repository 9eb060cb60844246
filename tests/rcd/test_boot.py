"""A whole dom0 from power on to power off: order, exit statuses, what is left; also where daemons die."""

import subprocess

import pytest

from tests.rcd.host import CONFIG, Dom0
from tests.rcd.verbs import ask

#: Not in the order of their names, which might be anybody's.
NAMES = [f"d{number:02}" for number in reversed(range(20))]
SERVICES = ("xen-watchdog", "xencommons", "xend", "xendomains")
PLAIN = 'kernel = "/netbsd"\nmemory = 16\n'
DEVICES = "vif = [ '' ]\ndisk = [ 'file:/netbsd,0x0,r' ]\n"
HANGS = 'extra = "sim=hang-shutdown"\n'
#: Which shell sees which daemon die.
EACH_ONCE = (("dash", "xenstored"), ("mksh", "xend"))
THE_OTHER = (("mksh", "xenstored"), ("dash", "xend"))
BOOT = ("/etc/rc",)
#: shutdown(8) has system(3) source it; a verb may follow.
SHUTDOWN = ("-c", ". /etc/rc.shutdown", "sh")
#: Seconds in which nineteen others are down, however busy the machine is.
DEADLINE = "xendomains_deadline=15"
#: Answers late, so that there is a middle in which daemons can die.
SLOW = 'extra = "sim=slow=1"\n'


def enable(dom0: Dom0, *lines: str, special: str = "") -> None:
    """Twenty domains, the first few of them with devices, the fifth a special one."""
    for number, name in enumerate(NAMES):
        text = PLAIN + (DEVICES if number < 3 else "") + (special if number == 5 else "")
        dom0.write(f"{CONFIG}/{name}", text)
    names = " ".join(NAMES)
    dom0.rc_conf(
        *(f"{name}=YES" for name in ("xencommons", "xend", "xenwatchdog")), f'xendomains="{names}"', *lines
    )


def boot(dom0: Dom0) -> list[str]:
    """What a boot prints that is of these scripts, and of which nothing is a complaint."""
    return ours(dom0.said(dom0.shell, *BOOT))


def shut_down(dom0: Dom0, verb: str = "stop") -> subprocess.CompletedProcess[str]:
    """What shutdown(8) does first."""
    return dom0.run(dom0.shell, *SHUTDOWN, verb)


def ours(output: str) -> list[str]:
    """Without the lines of a NetBSD's own services."""
    own = {f"[{name} 0]" for name in ("network", "NETWORKING", "mountall", "syslogd", "SERVERS", "DAEMON")}
    return [line for line in output.splitlines() if line not in own | {"[LOGIN 0]", "[cron 0]"}]


def statuses(lines: list[str]) -> list[str]:
    """Scripts in the order in which they ended, with their exit statuses."""
    return [line[1:-1] for line in lines if line.startswith("[")]


def told(lines: list[str], what: str) -> list[str]:
    """The domains of which xl said that."""
    return [line.split(":")[0] for line in lines if line.split(": ")[1:2] == [what]]


def check_nothing_is_left(dom0: Dom0) -> None:
    """Processes, pid files, sockets, domains on the machine, xend's records of them."""
    assert dom0.processes() == dom0.machine()
    left = dom0.said("find", "/var/run", "-name", "*.pid", "-o", "-type", "s")
    assert left == ""
    assert list(dom0.path("/var/run/xend/domains").iterdir()) == []
    assert [path.name for path in dom0.path("/sim").iterdir() if path.name.isdigit()] == ["0"]


@pytest.mark.parametrize(
    ("dom0", "verb"),
    [pytest.param("dash", "stop", marks=pytest.mark.from_nothing), ("mksh", "faststop")],
    indirect=["dom0"],
)
def test_boot_and_shutdown(dom0: Dom0, verb: str) -> None:
    enable(dom0)
    lines = boot(dom0)
    assert statuses(lines) == [f"{name} 0" for name in (*SERVICES[:2], "xenbackendd", *SERVICES[2:])]
    assert told(lines, "starting") == NAMES
    assert sorted(told(lines, "up")) == sorted(NAMES)
    assert all(ask(dom0, name, "status")[0] == 0 for name in SERVICES)
    assert ask(dom0, "xendomains", "list")[1].split() == dom0.xl("list").split("\n", 2)[2].split()[::6]
    done = shut_down(dom0, verb)
    assert (done.returncode, done.stderr) == (0, "")
    lines = ours(done.stdout)
    assert statuses(lines) == ["xendomains 0", "xend 0", "xenbackendd 0", "xencommons 0", "xen-watchdog 0"]
    assert told(lines, "stopping") == NAMES[::-1]
    assert sorted(told(lines, "down")) == sorted(NAMES)
    assert not any(ask(dom0, name, "status")[0] == 0 for name in SERVICES)
    check_nothing_is_left(dom0)


@pytest.mark.parametrize("dom0", ["mksh"], indirect=True)
def test_a_domain_that_hangs_is_destroyed_at_the_end(dom0: Dom0) -> None:
    enable(dom0, DEADLINE, special=HANGS)
    boot(dom0)
    done = shut_down(dom0)
    lines = ours(done.stdout)
    assert statuses(lines) == ["xendomains 1", "xend 0", "xenbackendd 0", "xencommons 0", "xen-watchdog 0"]
    destroyed = [line.split(":")[0] for line in lines if ": destroyed" in line]
    assert destroyed == [NAMES[5]]
    assert sorted(told(lines, "down")) == sorted({*NAMES} - {NAMES[5]})
    assert done.stderr == f"xl: 1 of 20 did not go down by itself: {NAMES[5]}\n"
    check_nothing_is_left(dom0)


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_one_that_hangs_may_be_left(dom0: Dom0) -> None:
    enable(dom0, DEADLINE, "xendomains_lastresort=leave", special=HANGS)
    boot(dom0)
    code, said, complaint = ask(dom0, "xendomains", "stop")
    assert code == 1
    assert [line.split(":")[0] for line in said.splitlines() if "left running" in line] == [NAMES[5]]
    assert f"xendomains: {NAMES[5]} (domain " in complaint
    assert ask(dom0, "xendomains", "list") == (0, f"{NAMES[5]}\n", "")


@pytest.mark.parametrize(("dom0", "program"), EACH_ONCE, indirect=["dom0"])
def test_a_daemon_that_died_does_not_cost_domains_their_shutdown(dom0: Dom0, program: str) -> None:
    enable(dom0)
    boot(dom0)
    dom0.kill(program)
    lines = ours(shut_down(dom0).stdout)
    assert statuses(lines) == ["xendomains 0", "xend 0", "xenbackendd 0", "xencommons 0", "xen-watchdog 0"]
    assert sorted(told(lines, "down")) == sorted(NAMES)
    check_nothing_is_left(dom0)


@pytest.mark.parametrize(("dom0", "program"), THE_OTHER, indirect=["dom0"])
def test_nor_one_that_dies_in_the_middle_of_it(dom0: Dom0, program: str) -> None:
    enable(dom0, special=SLOW)
    boot(dom0)
    lines = killing_at(dom0, SHUTDOWN, f"{NAMES[0]}: stopping", program)
    assert statuses(lines) == ["xendomains 0", "xend 0", "xenbackendd 0", "xencommons 0", "xen-watchdog 0"]
    assert any(f"{program} does not run, and is started again" in line for line in lines)
    assert told(lines, "destroyed") == []
    check_nothing_is_left(dom0)


@pytest.mark.parametrize(("dom0", "program"), EACH_ONCE, indirect=["dom0"])
def test_nor_their_start(dom0: Dom0, program: str) -> None:
    enable(dom0)
    lines = killing_at(dom0, BOOT, f"{NAMES[4]}: starting", program)
    assert statuses(lines)[-1] == "xendomains 0"
    assert {*ask(dom0, "xendomains", "list")[1].split()} == {*NAMES}


def killing_at(dom0: Dom0, script: tuple[str, ...], line: str, program: str) -> list[str]:
    """What a script, the shell's arguments, prints while a daemon is killed, once, when it prints a line."""
    lines = []
    with dom0.popen(dom0.shell, *script) as running:
        assert running.stdout is not None
        for each in running.stdout:
            lines.append(each.rstrip("\n"))
            if lines[-1] == line and lines.count(line) == 1:
                dom0.kill(program)
    return ours("\n".join(lines))


@pytest.mark.parametrize("dom0", ["mksh"], indirect=True)
def test_the_watchdog_guards_a_shutdown_and_nothing_after_a_stop(dom0: Dom0) -> None:
    """The daemon keeps the number of the timer where one is armed."""
    timer = dom0.path("/var/run/xenwatchdogd.timer")
    dom0.rc_conf("xenwatchdog=YES")
    for stop, is_armed in ((("/etc/rc.d/xen-watchdog",), False), (SHUTDOWN, True)):
        assert ask(dom0, "xen-watchdog", "start")[0] == 0
        assert timer.exists()
        dom0.said(dom0.shell, *stop, "stop")
        assert timer.exists() == is_armed
