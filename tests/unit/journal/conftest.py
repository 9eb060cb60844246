from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.journal.place import Disk, Place, small_segments


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of 16 KiB instead of 4 MiB."""
    small_segments(monkeypatch)


@pytest.fixture
def place(tmp_path: Path, small: None) -> Iterator[Place]:
    """A fresh store with a journal; its accounts must be right in the end."""
    place = Place(tmp_path)
    yield place
    assert place.store.check() == []
    place.end()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that a test may fill."""
    return Disk(monkeypatch)
