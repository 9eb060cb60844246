"""xendomains with few domains: whom it starts and stops, hooks; and restarts below running domains."""

import re
import shlex

import pytest

from tests.rcd.host import CONFIG, PREFIX, Dom0
from tests.rcd.verbs import PREFIXES, ask, hint, polled

PLAIN = 'kernel = "/netbsd"\nmemory = 16\n'
LOG = "/root/hooks"


@pytest.fixture
def running(dom0: Dom0) -> Dom0:
    """One whose daemons run, with the configurations foo and bar."""
    enable(dom0, 'xendomains="foo bar"')
    for name in ("foo", "bar"):
        dom0.write(f"{CONFIG}/{name}", PLAIN)
    for script in ("xencommons", "xend"):
        assert ask(dom0, script, "start")[0] == 0
    return dom0


def enable(dom0: Dom0, *lines: str) -> None:
    dom0.rc_conf("xencommons=YES", "xend=YES", *lines)


def up(dom0: Dom0) -> list[str]:
    """The domains that run."""
    return ask(dom0, "xendomains", "onelist")[1].split()


@pytest.mark.parametrize("prefixes", [PREFIXES[:2], PREFIXES[2:]])
def test_verbs(running: Dom0, prefixes: tuple[str, ...]) -> None:
    for prefix in prefixes:
        domains_round(running, prefix)


def domains_round(running: Dom0, prefix: str) -> None:
    """From no domain to no domain."""

    def asked(verb: str) -> tuple[int, str, str]:
        return ask(running, "xendomains", prefix + verb)

    assert asked("rcvar") == (0, "# xendomains\n$xendomains=YES\n", "")
    assert asked("status") == (1, "xendomains: no domain is running.\n", "")
    assert asked("list") == (0, "", "")
    assert asked("poll") == (0, "", "")
    code, said, complaint = asked("start")
    assert (code, complaint, said.splitlines()[0]) == (0, "", "Starting xendomains.")
    assert sorted(said.splitlines()[1:]) == ["bar: starting", "bar: up", "foo: starting", "foo: up"]
    code, said, complaint = asked("status")
    assert (code, complaint) == (0, "")
    assert said in [f"xendomains: running are: {names}.\n" for names in ("foo bar", "bar foo")]
    assert sorted(asked("list")[1].split()) == ["bar", "foo"]
    again = "Starting xendomains.\nfoo: already running\nbar: already running\n"
    assert asked("start") == (0, again, "")
    assert asked("restart")[::2] == (0, "")
    assert sorted(up(running)) == ["bar", "foo"]
    with running.popen(running.shell, "/etc/rc.d/xendomains", "onepoll") as poll:
        code, said, complaint = asked("stop")
        assert polled(poll)
    assert (code, complaint) == (0, "")
    assert {"foo: down", "bar: down"} <= {*said.splitlines()}
    assert asked("stop") == (0, "Stopping xendomains.\nfoo: not running\nbar: not running\n", "")
    assert asked("reload")[0] == 1


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_an_empty_list_is_not_enabled(running: Dom0) -> None:
    for words in ("", 'xendomains=""', "xendomains=NO"):
        enable(running, words)
        assert ask(running, "xendomains", "start") == (1, "", hint("xendomains", "xendomains", "start"))
        assert ask(running, "xendomains", "rcvar") == (0, "# xendomains\n$xendomains=NO\n", "")
    done = running.run(running.shell, "/etc/rc")
    assert "Starting xendomains" not in done.stdout
    assert "[xendomains 0]" in done.stdout


@pytest.mark.parametrize("dom0", ["mksh"], indirect=True)
def test_yes_is_what_stands_in_auto(running: Dom0) -> None:
    enable(running, "xendomains=YES")
    running.write(f"{CONFIG}/bar", f'name = "bar"\n{PLAIN}')
    running.said("ln", "-s", "../bar", f"{CONFIG}/auto/10-bar")
    assert ask(running, "xendomains", "start")[0] == 0
    assert up(running) == ["bar"]
    assert ask(running, "xendomains", "stop")[::2] == (0, "")
    assert up(running) == []


#: The shell makes something else of each, or may, where it is not in quotes.
STRANGE = ["my dom", "a 0 b", "it's", 'say "hi"', "a*", "[abc]", "$HOME", "`id`", "back\\slash\\n", "x;y&z"]


