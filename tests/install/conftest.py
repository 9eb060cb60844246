"""One installation, made once for all tests that look at it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.install import wheel as wheels
from contrib.install.target import Target
from contrib.install.wheel import Wheel
from tests.install.site import TREE, Site


@pytest.fixture(scope="session")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the tree, as it is."""
    return wheels.make(TREE, tmp_path_factory.mktemp("wheel"), Target.ask("python3").suffix)


@pytest.fixture(scope="session")
def wheel(wheel_file: Path) -> Wheel:
    return Wheel(wheel_file)


@pytest.fixture(scope="session")
def site(wheel: Wheel, wheel_file: Path) -> Iterator[Site]:
    """Installed, staged first; the stage stays to be looked at."""
    top = Path(tempfile.mkdtemp(prefix="xi"))
    try:
        made = Site(top)
        done = made.install("--wheel", str(wheel_file))
        assert (done.returncode, done.stderr) == (0, ""), done
        made.unpack()
        made.provide(wheel)
        yield made
    finally:
        shutil.rmtree(top)
