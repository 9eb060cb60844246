"""One booted host per store, shared by all scenarios; guests that scenarios share."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.xen import hvm, images, manager, stores
from tests.xen.dom0 import Dom0, Failed
from tests.xen.figures import Figures
from tests.xen.guest import OURS, Devices, Guest
from tests.xen.host_state import Left, state_of
from tests.xen.machine import LARGE, PLAIN, USUAL, Board, Memory
from tests.xen.packages import Missing
from tests.xen.stores import Store

FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_OfWorkers(config))


class _OfWorkers:
    """Brings the figures of tests that ran in workers to where they are told."""

    def __init__(self, config: pytest.Config) -> None:
        self._lines = config.stash[FIGURES].lines

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output["figures"] = self._lines

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._lines += getattr(node, "workeroutput", {}).get("figures", [])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scenarios that show something only on this project's store stay off Debian's."""
    unfit = [item for item in items if item.get_closest_marker("ours") and _store_of(item) == stores.DEBIAN]
    config.hook.pytest_deselected(items=unfit)
    items[:] = sorted((item for item in items if item not in unfit), key=_place)


def _place(item: pytest.Item) -> int:
    """What is compared with records of a host's first guest comes before all that makes others, what boots a
    host of its own behind what shares one.
    """
    return {"test_dumps.py": 0, "test_xend_iommu.py": 2, "test_xend_xenstores.py": 2}.get(item.path.name, 1)


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


#: What Debian's store holds and sends is recorded: it runs again to see that the records are right.
STORES = [pytest.param(stores.DEBIAN, marks=pytest.mark.long), stores.OURS]


@pytest.fixture(scope="session", params=STORES, ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    """The store under the host."""
    chosen: Store = request.param
    return chosen


class OneMachine:
    """At most one machine of a process is on: what is measured, by one process, has no other beside it."""

    def __init__(self, factory: pytest.TempPathFactory, memory: Memory) -> None:
        self._factory = factory
        self._memory = memory
        self._running: Dom0 | None = None

    def boot(self, name: str, board: Board = PLAIN) -> Dom0:
        """A booted dom0; the one before it is off.  A failed boot is a failed test."""
        self.off()
        try:
            self._running = Dom0(images.build(), self._factory.mktemp(name), self._memory, board)
        except Missing as missing:
            pytest.exit(str(missing), returncode=1)
        except Failed as failed:
            pytest.fail(str(failed), pytrace=False)
        return self._running

    def off(self) -> None:
        """Nothing is on afterwards."""
        if self._running is not None:
            self._running.off()
            self._running = None


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    """What boots a host, with as much memory as a test of the run needs; off at the end."""
    is_large = any(item.get_closest_marker("large") for item in request.session.items)
    machine = OneMachine(tmp_path_factory, LARGE if is_large and request.config.getoption("long") else USUAL)
    yield machine
    machine.off()


@pytest.fixture(scope="session")
def dom0(store: Store, machine: OneMachine) -> Dom0:
    """A host that runs on one store, with Debian's xl."""
    booted = machine.boot(store.name)
    stores.start(booted, store)
    return booted


@pytest.fixture(scope="session")
def managed(machine: OneMachine) -> Dom0:
    """A host that runs on our store, with our xend and xl."""
    booted = machine.boot("managed")
    manager.start(booted)
    return booted


@pytest.fixture(scope="module")
def empty(managed: Dom0) -> Left:
    """What the host has while no domain is there."""
    return state_of(managed)


@pytest.fixture(scope="module")
def one_processor(managed: Dom0) -> Iterator[None]:
    """Dom0 and hvm domains have it together, which wait for each other all the time."""
    managed.must(f"{OURS.xl} vcpu-pin Domain-0 0 {hvm.CPU}")
    yield
    managed.must(f"{OURS.xl} vcpu-pin Domain-0 0 all")


@pytest.fixture(scope="session")
def guest(dom0: Dom0) -> Guest:
    """A guest with a disk and a network interface that scenarios use; the last of them ends it."""
    return Guest(dom0, "shared", Devices(disk="/run/shared.img", address="10.0.0.2"))
