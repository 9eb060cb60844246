import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.xend.simulator.process import HostProcess, StoreProcess


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="sim") as directory:
        yield Path(directory)


@pytest.fixture
def host_process(short_path: Path) -> Iterator[HostProcess]:
    """To be started."""
    process = HostProcess(short_path / "h")
    yield process
    process.clean_up()


@pytest.fixture
def store_process(short_path: Path, host_process: HostProcess) -> Iterator[StoreProcess]:
    """To be started, too."""
    process = StoreProcess(short_path / "s", host_process.directory)
    yield process
    process.clean_up()
