"""A host for each test; what runs in it ends with the test."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.place import Place


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty host, with nothing running; its path is short enough for sockets."""
    top = Path(tempfile.mkdtemp(prefix="xend-"))
    made = Place(top)
    try:
        yield made
    finally:
        made.clean_up()
        shutil.rmtree(top, ignore_errors=True)
