"""What all test suites share: the option --long, and the daemons under test, one of each per run."""

from collections.abc import Iterator

import pytest

from tests.peers.daemons import Daemon, start_c, start_o, start_ours


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long; run with --long"))


@pytest.fixture(scope="session")
def c_xenstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Debian's C xenstored 4.17."""
    with start_c(tmp_path_factory.mktemp("c")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def o_xenstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Debian's oxenstored 4.17."""
    with start_o(tmp_path_factory.mktemp("o")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def our_xenstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """This project's xenstored."""
    with start_ours(tmp_path_factory.mktemp("ours")) as daemon:
        yield daemon
