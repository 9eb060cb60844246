"""One booted host per store, shared by all scenarios; guests that scenarios share.

With `-n 2` the hosts run beside each other, each with a worker of its own.
"""

from collections.abc import Iterator
from typing import Any

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """A worker gets all scenarios of a host."""
    from xdist.scheduler import LoadScopeScheduling

    class ByStore(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            parameters = nodeid.partition("[")[2].removesuffix("]").split("-")
            return next(store.name for store in (stores.DEBIAN, stores.OURS) if store.name in parameters)

    return ByStore(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its figures over."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash[FIGURES].lines


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """They are told with those of other workers."""
    node.config.stash[FIGURES].lines.extend(getattr(node, "workeroutput", {}).get("figures", ()))


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
