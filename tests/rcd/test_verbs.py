"""Every script through every verb, with each prefix."""

from typing import NamedTuple

import pytest

from tests.rcd.host import Dom0
from tests.rcd.verbs import PREFIXES, ask, hint, polled


class Service(NamedTuple):
    """A script: its name for rc.subr, the program in whose pid file it looks, and the services it needs."""

    script: str
    name: str
    program: str
    needs: tuple[str, ...] = ()

    @property
    def not_running(self) -> str:
        return f"{self.name} not running? (check /var/run/{self.program}.pid).\n"


#: Those with one daemon, whose status is rc.subr's own.
SINGLE = (
    Service("xend", "xend", "xend", ("xencommons",)),
    Service("xenbackendd", "xenbackendd", "xenbackendd", ("xencommons",)),
    Service("xen-watchdog", "xenwatchdog", "xenwatchdogd"),
)
COMMONS = Service("xencommons", "xencommons", "xenstored")
ALL = (COMMONS, *SINGLE)
VERBS = ("start", "stop", "restart", "status", "poll", "reload")


def up(dom0: Dom0, service: Service, *lines: str) -> None:
    """What the service needs runs; itself it is enabled."""
    dom0.rc_conf(f"{service.name}=YES", *lines)
    for needed in service.needs:
        assert ask(dom0, needed, "onestart") == (0, f"Starting {needed}.\n", "")


@pytest.mark.parametrize("service", ALL, ids=lambda service: service.script)
def test_what_is_not_enabled_says_so(dom0: Dom0, service: Service) -> None:
    dom0.rc_conf()
    for prefix in ("", "fast"):
        for verb in VERBS:
            if prefix and service != COMMONS and verb in ("status", "poll"):
                continue  # no look at processes, no such verbs
            complaint = hint(service.name, service.script, verb)
            assert ask(dom0, service.script, prefix + verb) == (1, "", complaint)
    for prefix in PREFIXES:
        value = "YES" if prefix in ("one", "force") else "NO"
        said = f"# {service.name}\n${service.name}={value}\n"
        assert ask(dom0, service.script, f"{prefix}rcvar") == (0, said, "")
    assert ask(dom0, service.script, "onestatus")[0] == 1
    code, said, complaint = ask(dom0, service.script, "fly")
    assert (code, said) == (1, "")
    assert complaint.startswith(f"/etc/rc.d/{service.script}: unknown directive 'fly'.\nUsage: ")
    assert ask(dom0, service.script, "")[0] == 1
    assert dom0.processes() == dom0.machine()


@pytest.mark.parametrize("service", SINGLE, ids=lambda service: service.script)
def test_a_daemon(dom0: Dom0, service: Service) -> None:
    up(dom0, service)
    others = dom0.processes()
    for prefix in PREFIXES:
        Round(dom0, service, prefix).play()
        assert dom0.processes() == others
    # a restart starts what does not run
    said = (0, f"Starting {service.name}.\n", service.not_running)
    assert ask(dom0, service.script, "restart") == said
    assert ask(dom0, service.script, "stop")[0] == 0


class Round:
    """A daemon with one daemon's verbs, from down to down."""

    def __init__(self, dom0: Dom0, service: Service, prefix: str) -> None:
        self.dom0 = dom0
        self.service = service
        self.prefix = prefix

    def ask(self, verb: str) -> tuple[int, str, str]:
        return ask(self.dom0, self.service.script, self.prefix + verb)

    def play(self) -> None:
        name, program = self.service.name, self.service.program
        self.down()
        assert self.ask("start") == (0, f"Starting {name}.\n", "")
        pid = self.dom0.pid(program)
        self.up()
        assert self.dom0.pid(program) == pid
        assert self.ask("restart") == (0, f"Stopping {name}.\nStarting {name}.\n", "")
        assert self.dom0.pid(program) not in (pid, None)
        with self.dom0.popen(self.dom0.shell, f"/etc/rc.d/{self.service.script}", "onepoll") as poll:
            assert self.ask("stop") == (0, f"Stopping {name}.\n", "")
            assert polled(poll)
        self.down()

    def down(self) -> None:
        """What is said of a daemon that does not run."""
        assert self.ask("stop") == (1, "", self.service.not_running)
        assert self.ask("reload") == (1, "", self.service.not_running)
        if self.prefix != "fast":
            assert self.ask("status") == (1, f"{self.service.name} is not running.\n", "")
            assert self.ask("poll") == (0, "", "")

    def up(self) -> None:
        """What is said of one that runs; fast is without a look, so the program has to notice."""
        name = self.service.name
        code, said, complaint = self.ask("start")
        if self.prefix == "fast":
            assert (code, said) == (1, f"Starting {name}.\n")
            assert "running daemon" in complaint or "another" in complaint
            return
        assert (code, said, complaint) == (1, "", f"{name} already running? (pid=N).\n")
        assert self.ask("status") == (0, f"{name} is running as pid N.\n", "")
        assert self.ask("reload") == (0, f"Reloading {name} config files.\n", "")


