"""What all test suites share: the options --long, --xen and --quick, where temporary files are, how many
workers run the tests, and one of each daemon under test per worker.
"""

import compileall
import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.daemons import Daemon, start_c, start_o, start_ours
from tests.starter import Starter, shared
from tests.suites import Quick, Times

ROOT = Path(__file__).parents[1]
#: Of Linux: a file system in memory.
MEMORY = Path("/dev/shm")
#: What it must have free.
ROOM_BYTES = 2 << 30
#: Tests that run programs wait for them now and then.
WORKERS_PER_PROCESSOR = 2


def _ignore(number: int, frame: object) -> None:
    """The same as SIG_IGN, but for programs that are started: those inherit that, and no function."""


def pytest_configure(config: pytest.Config) -> None:
    choose_examples(is_long=config.getoption("long"))
    take_signals()
    use_memory()
    if not hasattr(config, "workerinput"):
        compile_modules()
    config.pluginmanager.register(Times())
    if config.getoption("--quick"):
        config.pluginmanager.register(Quick())


def choose_examples(is_long: bool) -> None:
    """Those of hypothesis: every day the same, long runs look for others; none is late, however busy the
    machine is.
    """
    settings.register_profile(
        "ours", deadline=None, derandomize=not is_long, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("ours")


def take_signals() -> None:
    """Whoever started the tests may have had signals ignored: nohup, or a shell in the background."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def use_memory() -> None:
    """Temporary files are in memory, as run directories are on a host: a disk is waited for with each file.

    Not where $TMPDIR names another place, nor where memory is scarce, or programs and device nodes are void.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    system = os.statvfs(MEMORY)
    is_void = system.f_flag & (os.ST_NOEXEC | os.ST_NODEV)
    if system.f_bavail * system.f_frsize >= ROOM_BYTES and not is_void:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def compile_modules() -> None:
    """Programs that tests start need not do it at each start: many see the tree read-only."""
    for folder in ("xenstore", "xend", "clients"):
        compileall.compile_dir(ROOT / folder, quiet=2)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no collection of garbage has to look through it again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    if shared.cache_info().currsize:
        shared().close()
        shared.cache_clear()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` means."""
    processors = os.cpu_count() or 1
    return processors * (1 if config.getoption("--quick") else WORKERS_PER_PROCESSOR)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="run the tests that need no process and no peer")
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
def starter() -> Starter:
    """An interpreter whose starts cost little."""
    return shared()


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
    with start_ours(tmp_path_factory.mktemp("ours"), is_forked=True) as daemon:
        yield daemon
