"""One booted host per store, shared by all scenarios; guests that scenarios share."""

from collections.abc import Iterator

import pytest

from tests.xen import images, stores
from tests.xen.dom0 import Dom0, Failed
from tests.xen.figures import Figures
from tests.xen.guest import Devices, Guest
from tests.xen.packages import Missing
from tests.xen.stores import Store

FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scenarios that show something only on this project's store stay off Debian's."""
    unfit = [item for item in items if item.get_closest_marker("ours") and _store_of(item) == stores.DEBIAN]
    config.hook.pytest_deselected(items=unfit)
    items[:] = [item for item in items if item not in unfit]


def _store_of(item: pytest.Item) -> Store | None:
    call = getattr(item, "callspec", None)
    return call.params.get("store") if call else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[FIGURES].lines
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """Told at the end of the run."""
    return request.config.stash[FIGURES]


@pytest.fixture(scope="session", params=[stores.DEBIAN, stores.OURS], ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    """The store under the host."""
    chosen: Store = request.param
    return chosen


@pytest.fixture(scope="session")
def dom0(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dom0]:
    """A host that runs on one store; off after the last scenario on it."""
    try:
        built = images.build()
    except Missing as missing:
        pytest.exit(str(missing), returncode=1)
    try:
        booted = Dom0(built, tmp_path_factory.mktemp(store.name))
    except Failed as failed:
        pytest.fail(str(failed), pytrace=False)
    try:
        stores.start(booted, store)
        yield booted
    finally:
        booted.off()


@pytest.fixture(scope="session")
def guest(dom0: Dom0) -> Guest:
    """A guest with a disk and a network interface that scenarios use; the last of them ends it."""
    return Guest(dom0, "shared", Devices(disk="/run/shared.img", address="10.0.0.2"))
