"""What the programs that drive xl rely on (netbsd.md 6), a row a sentence.

Nothing here has a terminal: that every command line works so is tested by each row.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from tests.unit.xenclient.xl.process import SCRIPT
from xenclient.cli.xl.table import COMMANDS, LATER

STATE = re.compile("[r-][b-][p-][s-][-rscwS?][d-]")

#: What they call besides what is there (and nothing else is missing).
AWAITED = {"migrate", "migrate-receive"}
CALLED = {"list", "info", "help", "domid", "create", "shutdown", "destroy", "reboot", "rename", "mem-set"}
CALLED |= {"pause", "unpause", "console", "network-list", "block-list", "trigger"}


def test_exactly_six_columns(xl: Xl) -> None:
    header, *rows = xl("list")[1].splitlines()
    assert header.split() == ["Name", "ID", "Mem", "VCPUs", "State", "Time(s)"]
    assert {len(row.split()) for row in rows} == {6}


def test_dom0_is_the_first_row(xl: Xl) -> None:
    assert xl("list")[1].splitlines()[1].split()[:2] == ["Domain-0", "0"]


def test_numbers_and_a_time_with_one_decimal(xl: Xl) -> None:
    for row in xl("list")[1].splitlines()[1:]:
        _, domid, mem, vcpus, state, seconds = row.split()
        assert (domid + mem + vcpus).isdigit()
        assert re.fullmatch(r"\d+\.\d", seconds)
        assert STATE.fullmatch(state)


def test_a_preserved_domain_that_was_shut_down(xl: Xl) -> None:
    assert xl("list", "d2")[1].splitlines()[1].split()[4] == "---s--"


@pytest.mark.parametrize(("name", "exists"), [("d1", True), ("Domain-0", True), ("d", False), ("d11", False)])
def test_the_status_says_whether_a_domain_exists(xl: Xl, name: str, exists: bool) -> None:
    for verb in ("list", "domid"):
        status, text, errors = xl(verb, name)
        assert (status == 0, bool(text), bool(errors)) == (exists, exists, not exists)


@pytest.mark.parametrize("program", ["xl", "xm"])
def test_xm_has_six_columns_too(xl: Xl, program: str) -> None:
    rows = xl("list", program_name=program)[1].splitlines()
    assert {len(row.split()) for row in rows} == {6}
    assert rows[1].split()[0] == "Domain-0"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("total_memory", "4095"),
        ("free_memory", "3071"),
        ("nr_cpus", "4"),
        ("nr_nodes", "1"),
        ("cores_per_socket", "2"),
        ("threads_per_core", "2"),
        ("xen_major", "4"),
        ("xen_minor", "17"),
    ],
)
def test_info_is_key_and_value(xl: Xl, key: str, value: str) -> None:
    """By the colon, and as the third word of the line."""
    lines = xl("info")[1].splitlines()
    assert all(re.match(r"[a-z_]+ *:", line) for line in lines)
    (line,) = [line for line in lines if line.split(":")[0].strip() == key]
    assert (line.split(":")[1].strip(), line.split()[2]) == (value, value)


def test_help_exits_0(xl: Xl) -> None:
    assert xl("help")[0] == 0


def test_list_long_is_json(xl: Xl) -> None:
    domains = json.loads(xl("list", "-l")[1])
    assert [each["config"]["c_info"]["name"] for each in domains] == ["Domain-0", "d1", "d2"]
    assert [each["domid"] for each in domains] == [0, 1, 2]


def test_dryrun_is_json(xl: Xl) -> None:
    assert json.loads(xl("create", "--quiet", "--dryrun", "--defconfig", "/dev/null")[1])["c_info"]["name"]


@pytest.mark.parametrize(
    "words",
    [
        ["name='d9'", "disk=['file:/a,xvda,w','file:/b,xvdb,r']", "kernel='/netbsd.gz'", 'type="pvh"'],
        ["name=d9", "disk=file:/a,0x0,w", "disk=file:/b,0x1,r"],
    ],
)
def test_each_word_is_one_more_line(xl: Xl, xend: FakeXend, words: list[str]) -> None:
    assert xl("create", "-p", "/dev/null", *words)[0] == 0
    ((_, parameters),) = xend.asked
    assert (parameters["extra"], parameters["text"], parameters["paused"]) == (words, "", True)


@pytest.mark.parametrize(
    ("words", "method", "parameters"),
    [
        (["shutdown", "-w", "d1"], "domain.shutdown", {"wait": True}),
        (["shutdown", "-F", "-w", "d1"], "domain.shutdown", {"wait": True, "force": True}),
        (["destroy", "d1"], "domain.destroy", {}),
        (["reboot", "d1"], "domain.reboot", {}),
        (["rename", "d1", "new"], "domain.rename", {"name": "new"}),
        (["mem-set", "d1", "64"], "domain.set_memory", {"target_kib": 65_536}),
        (["mem-max", "d1", "64"], "domain.set_max_memory", {"max_memory_kib": 65_536}),
        (["pause", "d1"], "domain.pause", {}),
        (["unpause", "d1"], "domain.unpause", {}),
    ],
)
def test_verbs(xl: Xl, xend: FakeXend, words: list[str], method: str, parameters: dict[str, object]) -> None:
    assert xl(*words) == (0, "", "")
    assert xend.asked == [(method, {"domain": "d1", **parameters})]


def test_all_that_they_call_is_there_or_awaited() -> None:
    assert {row.name for row in COMMANDS} >= CALLED
    assert set(LATER) >= AWAITED


@pytest.mark.parametrize("name", sorted(AWAITED))
def test_what_is_awaited_says_so_in_one_line(xl: Xl, name: str) -> None:
    assert xl(name, "d1") == (
        1,
        "",
        f"xl: {name} is not there yet: it comes with moving domains (xl help lists what is)\n",
    )


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO8859-1"])
def test_whatever_the_locale_and_without_standard_files(tmp_path: Path, locale: str) -> None:
    """The error names the socket on which nobody listens."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c", SCRIPT, "list", os.fsdecode(b"d\xff")],
        env={"LC_ALL": locale, "XEND_SOCKET": str(tmp_path / "socket"), "PATH": os.environ["PATH"]},
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"xl: no socket at " + os.fsencode(tmp_path))
    assert done.stderr.count(b"\n") == 1
