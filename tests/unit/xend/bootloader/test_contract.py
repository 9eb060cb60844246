"""Boot loaders' command lines and answers; of the latter nothing is believed."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from xend.bootloader.contract import ANSWER_MAX_BYTES, Answer, Lie, Loader, argv_of, parse
from xend.bootloader.find import program_of
from xend.bootloader.order import Limits, Order, Report, order_of, pack, report_of
from xend.bootloader.outcome import FILE_MAX_BYTES, Outcome, taken
from xend.errors import XendError


def test_the_command_line() -> None:
    out = ["--output=/o", "--output-format=simple0", "--output-directory=/d"]
    assert argv_of(Loader(program="/p", disk="/x.img"), "/o", "/d") == ["/p", *out, "/x.img"]
    loader = Loader(program="/p", arguments=("-q", "a b"), kernel="k", ramdisk="r", args="x=1 y", disk="/x")
    given = ["--kernel=k", "--ramdisk=r", "--args=x=1 y"]
    assert argv_of(loader, "/o", "/d") == ["/p", *given, *out, "-q", "a b", "/x"]


ANSWERS = [
    (b"kernel /d/k\0ramdisk /d/r\0args x=/y ro\0\0", Answer(kernel="/d/k", ramdisk="/d/r", args="x=/y ro")),
    (b"kernel /d/k\nargs a  b\n", Answer(kernel="/d/k", args="a  b")),
    (b"kernel /d/k\0nonsense x\0args\0\0", Answer(kernel="/d/k")),
    (b"kernel None\0\0", Answer()),
    (b"", Answer()),
    (b"\xff\0", Answer()),
]  # fmt: skip


@pytest.mark.parametrize(("data", "answer"), ANSWERS)
def test_an_answer(data: bytes, answer: Answer) -> None:
    assert parse(data) == answer


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"kernel a\0kernel b\0", "kernel twice"),
        (b"kernel a\0args x\ny\0", "control characters in args"),
        ("kernel a\0args x\x9b2Jy\0".encode(), "control characters in args"),
        (b"kernel a\0args " + b"x" * 1024 + b"\0", "1024 bytes of args, expected at most 1023"),
        (b"kernel " + b"x" * 4097 + b"\0", "4097 bytes of kernel, expected at most 4096"),
        (b"x" * (ANSWER_MAX_BYTES + 1), f"more than {ANSWER_MAX_BYTES} bytes"),
    ],
)
def test_an_answer_that_is_none(data: bytes, why: str) -> None:
    with pytest.raises(Lie, match=why):
        parse(data)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "copies").mkdir()
    (tmp_path / "files/k").write_bytes(b"kernel")
    (tmp_path / "files/r").write_bytes(b"ramdisk")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path


def taken_of(place: Path, answer: str, shown: str | None = None) -> Outcome:
    (place / "answer").write_text(answer.replace("DIR", f"{place}/files"))
    return taken(f"{place}/answer", f"{place}/files", f"{place}/copies", shown)


def test_what_it_names_is_copied(place: Path) -> None:
    found = taken_of(place, "kernel DIR/k\0ramdisk DIR/r\0args x\0")
    assert found == Outcome(kernel=f"{place}/copies/kernel", ramdisk=f"{place}/copies/ramdisk", args="x")
    assert (place / "copies/ramdisk").read_bytes() == b"ramdisk"
    assert (place / "copies/kernel").stat().st_mode & 0o777 == 0o600


def test_what_it_names_as_it_sees_it_is_copied(place: Path) -> None:
    assert taken_of(place, "kernel /out//k\0", "/out").ramdisk is None
    assert (place / "copies/kernel").read_bytes() == b"kernel"


def _link(place: Path) -> None:
    (place / "files/x").symlink_to(place / "secret")


def _fifo(place: Path) -> None:
    os.mkfifo(place / "files/x")


def _directory(place: Path) -> None:
    (place / "files/x").mkdir()


def _empty(place: Path) -> None:
    (place / "files/x").write_bytes(b"")


def _large(place: Path) -> None:
    (place / "files/x").touch()
    os.truncate(place / "files/x", FILE_MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "answer", "why"),
    [
        (_link, "kernel DIR/x\0", "its kernel cannot be read"),
        (_fifo, "kernel DIR/x\0", "its kernel is no regular file"),
        (_directory, "kernel DIR/x\0", "its kernel is no regular file"),
        (_empty, "kernel DIR/x\0", 'its kernel "x" is empty'),
        (_large, "kernel DIR/x\0", "expected at most 512 MiB"),
        (_link, "kernel DIR/../secret\0", "not in the directory"),
        (_link, "kernel DIR/..\0", "not in the directory"),
        (_link, "kernel k\0", "not in the directory"),
        (_link, "kernel DIR/k\0ramdisk DIR/x\0", "its ramdisk cannot be read"),
        (_link, "kernel DIR/none\0", "its kernel cannot be read"),
        (_link, "args x\0", "named no kernel"),
    ],
)
def test_what_is_not_taken(place: Path, make: object, answer: str, why: str) -> None:
    make(place)  # type: ignore[operator]
    with pytest.raises(Lie, match=why):
        taken_of(place, answer)


def test_what_it_names_is_quoted_short_and_clean(place: Path) -> None:
    for path in ("\u202e\u2028" + "x" * 4000, "DIR/" + "x\u202e" * 100):
        with pytest.raises(Lie) as caught:
            taken_of(place, f"kernel {path}\0")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


def test_a_copy_leaves_room_to_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system of the run directory is in memory, and small; a file of holes costs a guest nothing."""
    os.truncate(place / "files/k", 1 << 20)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_blocks=2000, f_bavail=500, f_frsize=4096))
        with pytest.raises(Lie, match=r"its kernel \"k\" has 1048576 bytes, .* there is room for 1024000"):
            taken_of(place, "kernel DIR/k\0")
        assert not list((place / "copies").iterdir())


