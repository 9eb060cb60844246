"""setup.py: what it compiles, after which change; on a small tree of the shape of ours."""

import os
import re
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
