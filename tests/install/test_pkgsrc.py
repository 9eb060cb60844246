"""pkgsrc's package: what it lists is what is there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from contrib.install import plist
from contrib.install import wheel as wheels
from contrib.install.wheel import Wheel
from tests.install.site import PATIENCE_SECONDS, TREE
from tests.peers.daemons import need

PACKAGE = TREE / "pkgsrc"
RC_SCRIPTS = {path.stem for path in (TREE / "rc.d").glob("*.in")} - {"xen.subr"}


def test_the_list_is_what_is_installed(wheel_file: Path) -> None:
    assert (PACKAGE / "PLIST").read_text() == plist.generate(wheel_file), (
        "python -m contrib.install.plist > pkgsrc/PLIST writes it anew"
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package's directory in a tree with what it includes, as far as its own variables go."""
    need(Path("bmake"))
    directory = tmp_path / "sysutils/xend"
    shutil.copytree(PACKAGE, directory)
    for name in ("lang/python/wheel.mk", "mk/bsd.pkg.mk"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    return directory


def variable(package: Path, name: str, *given: str) -> list[str]:
    """A variable's words, where pkgsrc's own have no value."""
    argv = ["bmake", "-r", "-C", str(package), *given, "-V", f"${{{name}}}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.split()


def test_its_version_is_ours(package: Path, wheel: Wheel) -> None:
    assert variable(package, "DISTNAME") == [wheel.name]


def test_it_depends_on_what_the_distribution_does(package: Path, wheel: Wheel) -> None:
    depends = {
        word.split(":")[0].removeprefix("py-") for word in variable(package, "DEPENDS", "PYPKGPREFIX=py")
    }
    assert depends == {f"{name}>={least}" for name, least in wheel.required.items()}


def test_service_scripts(package: Path) -> None:
    assert set(variable(package, "RCD_SCRIPTS")) == RC_SCRIPTS
    for name in RC_SCRIPTS:
        (source,) = variable(package, f"RCD_SCRIPT_SRC.{name}", f"WRKSRC={TREE}")
        assert Path(source).is_file()


def test_every_hotplug_script_is_copied(package: Path) -> None:
    given = ("EGDIR=E", "PKG_SYSCONFDIR=S", "REAL_ROOT_USER=root", "REAL_ROOT_GROUP=wheel")
    scripts = [path for path in (TREE / "xend/scripts").iterdir() if path.is_file()]
    programs = variable(package, "CONF_FILES_PERMS", *given)
    assert programs[3::5] == ["wheel"] * (len(programs) // 5)
    assert programs[4::5] == ["0755"] * (len(programs) // 5)
    files = variable(package, "CONF_FILES", *given)
    wanted = {script.name: script.stat().st_mode & 0o111 for script in scripts}
    assert set(programs[::5]) == {f"E/scripts/{name}" for name in wanted if wanted[name]}
    assert set(programs[1::5]) == {f"S/scripts/{name}" for name in wanted if wanted[name]}
    assert set(files[::2]) == {f"E/scripts/{name}" for name in wanted if not wanted[name]}
    assert set(files[1::2]) == {f"S/scripts/{name}" for name in wanted if not wanted[name]}


def test_what_it_owns(package: Path) -> None:
    owned = variable(package, "OWN_DIRS", "PKG_SYSCONFDIR=S", "VARBASE=V")
    assert sorted(owned) == ["S/auto", "S/scripts", "V/log/xen"]


def test_its_installation_is_ours(package: Path) -> None:
    """do-install is a command that our installer understands, as the list's was."""
    given = ["TOOL_PYTHONBIN=python", "WHEELFILE=w", "PREFIX=/usr/pkg", "PKGMANDIR=man", "PYSITELIB=lib/p"]
    argv = ["bmake", "-r", "-n", "-C", str(package), *given, "do-install"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done
    words = done.stdout.split()
    assert words[words.index("python") + 1 :][:2] == ["-m", "contrib.install"]
    for word in ("--no-config", "--no-rc", "--systemd-dir"):
        assert (word in words) == (word in plist.OPTIONS)


def test_the_source_distribution_has_what_installs_it(tmp_path: Path) -> None:
    wheels.setup(TREE, "egg_info", "--egg-base", str(tmp_path))
    (sources,) = tmp_path.glob("*/SOURCES.txt")
    listed = set(sources.read_text().splitlines())
    for name in ("contrib", "pkgsrc", "rc.d"):
        files = [path for path in (TREE / name).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        assert files
        assert {str(path.relative_to(TREE)) for path in files} <= listed, (
            f"MANIFEST.in: recursive-include {name} *"
        )


@pytest.mark.parametrize("name", ["DESCR", "MESSAGE"])
def test_texts(name: str) -> None:
    lines = (PACKAGE / name).read_text().splitlines()
    assert 0 < len(lines) <= 30
    assert max(len(line.expandtabs()) for line in lines) < 81
