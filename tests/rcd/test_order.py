"""Where rcorder puts the scripts, among those of a NetBSD."""

from pathlib import Path

import pytest

from tests.rcd.host import SCRIPTS, SERVICES, TEMPLATES
from tests.rcd.order import Header, ordered

#: Of each pair, the first starts before the second, and stops after it.
PAIRS = (
    ("DAEMON", "xen-watchdog"),
    ("DAEMON", "xencommons"),
    ("xen-watchdog", "xencommons"),
    ("xencommons", "xend"),
    ("xencommons", "xenbackendd"),
    ("xend", "xendomains"),
    ("xenbackendd", "xendomains"),
)


@pytest.fixture
def rc_d(tmp_path: Path) -> Path:
    for name in SCRIPTS:
        (tmp_path / name).write_text((TEMPLATES / f"{name}.in").read_text())
    for name, words in SERVICES.items():
        (tmp_path / name).write_text(f"# {words}\n")
    return tmp_path


@pytest.mark.parametrize("pair", PAIRS)
def test_services_start_after_what_they_need(rc_d: Path, pair: tuple[str, str]) -> None:
    names = [header.path.name for header in ordered(rc_d.iterdir())]
    assert names.index(pair[0]) < names.index(pair[1])


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_but_its_lines_puts_it_there(rc_d: Path, pair: tuple[str, str]) -> None:
    """Whatever the scripts are called, which is what rcorder goes by where nobody asks for an order."""
    for number, name in enumerate(sorted(path.name for path in rc_d.iterdir()), 100):
        (rc_d / name).rename(rc_d / f"{999 - number}-{name}")
    names = [header.path.name[4:] for header in ordered(rc_d.iterdir())]
    assert names.index(pair[0]) < names.index(pair[1])


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_provides_its_name_and_stops_at_shutdown(rc_d: Path, name: str) -> None:
    header = Header(rc_d / name)
    assert header.words["PROVIDE"] == [name]
    assert header.words["KEYWORD"] == ["shutdown"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_all_they_name_is_provided(rc_d: Path, name: str) -> None:
    provided = {word for header in map(Header, rc_d.iterdir()) for word in header.words["PROVIDE"]}
    header = Header(rc_d / name)
    assert {*header.words["REQUIRE"], *header.words["BEFORE"]} <= provided