def test_a_file_that_grows_is_copied_as_far_as_it_was_looked_at(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With bootloader_user a process of that user may still have it open."""

    def grown(path: str) -> SimpleNamespace:
        with (place / "files/k").open("ab") as file:
            file.write(b"more")
        return SimpleNamespace(f_blocks=2000, f_bavail=2000, f_frsize=4096)

    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", grown)
        taken_of(place, "kernel DIR/k\0")
    assert (place / "copies/kernel").read_bytes() == b"kernel"


def test_an_answer_that_is_a_link_is_not_read(place: Path) -> None:
    (place / "answer").symlink_to(place / "secret")
    with pytest.raises(Lie, match="its answer cannot be read"):
        taken(f"{place}/answer", f"{place}/files", f"{place}/copies")


def test_orders_and_reports_are_read_as_they_were_written() -> None:
    loader = Loader(program="/p", arguments=["-q"], disk="/\udcff", args="ä")
    order = Order(loader=loader, uid=1, gid=2, is_own_user=True, directory="/d", limits=Limits(files=3))
    assert order_of(pack(order)) == order
    for report in (
        Report(status=0, outcome=Outcome(kernel="k", ramdisk=None, args="")),
        Report(status=-9),
        Report(refused="x"),
    ):
        assert report_of(pack(report)) == report


def test_a_loader_is_found_beside_xens_programs_and_by_its_name_where_its_path_is_gone(
    tmp_path: Path,
) -> None:
    for version in ("4.14", "4.17"):
        (tmp_path / f"xen-{version}/bin").mkdir(parents=True)
        program = tmp_path / f"xen-{version}/bin/myloader"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    places = [f"{tmp_path}/xen-*/bin"]
    assert program_of("myloader", "linux", places) == f"{tmp_path}/xen-4.17/bin/myloader"
    assert (
        program_of("/usr/lib/xen-4.11/bin/myloader", "linux", places) == f"{tmp_path}/xen-4.17/bin/myloader"
    )
    named = f"{tmp_path}/xen-4.14/bin/myloader"
    assert program_of(named, "linux", places) == named


def test_one_that_is_missing_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xend.bootloader.find.PATH", str(tmp_path))
    with pytest.raises(XendError, match="there is no such program") as caught:
        program_of("/none/pygrub", "netbsd", [str(tmp_path)])
    assert "sysutils/xentools" in caught.value.fields["hint"]
    script = tmp_path / "loader"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(XendError, match="bootloader"):
        program_of(str(script), "linux")
