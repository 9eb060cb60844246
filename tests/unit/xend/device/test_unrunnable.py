"""Why a script cannot be run: found before it is tried, and what the kernel says to each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.server.program import NOBODY, as_root
from xend.device.reasons import UNRUNNABLE
from xend.device.runner import run_script
from xend.device.scripts import check
from xend.device.unrunnable import has_carriage_returns, refused, unrunnable
from xend.errors import XendError

SEARCH = "/usr/bin:/bin"
SH = "/bin/sh"

#: What stands in the file, the reason, and what goes on after its path.
SPOILT = [
    (b"#!/bin/sh\r\nexit 0\r\n", "carriage_return",
     r'cannot be run: its first line names "/bin/sh\r", with a carriage return at its end'),
    (b"#! /bin/sh\r\n", "carriage_return",
     r'cannot be run: its first line names "/bin/sh\r", with a carriage return at its end'),
    (b"#!/bin/sh\r", "carriage_return",
     r'cannot be run: its first line names "/bin/sh\r", with a carriage return at its end'),
    (b"#!/usr/bin/env sh\r\n", "carriage_return",
     r'cannot be run: its first line names "sh\r", with a carriage return at its end'),
    (b"#!/no/such/sh\n", "no_interpreter",
     'cannot be run: its first line names "/no/such/sh", which does not exist'),
    (b"#!/no/such/sh -e\nexit 0\n", "no_interpreter",
     'cannot be run: its first line names "/no/such/sh", which does not exist'),
    (b"#!\t /usr/pkg/bin/nosuch", "no_interpreter",
     'cannot be run: its first line names "/usr/pkg/bin/nosuch", which does not exist'),
    (b"#!/etc\n", "no_interpreter", 'cannot be run: its first line names "/etc", which is a directory'),
    (b"#!/etc/passwd\n", "no_interpreter",
     'cannot be run: its first line names "/etc/passwd", which is not executable'),
    (b"#!/usr/bin/env nosuch\n", "no_interpreter",
     'cannot be run: its first line names "nosuch", which env does not find'),
    (b"exit 0\n", "no_first_line", "cannot be run: it does not begin with #! and an interpreter"),
    (b"", "no_first_line", "cannot be run: it does not begin with #! and an interpreter"),
    (b"#!\n", "no_first_line", "cannot be run: it does not begin with #! and an interpreter"),
    (b" #!/bin/sh\n", "no_first_line", "cannot be run: it does not begin with #! and an interpreter"),
    (b"\xef\xbb\xbf#!/bin/sh\n", "no_first_line",
     "cannot be run: it begins with a byte order mark, not with #! and an interpreter"),
]  # fmt: skip


def put(path: Path, text: bytes, mode: int = 0o755) -> str:
    path.write_bytes(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.trio
@pytest.mark.parametrize(("text", "reason", "complaint"), SPOILT)
async def test_what_stands_in_it(tmp_path: Path, text: bytes, reason: str, complaint: str) -> None:
    script = put(tmp_path / "vif-mine", text)
    found = refused(script, SEARCH)
    assert found is not None
    assert (found.reason, found.complaint) == (reason, complaint)
    if (
        reason != "no_first_line"
    ):  # of which only the kernel knows, who may have been taught to run such a file
        assert unrunnable(script, SEARCH) == found
        with pytest.raises(XendError) as caught:
            check(script, "vif 0")
        assert caught.value.message == f"vif 0: script {script} {complaint}"
        assert caught.value.fields["reason"] == reason
    if b"env" not in text:  # which is run, and ends with 127
        with pytest.raises(XendError) as caught:
            await run_script([script], {"PATH": SEARCH}, 30)
        assert caught.value.message == f"{script} {complaint}"
        assert caught.value.fields["reason"] == reason
    assert reason in UNRUNNABLE


GOOD = [
    b"#!/bin/sh\nexit 0\n",
    b"#! /bin/sh -e\nexit 0\n",
    b"#!/bin/sh",
    b"#!/usr/bin/env sh\nexit 0\n",
    b"#!/usr/bin/env -S sh -e\nexit 0\n",
    b"#!bin/sh\nexit 0\n",  # scripts are run in /
    b"#!/usr/bin/env A=b sh\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_nothing_is_wrong(tmp_path: Path, text: bytes) -> None:
    script = put(tmp_path / "vif-mine", text)
    assert unrunnable(script, SEARCH) is None
    check(script, "vif 0")


def test_programs_and_scripts_run_by_scripts(tmp_path: Path) -> None:
    assert unrunnable(sys.executable, SEARCH) is None
    inner = put(tmp_path / "inner", b"#!/no/such\n")
    found = unrunnable(put(tmp_path / "outer", b"#!%s\n" % os.fsencode(inner)), SEARCH)
    assert found is not None
    assert found.complaint == 'cannot be run: its first line names "/no/such", which does not exist'


def test_a_carriage_return_that_is_the_interpreter_s_name(tmp_path: Path) -> None:
    (tmp_path / "sh\r").symlink_to(SH)
    assert unrunnable(put(tmp_path / "x", b"#!%s/sh\r\n" % bytes(tmp_path)), SEARCH) is None


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    plain = put(tmp_path / "plain", b"#!/bin/sh\n", 0o644)
    for name, reason, complaint in (
        ("nosuch", "missing", "does not exist"),
        ("plain/below", "missing", "does not exist"),
        ("nowhere", "missing", 'is a link to "gone", which does not exist'),
        ("loop", "missing", "cannot be reached: Too many levels of symbolic links"),
        ("folder", "no_file", "is a directory"),
        ("fifo", "no_file", "is no file"),
        ("plain", "not_executable", "is not executable"),
    ):
        found = unrunnable(str(tmp_path / name), SEARCH)
        assert found is not None
        assert (found.reason, found.complaint) == (reason, complaint)
    with pytest.raises(XendError) as caught:
        check(plain, "vif 0")
    assert caught.value.fields["hint"] == f"chmod 755 {plain}"


#: The interpreter may lie where only root can read.
ASK = """
import os, sys
from xend.device.unrunnable import unrunnable
if AS: os.setgroups([]); os.setgid(AS); os.setuid(AS)
found = unrunnable(sys.argv[1], "/bin")
print(found and f"{found.reason} {found.complaint}")
"""


@as_root
def test_a_directory_above_that_may_not_be_searched(tmp_path: Path) -> None:
    for above in (tmp_path, *tmp_path.parents):
        above.chmod(above.stat().st_mode | 0o005)
    (tmp_path / "closed").mkdir(mode=0o700)
    script = put(tmp_path / "closed/vif-mine", b"#!/bin/sh\n")
    done = subprocess.run(
        [sys.executable, "-c", ASK.replace("AS", str(NOBODY)), script], capture_output=True, text=True
    )
    expected = f"closed_directory cannot be reached: {tmp_path}/closed may not be searched\n"
    assert (done.stdout, done.stderr) == (expected, "")


@as_root
def test_a_file_system_that_runs_nothing(tmp_path: Path) -> None:
    put(tmp_path / "script", b"#!/bin/sh\n")
    mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,noexec {tmp_path}"
    argv = ["unshare", "-m", "sh", "-c", f'{mount} || exit 77; exec "$@"', "sh"]
    done = subprocess.run(
        [*argv, sys.executable, "-c", ASK.replace("AS", "0"), str(tmp_path / "script")],
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip(f"needs to mount: {done.stderr}")
    assert done.stdout == "noexec cannot be run: its file system is mounted noexec\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"#!/bin/sh\nexit 1\r\n", True), (b"#!/bin/sh -e\r\n", True), (b"#!/bin/sh\nprintf '\\r'\n", False)],
)
def test_line_ends_of_windows(tmp_path: Path, text: bytes, expected: bool) -> None:
    assert has_carriage_returns(put(tmp_path / "x", text)) is expected
