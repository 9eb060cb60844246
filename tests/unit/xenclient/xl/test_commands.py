"""Names, prefixes, global options, help, and how errors are told."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import lacking
from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl import commands
from xenclient.cli.xl.command import ANY, Command
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.suggestions import ELSEWHERE, meant
from xenclient.cli.xl.table import COMMANDS, LATER, Row, find
from xenclient.xend.errors import BusError


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("list", "list"),
        ("li", "list"),
        ("cr", "create"),
        ("des", "destroy"),
        ("ren", "rename"),
        ("vm", "vm-list"),
        ("ev", "events"),
        ("pause", "pause"),
        ("mem-s", "mem-set"),
        ("inf", "info"),
        ("domn", "domname"),
        ("network-l", "network-list"),
        ("block-d", "block-detach"),
        ("device", "device-explain"),
    ],
)
def test_a_beginning_that_no_other_has(word: str, name: str) -> None:
    assert find(word).name == name


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("dom", "'dom' is ambiguous: domid, domname"),
        ("block", "'block' is ambiguous: block-attach, block-detach, block-list"),
        ("dev", "'dev' is ambiguous: device-explain, devd"),
        ("re", "'re' is ambiguous: reboot, restore, resume, rename, remus"),
        ("un", None),
        ("lst", "no sub-command 'lst'"),
        ("", "no sub-command ''"),
        ("LIST", "no sub-command 'LIST'"),
        ("migr", "'migr' is ambiguous: migrate, migrate-receive"),
        ("migrate", "migrate is not there yet: it comes with moving domains"),
    ],
)
def test_others(word: str, error: str | None) -> None:
    if error is None:
        assert find(word).name == "unpause"
        return
    with pytest.raises(Failure) as raised:
        find(word)
    assert raised.value.message == error


def test_one_that_is_ambiguous_beyond_measure_names_some() -> None:
    with pytest.raises(Failure, match=r", \.\.\.$"):
        find("v")


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_each_sub_command_is_declared(row: Row) -> None:
    assert callable(row.command().run)


@pytest.mark.parametrize("name", sorted({row.module for row in COMMANDS}))
def test_each_declaration_has_a_row(name: str) -> None:
    module = __import__(f"xenclient.cli.xl.commands.{name}", fromlist=["x"])
    declared = {each for each in vars(module).values() if isinstance(each, Command)}
    assert declared == {row.command() for row in COMMANDS if row.module == name}


def test_each_module_has_a_row() -> None:
    modules = {path.stem for path in Path(commands.__path__[0]).glob("*.py")} - {"__init__"}
    assert modules == {row.module for row in COMMANDS}


@pytest.mark.parametrize(
    ("arguments", "least", "most"),
    [
        ("", 0, 0),
        ("DOM", 1, 1),
        ("DOM SIZE[bkmgt]", 2, 2),
        ("DOM DEVID|MAC", 2, 2),
        ("[KEY]", 0, 1),
        ("[DOM ...]", 0, ANY),
        ("[-a|NAME ...]", 0, ANY),
        ("DOM ...", 1, ANY),
        ("DOM DISK ...", 2, ANY),
        ("DOM [KEY=VALUE ...]", 1, ANY),
        ("DOM [VCPUS [CPUS]]", 1, 3),
        ("[-a|DOM ...]", 0, ANY),
    ],
)
def test_the_usage_says_how_many_arguments_there_may_be(arguments: str, least: int, most: int) -> None:
    command = Command(arguments, lambda call: 0)
    assert (command.least, command.most) == (least, most)


def test_no_name_stands_twice() -> None:
    names = [row.name for row in COMMANDS] + list(LATER)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_the_options_of_a_sub_command_differ(row: Row) -> None:
    for spelling in ("letter", "name"):
        options = row.command().options
        given = [getattr(option, spelling) for option in options if getattr(option, spelling)]
        assert len(given) == len(set(given))


@pytest.mark.parametrize("words", [["help"], ["-h"], ["--help"], ["hel"]])
def test_help_names_all(xl: Xl, words: list[str]) -> None:
    status, text, errors = xl(*words)
    assert (status, errors) == (0, "")
    for row in COMMANDS:
        assert f"\n {row.name} " in text
    assert set(LATER) <= set(text.split("Not there yet:")[1].split())
    assert max(len(line) for line in text.splitlines()) < 80


def test_nothing_is_wrong(xl: Xl) -> None:
    assert xl() == (1, "", xl("help")[1])


@pytest.mark.parametrize(
    "words", [["help", "create"], ["create", "-h"], ["create", "foo", "--help"], ["help", "cr"]]
)
def test_help_of_one(xl: Xl, words: list[str]) -> None:
    status, text, errors = xl(*words)
    assert (status, errors) == (0, "")
    assert text.startswith("Usage: xl create [OPTION ...] FILE [KEY=VALUE ...]\n")
    for spelled in (" -f, --defconfig FILE ", " --dry-run ", " -h, --help "):
        assert spelled in text


def test_help_of_all(xl: Xl) -> None:
    assert xl("help", "--long")[1].count("Usage: xl ") == len(COMMANDS)


def test_help_of_none(xl: Xl) -> None:
    assert xl("help", "nosuch") == (1, "", "xl: no sub-command 'nosuch' (xl help lists them)\n")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("ls", "xl list"),
        ("stop", "xl shutdown"),
        ("LIST", "xl list"),
        ("lst", "xl list"),
        ("shell", "xl console"),
        ("dominfo", "xl list -l"),
        ("attach-disk", "xl block-attach"),
        ("shutdwon", "xl shutdown"),
        ("network-lsit", "xl network-list"),
    ],
)
def test_what_was_meant(xl: Xl, word: str, meant: str) -> None:
    status, _, errors = xl(word, "d1")
    assert status == 1
    assert errors.startswith(f"xl: no sub-command {word!r} (did you mean {meant}")
    assert xl(word, program_name="xm")[2].startswith(f"xm: no sub-command {word!r} (did you mean xm ")


#: Sub-commands that the words of others may lead to before they are there.
PLANNED = {"start", "new", "delete", "edit", "config-check"}


@pytest.mark.parametrize("word", sorted(ELSEWHERE))
def test_what_others_call_it(word: str) -> None:
    """Each leads to something that Xen's xl has or ours; some day to the first of them."""
    names = [row.name for row in COMMANDS]
    for line in ELSEWHERE[word]:
        assert line.split()[0] in {*names, *LATER, *PLANNED}
    assert all(line.split()[0] in names for line in meant(word, names))
    assert meant(word, names) or {line.split()[0] for line in ELSEWHERE[word]} <= {*LATER, *PLANNED}


