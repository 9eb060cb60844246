import gc
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.starter import interpreter
from tests.unit.server import bsd_build
from tests.unit.server.clients import settle
from tests.unit.server.program import Place
from xenstore import _pump
from xenstore._pump import Pump
from xenstore.store import Store

MakePump = Callable[[], Pump]


@pytest.fixture(scope="session")
def bsd_pump(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The compiled pump as built for NetBSD."""
    if sys.platform != "linux":
        pytest.skip("the fakes are made of Linux's epoll and SO_PEERCRED; here the real ones are tested")
    return bsd_build.build(tmp_path_factory.mktemp("bsd"))


@pytest.fixture(params=["epoll", "kqueue", "poll"])
def pump(request: pytest.FixtureRequest) -> Iterator[Pump]:
    """A pump over a fresh store, for each poller there is; `pump.log` collects into `pump_log`."""
    name = request.param
    if name in _pump.pollers():
        pump = Pump(Store(), name)
    elif name == "kqueue":
        pump = request.getfixturevalue("bsd_pump").Pump(Store(), name)
    else:
        pytest.skip(f"{name} is not a poller of this system")
    gc.collect()
    settle(pump)  # what the stores of earlier tests left is freed now, not in the midst of this one
    yield pump
    pump.close()


@pytest.fixture
def pump_log(pump: Pump) -> list[str]:
    lines: list[str] = []
    pump.log = lines.append
    return lines


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """As many descriptors as the system grants."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The program is started by the interpreter where the test has the mark `from_nothing`, else forked."""
    is_real = request.node.get_closest_marker("from_nothing") is not None
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)  # other users come in, and pytest's own directories keep them out
        place = Place(Path(directory), sys.executable if is_real else interpreter())
        yield place
        for pid in place.pids:
            os.kill(pid, signal.SIGKILL)
