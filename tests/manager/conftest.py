"""A host for each test; what runs in it ends with the test."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.place import Place
from tests.starter import Starter


@pytest.fixture
def programs(request: pytest.FixtureRequest) -> Path:
    """Where the programs are; they are started from nothing where the test has the mark `from_nothing`."""
    if sys.platform != "linux" or request.node.get_closest_marker("from_nothing") is not None:
        return Path(sys.executable).parent
    starter: Starter = request.getfixturevalue("starter")
    return starter.bin


@pytest.fixture
def place(programs: Path) -> Iterator[Place]:
    """An empty host, with nothing running; its path is short enough for sockets."""
    top = Path(tempfile.mkdtemp(prefix="xend-"))
    made = Place(top, programs)
    try:
        yield made
    finally:
        made.clean_up()
        shutil.rmtree(top, ignore_errors=True)