@pytest.mark.parametrize(("xend", "prefixes"), [("NO", PREFIXES), ("YES", PREFIXES[:2])])
def test_xencommons(dom0: Dom0, xend: str, prefixes: tuple[str, ...]) -> None:
    dom0.rc_conf("xencommons=YES", f"xend={xend}")
    for prefix in prefixes:
        common_round(dom0, xend, prefix)
        assert dom0.processes() == dom0.machine()


def common_round(dom0: Dom0, xend: str, prefix: str) -> None:
    """xencommons, from down to down."""
    programs = ("xenstored", "xenconsoled") if xend == "NO" else ("xenstored",)
    note = "xenconsoled is not used, xend serves the consoles.\n" if xend == "YES" else ""
    dead = "".join(f"{program} is not running.\n" for program in programs) + note
    alive = "".join(f"{program} is running as pid N.\n" for program in programs) + note

    def asked(verb: str) -> tuple[int, str, str]:
        return ask(dom0, "xencommons", prefix + verb)

    assert asked("status") == (1, dead, "")
    assert asked("stop") == (1, "", COMMONS.not_running)
    assert asked("reload") == (1, "", COMMONS.not_running)
    assert asked("poll") == (0, "", "")
    assert asked("start") == (0, "Starting xencommons.\n", "")
    assert dom0.store("read", "/local/domain/0/name") == "Domain-0\n"
    assert asked("status") == (0, alive, "")
    assert asked("start") == (1, "", "xencommons already running? (pid=N).\n")
    pids = [dom0.pid(program) for program in programs]
    assert asked("reload") == (0, "Reloading xencommons config files.\n", "")
    assert [dom0.pid(program) for program in programs] == pids
    assert asked("restart") == (0, "Stopping xencommons.\nStarting xencommons.\n", "")
    assert not {*pids} & {dom0.pid(program) for program in programs}
    assert asked("status") == (0, alive, "")
    with dom0.popen(dom0.shell, "/etc/rc.d/xencommons", "poll") as poll:
        assert asked("stop") == (0, "Stopping xencommons.\n", "")
        assert polled(poll)
    assert asked("status") == (1, dead, "")


@pytest.mark.from_nothing
def test_xencommons_starts_what_is_missing_of_it(dom0: Dom0) -> None:
    dom0.rc_conf("xencommons=YES")
    assert ask(dom0, "xencommons", "restart") == (0, "Starting xencommons.\n", "")
    for lost, kept in (("xenconsoled", "xenstored"), ("xenstored", "xenconsoled")):
        pid = dom0.pid(kept)
        dom0.kill(lost)
        code, said, complaint = ask(dom0, "xencommons", "status")
        assert (code, complaint) == (1, "")
        assert {f"{lost} is not running.", f"{kept} is running as pid N."} == {*said.splitlines()}
        assert ask(dom0, "xencommons", "start") == (0, "Starting xencommons.\n", "")
        assert ask(dom0, "xencommons", "status")[0] == 0
        assert dom0.pid(kept) == pid


def test_flags_and_environment_reach_the_daemons(dom0: Dom0) -> None:
    dom0.rc_conf(
        "xencommons=YES", "xend=YES",
        "XENSTORED_TRACE=yes",
        'xencommons_env="XENSTORED_PATH=/var/run/elsewhere/socket"',
        'xend_flags="$xend_flags --log-dir=/var/log/other"',
        'xend_env="XENSTORED_PATH=/var/run/elsewhere/socket WORD=\'two words\'"',
    )  # fmt: skip
    for script in ("xencommons", "xend"):
        assert ask(dom0, script, "start") == (0, f"Starting {script}.\n", "")
    assert dom0.path("/var/log/xen/xenstored-trace.log").exists()
    assert dom0.path("/var/run/elsewhere/socket").is_socket()
    assert dom0.path("/var/log/other/xend.log").exists()
    pid = dom0.pid("xend")
    assert "WORD=two words" in dom0.said("cat", f"/proc/{pid}/environ").split("\0")
    assert ask(dom0, "xend", "stop")[0] == 0
    # flags of the caller's take the place of rc.conf's, but not of what the script needs
    flags = {"flags": "--hypervisor sim:/sim --log-dir /var/log/third"}
    assert ask(dom0, "xend", "start", flags)[0] == 0
    assert dom0.path("/var/log/third/xend.log").exists()


def test_a_restart_that_fails_says_so_by_its_status(dom0: Dom0) -> None:
    """Unlike rc.subr's own."""
    dom0.rc_conf("xenwatchdog=YES", "xenwatchdog_timeout=never")
    code, said, complaint = ask(dom0, "xen-watchdog", "restart")
    assert (code, said) == (1, "Starting xenwatchdog.\n")
    assert "'never': whole seconds were expected" in complaint


def test_what_the_consoles_record_is_rc_confs_to_say(dom0: Dom0) -> None:
    dom0.rc_conf("xencommons=YES", "XENCONSOLED_TRACE=guest")
    assert ask(dom0, "xencommons", "start") == (0, "Starting xencommons.\n", "")
    words = dom0.said("cat", f"/proc/{dom0.pid('xenconsoled')}/cmdline").split("\0")
    assert "--log=guest" in words
    assert words[words.index("--log-dir") + 1] == "/var/log/xen/console"
