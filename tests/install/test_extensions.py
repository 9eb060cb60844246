"""setup.py: what it compiles, after which change; on a small tree of the shape of ours."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contrib.install.wheel import compiled_from
from tests.install.site import PATIENCE_SECONDS, TREE

#: _b depends on _a by a name of its own, _c on _b's header; _d on nothing.
FILES = {
    "_a.pxd": "cdef int one() except -1\n",
    "_a.pyx": "cdef int one() except -1:\n    return 1\n",
    "_b.pxd": 'cdef extern from "_b.h":\n    int TWO\n',
    "_b.pyx": "cimport toy._a as a\n\ndef three():\n    return a.one() + TWO\n",
    "_b.h": "#define TWO 2\n",
    "_c.pyx": "from toy._b cimport TWO\n\ndef two():\n    return TWO\n",
    "_d.pyx": "pass\n",
}
BUILD = ["-W", "ignore", "setup.py", "-q", "build_ext", "--inplace"]
WITHOUT_SEMAPHORES = (
    "import runpy, sys; sys.modules['multiprocessing.synchronize'] = None; sys.argv = sys.argv[1:]; "
    "runpy.run_path('setup.py', run_name='__main__')"
)
SOURCES = sorted((TREE / "cython").glob("*/*.p[yx][xd]"))


def make_tree(top: Path) -> Path:
    """The small tree, nothing of it compiled yet."""
    (top / "toy").mkdir(parents=True)
    (top / "toy/__init__.py").touch()
    (top / "cython/toy").mkdir(parents=True)
    (top / "cython/toy/__init__.pxd").touch()
    for name, text in FILES.items():
        (top / "cython/toy" / name).write_text(text)
    shutil.copy(TREE / "setup.py", top)
    shutil.copytree(TREE / "native", top / "native")
    return top


def build(tree: Path, *words: str) -> set[str]:
    """Run setup.py's build_ext; returns the modules that it compiled."""
    before = {path: path.stat().st_mtime_ns for path in tree.glob("toy/*.so")}
    subprocess.run(
        [sys.executable, *(words or BUILD)],
        cwd=tree,
        env=os.environ | {"CFLAGS": "-O0 -g0"},
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    now = {path: path.stat().st_mtime_ns for path in tree.glob("toy/*.so")}
    return {path.name.split(".")[0] for path, changed in now.items() if before.get(path) != changed}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small tree, compiled as on a system without semaphores: Python has no pool of processes there."""
    tree = make_tree(tmp_path_factory.mktemp("tree"))
    assert build(tree, "-c", WITHOUT_SEMAPHORES, *BUILD[2:]) == {"_a", "_b", "_c", "_d"}
    return tree


@pytest.mark.parametrize(
    ("changed", "compiled"),
    [
        (None, set()),
        ("_a.pxd", {"_a", "_b"}),
        ("_b.h", {"_b", "_c"}),
        ("_d.pyx", {"_d"}),
    ],
)
def test_compiles_what_depends_on_a_change(tree: Path, changed: str | None, compiled: set[str]) -> None:
    if changed:
        os.utime(tree / "cython/toy" / changed, (time.time(),) * 2)
    assert build(tree) == compiled


def test_what_it_compiled_works(tree: Path) -> None:
    program = "from toy import _b, _c; print(_b.three(), _c.two())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=True
    )
    assert done.stdout == "3 2\n"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_cython_finds_what_is_cimported(source: Path) -> None:
    """`from package cimport _module as name` is a spelling that it does not see."""
    lines = re.findall(r"^[ \t]*(?:from\b.*)?\bcimport\b.*", source.read_text(), re.MULTILINE)
    named = {source.with_name(f"{word}.pxd") for line in lines for word in re.findall(r"\b_\w+", line)}
    assert {path for path in named if path.exists()} <= compiled_from(source)


@pytest.fixture
def without_xen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TREE)
    monkeypatch.setenv("PKG_CONFIG", "false")
    monkeypatch.delenv("XEND_REQUIRE_XEN", raising=False)


def names() -> set[str]:
    return {module.name for module in runpy.run_path("setup.py")["modules"]()}


def test_without_xens_libraries_all_else_is_compiled(without_xen: None) -> None:
    assert "xend._guest" not in names()
    assert {"xend._spawn", "xenstore._tree"} <= names()


def test_xens_libraries_may_be_asked_for(without_xen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XEND_REQUIRE_XEN", "1")
    with pytest.raises(SystemExit, match=r"xend\._guest needs pkg-config, libxenctrl and"):
        names()


def test_a_module_for_xens_libraries_knows_their_release(
    without_xen: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "pkg-config"
    program.write_text(
        "#!/bin/sh\ncase $1 in --modversion) echo 4.18.2; echo 4.18.2;; *) echo -lxen;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PKG_CONFIG", str(program))
    (module,) = (each for each in runpy.run_path("setup.py")["modules"]() if each.name == "xend._guest")
    assert module.define_macros == [("XEND_XEN", "418")]
    assert (module.extra_link_args, module.optional) == (["-lxen"], True)
