"""What an installation puts where."""

import os
import stat
from pathlib import Path

import pytest

from contrib.install.layout import SBIN
from contrib.install.wheel import Wheel
from tests.install.site import TREE, Site
from xend.config.domain import parse

RC_SCRIPTS = {"xen-watchdog", "xenbackendd", "xencommons", "xend", "xendomains"}
VERBS = ("chmod", "control", "exists", "list", "ls", "read", "rm", "watch", "write")
BIN = {"xentop", "xl", "xm", *(f"xenstore-{verb}" for verb in VERBS)}


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def staged(site: Site, path: Path) -> Path:
    return Path(f"{site.stage}{path}")


def test_programs_and_where(site: Site, wheel: Wheel) -> None:
    assert names(staged(site, site.prefix / "sbin")) == SBIN
    assert names(staged(site, site.prefix / "bin")) == BIN
    assert set(wheel.programs) == SBIN | BIN


def test_every_program_names_the_interpreter(site: Site) -> None:
    for directory in ("bin", "sbin"):
        for program in staged(site, site.prefix / directory).iterdir():
            assert program.read_text().splitlines()[0] == f"#!{site.python} -P"
            assert stat.S_IMODE(program.stat().st_mode) == 0o755


def test_nothing_goes_elsewhere(site: Site) -> None:
    """Every file is below the prefix, or configuration."""
    for path in site.stage.rglob("*"):
        if not path.is_dir():
            final = Path("/", path.relative_to(site.stage))
            assert final.is_relative_to(site.prefix) or final.is_relative_to(site.etc), final


def test_nothing_is_writable_by_others(site: Site) -> None:
    for path in site.stage.rglob("*"):
        assert not path.is_symlink()
        assert path.stat().st_mode & 0o022 == 0, path


def test_nothing_remembers_where_it_came_from(site: Site) -> None:
    """Compiled modules excepted, whose debugging information names their source."""
    for path in site.stage.rglob("*"):
        if path.is_file() and path.suffix != ".so":
            data = path.read_bytes()
            for origin in (TREE, site.stage):
                assert os.fsencode(origin) + b"/" not in data, path


def test_hotplug_scripts(site: Site) -> None:
    ours = {path.name: path for path in (TREE / "xend/scripts").iterdir()}
    for directory in (site.prefix / "share/examples/xen/scripts", site.etc / "scripts"):
        assert names(staged(site, directory)) == set(ours)
        for name, script in ours.items():
            copy = staged(site, directory / name)
            assert copy.read_bytes() == script.read_bytes()
            assert os.access(copy, os.X_OK) == os.access(script, os.X_OK)


def test_service_scripts(site: Site) -> None:
    directory = staged(site, site.prefix / "share/examples/rc.d")
    assert names(directory) == RC_SCRIPTS
    for script in directory.iterdir():
        assert script.read_text().splitlines()[0] == "#!/bin/sh"
        assert f"{site.prefix}/" in script.read_text()
        assert os.access(script, os.X_OK)
    shared = staged(site, site.prefix / "libexec/xen/xen.subr")
    assert f'"{site.python}"' in shared.read_text()
    assert not os.access(shared, os.X_OK)


def test_manual_pages(site: Site) -> None:
    for page in (TREE / "docs/man").iterdir():
        assert staged(site, site.prefix / f"share/man/man{page.suffix[1:]}" / page.name).is_file()


COMPLETION = [
    "bash-completion/completions/xl",
    "bash-completion/completions/xm",
    "zsh/site-functions/_xl",
    "fish/vendor_completions.d/xl.fish",
]


@pytest.mark.parametrize("path", COMPLETION)
def test_completion_of_shells(site: Site, path: str) -> None:
    assert "__complete" in staged(site, site.prefix / "share" / path).read_text()


def test_every_program_has_its_page(site: Site) -> None:
    pages = {page.stem for page in staged(site, site.prefix / "share/man").glob("man[18]/*")}
    assert (SBIN | BIN) - pages == {"xm"}  # which is xl


@pytest.mark.parametrize("name", ["example-linux", "example-netbsd"])
def test_examples_are_domains(site: Site, name: str) -> None:
    text = staged(site, site.prefix / "share/examples/xen" / name).read_text()
    assert parse(text, source=name, name=name).autostart_after == ()
    active = text.replace("#autostart", "autostart")
    assert list(parse(active, source=name, name=name).autostart_after) == ["db"]


def test_what_pip_is_told(site: Site) -> None:
    """RECORD lists what is there, and only that."""
    modules = staged(site, site.modules)
    (info,) = modules.glob("xend-*.dist-info")
    recorded = {line.split(",")[0] for line in (info / "RECORD").read_text().splitlines()}
    for name in recorded:
        assert (modules / name).is_file(), name
    there = {str(path.relative_to(modules)) for path in modules.rglob("*") if path.is_file()}
    assert there <= recorded
    assert "../../../sbin/xend" in recorded
