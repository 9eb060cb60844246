"""What all test suites share: the options --long and --xen, and one of each daemon under test per run."""

import signal
from collections.abc import Iterator

import pytest

from tests.peers.daemons import Daemon, start_c, start_o, start_ours


def _ignore(number: int, frame: object) -> None:
    """The same as SIG_IGN, but for programs that are started: those inherit that, and no function."""


def pytest_configure(config: pytest.Config) -> None:
    """Whoever started the tests may have had signals ignored: nohup, or a shell in the background."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")
    parser.addoption("--xen", action="store_true", help="run the tests marked xen, too: a booted hypervisor")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name in ("long", "xen"):
        if config.getoption(f"--{name}"):
            continue
        for item in items:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}; run with --{name}"))


@pytest.fixture(scope="session")
def c_xenstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Debian's C xenstored."""
    with start_c(tmp_path_factory.mktemp("c")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def o_xenstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Debian's oxenstored."""
    with start_o(tmp_path_factory.mktemp("o")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def our_xenstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """This project's xenstored."""
    with start_ours(tmp_path_factory.mktemp("ours")) as daemon:
        yield daemon