def test_a_long_word_is_near_to_nothing() -> None:
    assert meant("x" * 100_000, ["list"]) == []


PEER = "/usr/share/bash-completion/completions/xl"


@pytest.mark.peer
def test_debians_completion_finds_all_in_the_help(xl: Xl, tmp_path: Path) -> None:
    if not Path(PEER).exists():
        lacking(f"{PEER} is not there (xen-utils-common)")
    (tmp_path / "help").write_text(xl("help")[1])
    (tmp_path / "xl").write_text(f"#!/bin/sh\ncat {tmp_path}/help\n")
    (tmp_path / "xl").chmod(0o755)
    script = f"source {PEER}; COMP_WORDS=(xl $1); COMP_CWORD=1; _xl; printf '%s\\n' ${{COMPREPLY[@]}}"

    def completed(word: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", script, "bash", word],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert completed("") == [row.name for row in COMMANDS]
    assert completed("mem-s") == ["mem-set"]
    assert completed("help") == ["help"]
    assert completed("-") == []


@pytest.mark.parametrize("words", [["-f"], ["-vfTt"], ["-v", "-T"], ["--"]])
def test_global_options(xl: Xl, words: list[str]) -> None:
    assert xl(*words, "domid", "d1") == (0, "1\n", "")


def test_an_unknown_global_option(xl: Xl) -> None:
    assert xl("-x", "list") == (
        1,
        "",
        "xl: no global option '-x' (there are -v -f -N -t -T; others follow the sub-command)\n",
    )


def test_the_program_is_named_as_it_was_called(xl: Xl) -> None:
    assert (
        xl("migrate", program_name="/usr/pkg/sbin/xm")[2]
        == "xm: migrate is not there yet: it comes with moving domains (xm help lists what is)\n"
    )


def test_an_error_is_one_line_whatever_it_says(xl: Xl, xend: FakeXend) -> None:
    xend.fails["domain.list"] = BusError("internal", "two\nlines\x07", {"cause": "\x1b[31mred"})
    assert xl("list") == (1, "", "xl: two lines?: ?[31mred\n")


def test_an_error_in_json(xl: Xl, xend: FakeXend) -> None:
    xend.fails["host.info"] = BusError("hypervisor_failed", "no", {"cause": "EPERM", "hint": "be root"})
    status, text, errors = xl("info", "--json")
    assert json.loads(text) == {
        "error": {"code": "hypervisor_failed", "message": "no", "cause": "EPERM", "hint": "be root"}
    }
    assert (status, errors) == (1, "xl: no: EPERM (be root)\n")


def test_a_fault_of_ours_is_no_traceback(xl: Xl, xend: FakeXend) -> None:
    xend.host = {}
    assert xl("info") == (1, "", "xl: a fault of xl's own: KeyError: 'host' (xl -v shows where)\n")
    assert "Traceback" in xl("-v", "info")[2]


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)], ids=["interrupt", "pipe"]
)
def test_ends_that_need_no_words(
    xl: Xl, xend: FakeXend, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def end(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(xend, "call", end)
    assert xl("list") == (status, "", "")
