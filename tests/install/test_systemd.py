"""The units: filled, what systemd takes, and in an order that does no harm."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.install.site import PATIENCE_SECONDS, Site
from tests.peers.daemons import need

UNITS = {"xenbackendd", "xenconsoled", "xend", "xendomains", "xenstored", "xenwatchdogd"}


def directory(site: Site) -> Path:
    return site.prefix / "lib/systemd/system"


def unit(site: Site, name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((directory(site) / f"{name}.service").read_text())
    return parser


def test_there_is_one_for_each_service(site: Site) -> None:
    assert {path.stem for path in directory(site).iterdir()} == UNITS


@pytest.mark.parametrize("name", sorted(UNITS))
def test_it_runs_what_was_installed(site: Site, name: str) -> None:
    service = unit(site, name)["Service"]
    program = Path(service["ExecStart"].split()[0])
    assert program.is_relative_to(site.prefix)
    assert program.is_file()
    assert service["Type"] == ("oneshot" if name == "xendomains" else "notify")


@pytest.mark.parametrize("name", sorted(UNITS - {"xendomains"}))
def test_its_daemon_takes_these_options(site: Site, name: str) -> None:
    """Those that the unit gives: all of them are known to the program, which then has nothing to serve."""
    words = [word for word in unit(site, name)["Service"]["ExecStart"].split() if not word.startswith("$")]
    known = site.run(words[0], "--help").stdout
    for word in words[1:]:
        if word.startswith("-"):
            assert word in known, f"{name}: {word}"


def test_no_restart_spreads(site: Site) -> None:
    """systemd restarts what Requires= or BindsTo= something that is restarted: with it, all domains."""
    for name in UNITS:
        for word in ("Requires", "BindsTo", "PartOf", "Requisite"):
            assert word not in unit(site, name)["Unit"], name


def test_domains_that_came_up_are_stopped_although_others_did_not(site: Site) -> None:
    service = unit(site, "xendomains")["Service"]
    assert service["SuccessExitStatus"] == "1"
    assert service["RemainAfterExit"] == "yes"


def test_order(site: Site) -> None:
    """Started in this order, stopped in the reverse."""
    after = {name: unit(site, name)["Unit"].get("After", "").split() for name in UNITS}
    assert "xend.service" in after["xendomains"]
    assert "xenstored.service" in after["xend"]
    assert unit(site, "xenwatchdogd")["Unit"]["Before"] == "xenstored.service"


def test_systemd_takes_them(site: Site) -> None:
    need(Path("systemd-analyze"))
    assert shutil.which("systemd-analyze")
    units = sorted(map(str, directory(site).glob("*.service")))
    argv = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
