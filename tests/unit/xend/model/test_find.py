"""Where the device model is looked for, and what is said where there is none that runs."""

from pathlib import Path

import pytest

from xend.errors import XendError
from xend.model.find import PROGRAMS, program_of


def test_the_first_that_is_there_is_taken(tmp_path: Path) -> None:
    places = [str(tmp_path / name) for name in ("debian", "pkgsrc", "upstream")]
    for place in places[1:]:
        Path(place).write_bytes(b"\x7fELF")
        Path(place).chmod(0o755)
    assert program_of(None, "linux", places) == places[1]
    assert program_of(places[2], "linux", places) == places[2]


def test_all_systems_of_the_documents_are_there() -> None:
    for place in ("/usr/libexec/xen-qemu-system-i386", "/usr/pkg/libexec/xen/bin/qemu-system-i386"):
        assert place in PROGRAMS


@pytest.mark.parametrize(("platform", "package"), [("linux", "qemu-system-xen"), ("netbsd", "xentools")])
def test_a_missing_one_is_named_with_its_package(platform: str, package: str) -> None:
    with pytest.raises(XendError, match="there is no device model") as caught:
        program_of(None, platform, ["/no/such"])
    assert package in caught.value.fields["hint"]


def test_one_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "qemu").write_bytes(b"\x7fELF")
    with pytest.raises(XendError, match=r"qemu is not executable \(chmod 755"):
        program_of(str(tmp_path / "qemu"), "linux", [])
    with pytest.raises(XendError, match="is not executable"):
        program_of(None, "linux", [str(tmp_path / "qemu")])
    with pytest.raises(XendError, match="does not exist"):
        program_of("/no/such", "linux", [])
