"""What of the configuration directory is trusted."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from xend.autostart.files import ConfigDirectory, check_pattern, check_trusted
from xend.errors import XendError


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A configuration directory with the domain db, which auto/ links to."""
    tmp_path.chmod(0o755)
    (tmp_path / "auto").mkdir(mode=0o755)
    put(tmp_path / "db", "memory = 32\n")
    (tmp_path / "auto/db").symlink_to("../db")
    return tmp_path


def put(path: Path, text: str | bytes, mode: int = 0o644) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def refusal(call: Callable[[], object]) -> XendError:
    with pytest.raises(XendError) as caught:
        call()
    assert caught.value.message.isprintable()
    return caught.value


def test_what_is_listed_stands_in_order_of_name(top: Path) -> None:
    for name in ("b", "a", ".hidden"):
        put(top / "auto" / name, "")
    assert ConfigDirectory(str(top)).listed() == ["a", "b", "db"]


LEFT = (
    ".hidden", ".db.swp", ".#db", "db~", "#db#", "README", "readme.txt", "README-first", "db.bak", "db.orig",
    "db.dpkg-old", "db.dpkg-new", "db.dpkg-dist", "db.ucf-dist", "db.rpmsave", "db.rpmnew", "db.pacnew",
    "db.pacsave.1", "db.apk-new", "db,v", "db.save", "db.rej", "db.swp",
)  # fmt: skip
KEPT = ("#db", "10-db", "Readmes", "bak", "db.cfg", "db.conf", "db.old-site", "dpkg", "readmewhenbroken", "ä")


def test_what_people_editors_and_package_managers_leave_is_not_listed(top: Path) -> None:
    for name in (*LEFT, *KEPT):
        put(top / "auto" / name, "")
    (top / "auto/folder").mkdir()
    (top / "auto/link-to-folder").symlink_to("folder")
    (top / "auto/loop").symlink_to("loop")
    (top / "auto/nowhere").symlink_to("../gone")
    assert ConfigDirectory(str(top)).listed() == sorted([*KEPT, "db", "loop", "nowhere"])


def test_a_link_that_leads_nowhere(top: Path) -> None:
    directory = ConfigDirectory(str(top))
    for name, target in (("nowhere", "../gone"), ("loop", "loop"), ("below", "../db/x")):
        (top / "auto" / name).symlink_to(target)
        assert directory.broken_link(name) == target
    put(top / "auto/file", "")
    for name in ("db", "file", "nosuch"):
        assert directory.broken_link(name) is None


def test_no_auto_is_nothing(tmp_path: Path) -> None:
    directory = ConfigDirectory(str(tmp_path / "nosuch"))
    directory.check()
    assert directory.listed() == []


def test_relative_names_count_from_where_a_configuration_is(top: Path) -> None:
    directory = ConfigDirectory(str(top))
    (top / "vms").mkdir()
    put(top / "vms/mail", "")
    (top / "auto/mail").symlink_to("../vms/mail")
    put(top / "auto/plain", "")
    assert directory.read("db").directory == str(top)
    assert directory.read("db", is_listed=True).directory == str(top)
    assert directory.read("mail", is_listed=True).directory == str(top / "vms")
    assert directory.read("plain", is_listed=True).directory == str(top / "auto")
    assert directory.read("db").text == "memory = 32\n"


@pytest.mark.parametrize("name", ["", ".", "..", ".db", "a/b", "/etc/passwd", "../db", "a\0b", "a\nb"])
def test_names_that_are_none(top: Path, name: str) -> None:
    error = refusal(lambda: ConfigDirectory(str(top)).read(name))
    assert error.code == "bad_request"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o777])
def test_a_file_that_others_may_write_is_refused_however_it_is_reached(top: Path, mode: int) -> None:
    (top / "db").chmod(mode)
    directory = ConfigDirectory(str(top))
    for is_listed, path in ((False, top / "db"), (True, top / "auto/db")):
        error = refusal(lambda is_listed=is_listed: directory.read("db", is_listed))  # type: ignore[misc]
        assert error.code == "bad_config"
        assert error.message.startswith(f"{path} may be written by others than its owner (mode {mode:04o})")
        assert error.fields["hint"] == f"look at it, then: chmod go-w {path}"


def status(mode: int, uid: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


def test_whose_files_are_trusted() -> None:
    check_trusted("/f", status(stat.S_IFREG | 0o644, 0))
    check_trusted("/f", status(stat.S_IFREG | 0o600, os.geteuid()))
    error = refusal(lambda: check_trusted("/f", status(stat.S_IFREG | 0o644, 54321)))
    assert error.message.startswith("/f belongs to user 54321")
    assert "chown root /f" in error.fields["hint"]


def test_what_is_no_configuration(top: Path) -> None:
    directory = ConfigDirectory(str(top))
    os.mkfifo(top / "fifo", 0o600)
    (top / "folder").mkdir()
    put(top / "long", b"#" * ((1 << 20) + 1))
    (top / "loop").symlink_to("loop")
    for name, words in [
        ("fifo", "is no file"),
        ("folder", "is no file"),
        ("long", "is longer than 1048576 bytes"),
        ("loop", "cannot be read"),
        ("nosuch", "cannot be read"),
        ("x" * 300, "cannot be read"),
    ]:
        error = refusal(lambda name=name: directory.read(name))  # type: ignore[misc]
        assert error.code == "bad_config"
        assert words in error.message


def test_a_configuration_holds_any_bytes(top: Path) -> None:
    put(top / "latin", b"# \xe4\n")
    assert ConfigDirectory(str(top)).read("latin").text == "# \udce4\n"


def test_a_directory_that_others_may_write_is_refused(top: Path) -> None:
    directory = ConfigDirectory(str(top))
    directory.check()
    for path in (top / "auto", top):
        path.chmod(0o775)
        assert refusal(directory.check).message.startswith(f"{path} may be written by others")
        path.chmod(0o755)


def test_hooks_are_those_that_are_there_and_trusted(top: Path) -> None:
    directory = ConfigDirectory(str(top))
    assert directory.hook("%s-pre", "db") is None
    hook = put(top / "db-pre", "#!/bin/sh\n", 0o755)
    assert directory.hook("%s-pre", "db") == str(hook)
    hook.chmod(0o644)
    assert refusal(lambda: directory.hook("%s-pre", "db")).fields["hint"] == f"chmod 755 {hook}"
    hook.chmod(0o777)
    assert "may be written by others" in refusal(lambda: directory.hook("%s-pre", "db")).message
    hook.unlink()
    (top / "open").mkdir()
    (top / "open").chmod(0o777)
    put(top / "open/hook", "#!/bin/sh\n", 0o755)
    hook.symlink_to("open/hook")
    assert refusal(lambda: directory.hook("%s-pre", "db")).message.startswith(f"{top}/open may be written")


@pytest.mark.parametrize("pattern", ["%s-pre", "pre-%s", "%s"])
def test_formats(pattern: str) -> None:
    check_pattern("prehook", pattern)
    check_pattern("prehook", None)


@pytest.mark.parametrize("pattern", ["", "pre", "%d", "%s%s", "%%s", "/etc/%s", "../%s", ".%s", "%s\n"])
def test_formats_that_are_none(pattern: str) -> None:
    error = refusal(lambda: check_pattern("prehook", pattern))
    assert error.code == "bad_request"
    assert re.search("was expected", error.message)
