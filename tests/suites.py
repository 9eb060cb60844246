"""The suites, which are the folders here: what each took, and which of their tests are quick."""

import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Their tests run programs, nearly all of them.
OF_PROGRAMS = {
    "bench",
    "chaos",
    "crash",
    "guide",
    "install",
    "manager",
    "others",
    "peers",
    "rcd",
    "scripts",
    "stress",
    "xen",
}
#: Fixtures that are a running program.
PROGRAMS = {"c_xenstored", "o_xenstored", "our_xenstored", "bsd_pump"}
#: What the interpreter tells of before it starts a process.
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}


def suite_of(nodeid: str) -> str:
    """A test's suite, by its id: "tests/sim/test_life.py::test_a_life" is of "sim"."""
    return nodeid.split("/")[1]


def may_be_quick(item: pytest.Item) -> bool:
    """False: it is known beforehand that a test needs a process, a peer, or patience."""
    if suite_of(item.nodeid) in OF_PROGRAMS:
        return False
    if any(item.get_closest_marker(name) for name in ("peer", "process", "slow", "long")):
        return False
    return PROGRAMS.isdisjoint(getattr(item, "fixturenames", ()))


class Quick:
    """Leaves out what needs processes or peers: where that shows as a test tries to start one, it is skipped.

    A process that compiled code starts does not show: such tests have the mark `process`.
    """

    def __init__(self) -> None:
        self._in_test = False
        self._tried = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._in_test and event in STARTS:
            self._tried = True
            raise pytest.skip.Exception("starts a process")

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Not even imported."""
        return True if collection_path.parent == HERE and collection_path.name in OF_PROGRAMS else None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        config.hook.pytest_deselected(items=[item for item in items if not may_be_quick(item)])
        items[:] = [item for item in items if may_be_quick(item)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._in_test, self._tried = True, False
        try:
            return (yield)
        finally:
            self._in_test = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Whatever the test made of its end, alone or in a group of exceptions."""
        report = yield
        if self._tried and not report.passed:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, "starts a process")
        return report


class Times:
    """Tells at the end how long the tests of each suite took."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        suite = suite_of(report.nodeid)
        self._seconds[suite] += report.duration  # type: ignore[assignment]  # a Counter of seconds
        self._tests[suite] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if len(self._seconds) < 2:
            return
        terminalreporter.section("suites, by the time of their tests")
        for suite, seconds in self._seconds.most_common():
            terminalreporter.write_line(f"{seconds:8.1f} s {self._tests[suite]:6} {suite}")