def test_names_that_the_shell_would_take_apart(running: Dom0) -> None:
    enable(running, "xendomains=YES")
    for place, name in enumerate(STRANGE):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        running.write(f"{CONFIG}/auto/{place}", f'name = "{quoted}"\n{PLAIN}')
    assert ask(running, "xendomains", "start")[::2] == (0, "")
    code, said, complaint = ask(running, "xendomains", "list")
    assert (code, sorted(shlex.split(said)), complaint) == (0, sorted(STRANGE), "")
    assert ask(running, "xendomains", "status")[1] == f"xendomains: running are: {said[:-1]}.\n"
    running.said("rm", "-r", f"{CONFIG}/auto")
    running.path(f"{CONFIG}/auto").mkdir()
    code, _, complaint = ask(running, "xendomains", "stop")
    goes_on = re.findall(r"^xendomains: (.*) \(domain \d+\) goes on;", complaint, re.MULTILINE)
    assert (code, sorted(goes_on)) == (0, sorted(STRANGE))
    enable(running, "xendomains=YES", "xendomains_stop=all")
    assert ask(running, "xendomains", "stop")[::2] == (0, "")
    assert ask(running, "xendomains", "list") == (0, "", "")


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_words_of_rc_conf_are_names_whatever_they_look_like(running: Dom0) -> None:
    names = ["-x", "it's", "f*", "$HOME"]
    enable(running, "xendomains='-x it'\\''s f* $HOME'", "xendomains_prehook='%s before'")
    for name in names:
        running.write(f"{CONFIG}/{name}", f'name = "n{name}"\n{PLAIN}')
        running.write(f"{CONFIG}/{name} before", f"#!/bin/sh\necho before >>{LOG}\n", 0o755)
    assert ask(running, "xendomains", "start")[::2] == (0, "")
    assert sorted(shlex.split(ask(running, "xendomains", "list")[1])) == sorted(f"n{name}" for name in names)
    assert running.path(LOG).read_text() == "before\n" * len(names)
    assert ask(running, "xendomains", "stop")[::2] == (0, "")
    assert up(running) == []


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_names_hooks_and_configurations_are_formats(running: Dom0) -> None:
    enable(
        running, 'xendomains="foo"', f"xendomains_config={CONFIG}/%s.cfg",
        f"xendomains_prehook={CONFIG}/%s-before", "xendomains_posthook=%s-after",
    )  # fmt: skip
    running.write(f"{CONFIG}/foo.cfg", f'name = "foo"\n{PLAIN}')
    for when in ("before", "after"):
        running.write(f"{CONFIG}/foo.cfg-{when}", f"#!/bin/sh\necho {when} $1 >>{LOG}\n", 0o755)
    assert ask(running, "xendomains", "start")[0] == 0
    assert up(running) == ["foo"]
    assert running.path(LOG).read_text() == "before foo.cfg\nafter foo.cfg\n"


@pytest.mark.parametrize("dom0", ["mksh"], indirect=True)
def test_a_hook_that_fails_keeps_its_domain_down(running: Dom0) -> None:
    running.write(f"{CONFIG}/foo-pre", "#!/bin/sh\necho no cable; exit 3\n", 0o755)
    code, said, complaint = ask(running, "xendomains", "start")
    assert code == 1
    assert "no cable" in said
    assert complaint.startswith("xl: 1 of 2 did not come up: foo")
    assert up(running) == ["bar"]


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_others_go_on_or_not(running: Dom0) -> None:
    running.write("/root/other", f'name = "other"\n{PLAIN}')
    running.xl("create", "/root/other")
    assert ask(running, "xendomains", "start")[0] == 0
    code, _, complaint = ask(running, "xendomains", "stop")
    assert code == 0
    assert complaint.startswith("xendomains: other (domain ")
    assert complaint.endswith(") goes on; xendomains_stop=all in /etc/rc.conf stops every domain\n")
    assert up(running) == ["other"]
    enable(running, 'xendomains="foo bar"', "xendomains_stop=all")
    assert ask(running, "xendomains", "stop")[::2] == (0, "")
    assert up(running) == []


