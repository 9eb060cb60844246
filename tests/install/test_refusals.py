"""What the installer does not do, and says so in one line; and what it leaves alone."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contrib.install import InstallError
from contrib.install.__main__ import main
from contrib.install.layout import Layout
from contrib.install.placing import Placing
from contrib.install.target import Target
from contrib.install.wheel import make
from tests.install.site import TREE


def layout(top: Path, **other: str) -> Layout:
    return Layout(
        **{
            "destdir": str(top),
            "prefix": "/p",
            "sysconfdir": "/etc/xen",
            "varbase": "/var",
            "sitelib": "/p/lib",
            "mandir": "/p/man",
            "systemd": None,
            "python": "/p/bin/python",
            **other,
        }  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--python", "/none/python"], "PYTHON=/none/python: there is no such program"),
        (["--python", "false"], "does not work: no output"),
        (["--prefix", "/none"], "PREFIX=/none: .* looks for modules in .*python3 -m venv /none"),
        (["--wheel", "/none.whl", "--sitelib", "/x"], "/none.whl is no wheel"),
        (["--wheel", str(TREE / "Makefile"), "--sitelib", "/x"], "Makefile is no wheel"),
    ],
)
def test_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--destdir", str(tmp_path), *words]) == 1
    said = capsys.readouterr().err
    assert re.search(complaint, said)
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["destdir", "prefix", "sysconfdir", "varbase", "sitelib", "mandir"])
def test_paths_are_absolute(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--{name}", "here"])
    assert caught.value.code == 2
    assert f"--{name} here: an absolute path was expected" in capsys.readouterr().err


def test_a_directory_that_cannot_be_written(
    wheel_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    where = ["--destdir", str(tmp_path / "file"), "--prefix", sys.prefix, "--python", sys.executable]
    assert main([*where, "--wheel", str(wheel_file)]) == 1
    assert re.search(r"install: /.*file.*: Not a directory\n$", capsys.readouterr().err)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the compiled modules are looked for in."""
    copy = tmp_path / "tree"
    shutil.copytree(TREE / "cython", copy / "cython")
    shutil.copytree(TREE / "native", copy / "native")
    shutil.copytree(TREE / "clients/xenclient/quick", copy / "clients/xenclient/quick")
    shutil.copy(TREE / "setup.py", copy)
    for package in ("xenstore", "xend"):
        (copy / package).mkdir()
        for module in (TREE / package).glob("*.so"):
            shutil.copy2(module, copy / package)
    return copy


def test_a_module_that_was_not_built(tree: Path, tmp_path: Path) -> None:
    suffix = Target.ask(sys.executable).suffix
    (tree / f"xenstore/_tree{suffix}").unlink()
    with pytest.raises(InstallError, match=r"xenstore/_tree\S+ is missing: `make` builds it"):
        make(tree, tmp_path, suffix)


def test_modules_for_another_interpreter(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"_spawn\.cpython-399\.so is missing: .*make PYTHON="):
        make(tree, tmp_path, ".cpython-399.so")


def test_a_module_older_than_its_source(tree: Path, tmp_path: Path) -> None:
    (tree / "cython/xenstore/_tree.pxd").touch()
    with pytest.raises(
        InstallError, match=r"is older than cython/xenstore/_tree\.pxd: `make` builds it anew"
    ):
        make(tree, tmp_path, Target.ask(sys.executable).suffix)


def test_a_program_that_was_not_built(tree: Path, tmp_path: Path) -> None:
    (tree / "clients/xenclient/quick/xenstore-ls").unlink()
    with pytest.raises(InstallError, match=r"quick/xenstore-ls is missing: `make` builds it"):
        make(tree, tmp_path, Target.ask(sys.executable).suffix)


def test_a_program_older_than_its_source(tree: Path, tmp_path: Path) -> None:
    (tree / "native/quick.c").touch()
    with pytest.raises(InstallError, match=r"is older than native/quick\.c: `make` builds it anew"):
        make(tree, tmp_path, Target.ask(sys.executable).suffix)


def test_a_template_with_a_variable_that_is_none(tmp_path: Path) -> None:
    template = tmp_path / "x.in"
    template.write_text('dir="@PREFIX@/@LIBEXEC@"; set -- "$@"; a@b.c\n')
    with pytest.raises(InstallError, match="@LIBEXEC@ is none of PREFIX, PKG_SYSCONFDIR"):
        layout(tmp_path).fill(template)
    template.write_text('dir="@PREFIX@"; set -- "$@"; a@b.c\n')
    assert layout(tmp_path).fill(template) == 'dir="/p"; set -- "$@"; a@b.c\n'


@pytest.mark.parametrize(
    ("found", "phrases"),
    [
        ({"trio": "0.27"}, []),
        ({"trio": "0.30.1"}, []),
        ({"trio": "1.0rc1"}, []),
        ({"trio": "0.22.2"}, ["trio>=0.27 (it has 0.22.2)"]),
        ({"trio": None}, ["trio>=0.27"]),
    ],
)
def test_what_an_interpreter_lacks(found: dict[str, str | None], phrases: list[str]) -> None:
    assert Target("/p", ".so", [], found).lacking({"trio": "0.27"}) == phrases


class TestTheAdministratorsFiles:
    """Hotplug scripts, where there are some already."""

    @pytest.fixture
    def placing(self, tmp_path: Path) -> Placing:
        return Placing(layout(tmp_path), TREE)

    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        path = tmp_path / "etc/xen/scripts/block"
        path.parent.mkdir(parents=True)
        return path

    def place(self, placing: Placing) -> None:
        placing.configuration()
        placing.examples()

    def test_a_script_of_others_stays_and_is_named(self, placing: Placing, script: Path) -> None:
        script.write_text("#!/bin/sh\n# mine\n")
        self.place(placing)
        assert script.read_text() == "#!/bin/sh\n# mine\n"
        assert placing.kept == ["/etc/xen/scripts/block"]
        assert (script.parent / "vif-bridge").exists()

    def test_one_that_nobody_changed_is_replaced(
        self, placing: Placing, script: Path, tmp_path: Path
    ) -> None:
        example = tmp_path / "p/share/examples/xen/scripts/block"
        example.parent.mkdir(parents=True)
        for path in (script, example):
            path.write_text("#!/bin/sh\n# the last version's\n")
        self.place(placing)
        assert script.read_bytes() == example.read_bytes() == (TREE / "xend/scripts/block").read_bytes()
        assert placing.kept == []

    def test_again_changes_nothing(self, placing: Placing, script: Path) -> None:
        for _ in range(2):
            self.place(placing)
        assert placing.kept == []


def test_an_older_version_makes_way(wheel_file: Path, tmp_path: Path) -> None:
    """A module that is no more is not left to be imported."""
    modules = tmp_path / "lib/x"
    (modules / "xend").mkdir(parents=True)
    (modules / "xend/gone.py").touch()
    (modules / "xend-0.0.9.dist-info").mkdir()
    (modules / "other").mkdir()
    words = ["--prefix", sys.prefix, "--sitelib", "/lib/x", "--no-config"]
    argv = [
        sys.executable,
        "-m",
        "contrib.install",
        "--destdir",
        str(tmp_path),
        "--wheel",
        str(wheel_file),
        *words,
    ]
    subprocess.run(argv, cwd=TREE, check=True, capture_output=True, timeout=60)
    assert not (modules / "xend/gone.py").exists()
    assert [path.name for path in modules.glob("*.dist-info")] == [
        wheel_file.name.split("-cp")[0] + ".dist-info"
    ]
    assert (modules / "other").exists()