@pytest.mark.parametrize("dom0", ["mksh"], indirect=True)
def test_a_slip_in_rc_conf_does_not_keep_domains_from_being_stopped(running: Dom0) -> None:
    assert ask(running, "xendomains", "start")[0] == 0
    enable(running, 'xendomains="foo bar"', "xendomains_deadline=soon")
    code, _, complaint = ask(running, "xendomains", "stop")
    line = "xendomains_deadline=soon, xendomains_patience=60 in /etc/rc.conf: seconds were expected"
    assert (code, complaint) == (0, f"xendomains: {line}\n")
    assert up(running) == []


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_a_xend_that_hangs_is_started_anew_for_them(running: Dom0) -> None:
    assert ask(running, "xendomains", "start")[0] == 0
    enable(running, 'xendomains="foo bar"', "xendomains_deadline=15", "xendomains_patience=1")
    pid = running.pid("xend")
    assert pid is not None
    running.said("kill", "-STOP", pid)
    code, said, complaint = ask(running, "xendomains", "stop")
    assert code == 0
    assert complaint.splitlines() == [
        "xendomains: xend (pid N) has not finished within 16 s and is killed",
        "xendomains: xend does not run, and is started again",
    ]
    assert {"foo: down", "bar: down"} <= {*said.splitlines()}
    assert up(running) == []


# --- restarts below running domains ------------------------------------------------------------------------


@pytest.mark.parametrize("dom0", ["mksh"], indirect=True)
def test_xencommons_restarts_below_running_domains_and_says_so(running: Dom0) -> None:
    assert ask(running, "xendomains", "start")[0] == 0
    nodes = running.store("ls", "-f")
    said = (
        "Stopping xencommons.\nStarting xencommons.\n"
        "The store goes on where it was, with the running domains: 2.\n"
    )
    assert ask(running, "xencommons", "restart") == (0, said, "")
    assert running.store("ls", "-f") == nodes
    assert ask(running, "xend", "restart")[0] == 0
    for word in ("stop", "start"):
        code, _, complaint = ask(running, "xencommons", word)
        assert code == 0
        if word == "stop":
            waits = "domains that still run: 2; they wait for the store until: /etc/rc.d/xencommons start"
            assert complaint == f"xencommons: {waits}\n"
    assert ask(running, "xendomains", "stop")[0] == 0


@pytest.mark.parametrize("dom0", ["dash"], indirect=True)
def test_a_store_without_journal_is_not_restarted_below_them(running: Dom0) -> None:
    assert ask(running, "xendomains", "start")[0] == 0
    pid = running.pid("xenstored")
    enable(running, 'xendomains="foo bar"', 'xenstored_flags="$xenstored_flags --no-journal"')
    line = (
        "domains that still run: 2; without a journal they would lose the store: shut them down, or take "
        "--no-journal from xenstored_flags"
    )
    assert ask(running, "xencommons", "restart") == (1, "", f"xencommons: {line}\n")
    assert running.pid("xenstored") == pid
    assert running.run(f"{PREFIX}/bin/xl", "domid", "foo").returncode == 0


@pytest.mark.parametrize("dom0", ["dash", "mksh"], indirect=True)
def test_they_are_saved_and_restored(running: Dom0) -> None:
    """Also where only a configuration says so, and where it is no longer in the list."""
    enable(running, 'xendomains="foo bar"', "xendomains_save=YES")
    running.write(f"{CONFIG}/bar", PLAIN + 'on_shutdown = "shutdown"\n')
    assert ask(running, "xendomains", "start")[0] == 0
    code, said, complaint = ask(running, "xendomains", "stop")
    assert (code, complaint) == (0, "")
    assert {"foo: saving", "foo: saved", "bar: down"} <= {*said.splitlines()}
    enable(running, 'xendomains="bar"')
    running.write(f"{CONFIG}/bar", PLAIN + 'on_shutdown = "save"\n')
    code, said, complaint = ask(running, "xendomains", "start")
    assert (code, complaint) == (0, "")
    assert {"foo: restoring", "foo: restored", "bar: up"} <= {*said.splitlines()}
    assert sorted(up(running)) == ["bar", "foo"]
    code, said, complaint = ask(running, "xendomains", "stop")
    assert (code, "bar: saved" in said) == (0, True)
    assert ask(running, "xendomains", "start")[:2] == (
        0, "Starting xendomains.\nbar: restoring\nbar: restored\n"
    )  # fmt: skip
