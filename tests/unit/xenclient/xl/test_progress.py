"""What is shown of an operation while it runs."""

import os
import pty
import signal
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl.progress import ERASE_LINE, Line, Steps, describe
from xenclient.xend.errors import BusError

OPERATION: dict[str, Any] = {
    "operation": "3",
    "kind": "domain.destroy",
    "domain": "d1",
    "domid": 1,
    "steps": ["close vif 0", "end the domain"],
    "step": 0,
    "state": "running",
    "waiting": None,
    "error": None,
}
WAITING = {**OPERATION, "waiting": {"for": "the backend", "since_s": 0.5, "deadline_s": 10.0}}
SECOND = {**OPERATION, "step": 1}


@pytest.mark.parametrize(
    ("operation", "later_s", "text"),
    [
        (OPERATION, 0, "domain.destroy d1, 1 of 2: close vif 0"),
        (SECOND, 9, "domain.destroy d1, 2 of 2: end the domain"),
        (WAITING, 0, "domain.destroy d1, 1 of 2: close vif 0, waiting for the backend, 0 of 10 s"),
        (WAITING, 3.5, "domain.destroy d1, 1 of 2: close vif 0, waiting for the backend, 4 of 10 s"),
        (
            {**OPERATION, "waiting": {"for": "its end", "since_s": 61, "deadline_s": None}},
            0,
            "domain.destroy d1, 1 of 2: close vif 0, waiting for its end, 61 s",
        ),
        ({**OPERATION, "state": "undoing"}, 0, "domain.destroy d1, undoing 1 of 2: close vif 0"),
        ({**OPERATION, "state": "done", "step": 2}, 0, "domain.destroy d1"),
        (
            {**OPERATION, "progress": {"done_kib": 40 << 10, "total_kib": 160 << 10, "kib_per_s": 80 << 10}},
            0,
            "domain.destroy d1, 1 of 2: close vif 0, 40 of 160 MiB, 80 MiB/s",
        ),
        ({**OPERATION, "domain": None}, 0, "domain.destroy 1, 1 of 2: close vif 0"),
        ({**OPERATION, "step": None, "steps": []}, 0, "domain.destroy d1"),
    ],
)
def test_an_operation_in_a_line(operation: dict[str, Any], later_s: float, text: str) -> None:
    assert describe(operation, later_s) == text
    assert describe(operation, later_s, "destroy") == text.removeprefix("domain.")


def test_a_line_is_written_over_counted_on_and_erased(capfd: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    with Line(200, clock=lambda: now) as line:
        line(WAITING)
        signal.raise_signal(signal.SIGALRM)
        now += 2
        signal.raise_signal(signal.SIGALRM)
        line(SECOND)
    waits = "domain.destroy d1, 1 of 2: close vif 0, waiting for the backend, "
    assert capfd.readouterr().err.split(ERASE_LINE) == [
        "",
        waits + "0 of 10 s",
        waits + "2 of 10 s",
        "domain.destroy d1, 2 of 2: end the domain",
        "",
    ]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_a_line_fits_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with Line(20) as line:
        line(WAITING)
    assert capfd.readouterr().err == f"{ERASE_LINE}domain.destroy d1, {ERASE_LINE}"


def test_nothing_to_erase_is_not_erased(capfd: pytest.CaptureFixture[str]) -> None:
    with Line(20):
        pass
    assert capfd.readouterr().err == ""


def test_a_step_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    show = Steps(timestamps=True, now=lambda: "NOW", doing="destroy")
    for operation in (OPERATION, OPERATION, WAITING, WAITING, SECOND, {**SECOND, "state": "failed"}):
        show(operation)
    assert capfd.readouterr().err == (
        "NOW destroy d1, 1 of 2: close vif 0\n"
        "NOW destroy d1, 1 of 2: close vif 0, waiting for the backend, 0 of 10 s\n"
        "NOW destroy d1, 2 of 2: end the domain\n"
        "NOW destroy d1: failed\n"
    )


@pytest.fixture
def slow(xend: FakeXend) -> FakeXend:
    xend.steps = [OPERATION, SECOND]
    return xend


def test_nothing_on_a_pipe(xl: Xl, slow: FakeXend) -> None:
    assert xl("destroy", "d1") == (0, "", "")


def test_on_a_pipe_when_asked_for(xl: Xl, slow: FakeXend) -> None:
    assert xl("-t", "destroy", "d1")[2].endswith(f"2 of 2: end the domain{ERASE_LINE}")


def test_verbose(xl: Xl, slow: FakeXend) -> None:
    assert xl("-v", "destroy", "d1")[2].splitlines() == [
        "destroy d1, 1 of 2: close vif 0",
        "destroy d1, 2 of 2: end the domain",
    ]


def test_on_a_terminal(xl: Xl, slow: FakeXend) -> None:
    """Gone before the error is told."""
    slow.fails["domain.destroy"] = BusError("guest_died", "d1 ended")
    slow.fail_late = True
    screen, terminal = pty.openpty()
    kept = os.dup(2)
    os.dup2(terminal, 2)
    try:
        status = xl("destroy", "d1")[0]
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    printed = b""
    while not printed.endswith(b"ended\r\n"):  # a terminal shows it in as many pieces as it likes
        printed += os.read(screen, 4096)
    shown = printed.decode().split(ERASE_LINE)
    assert status == 1
    assert shown == [
        "",
        "destroy d1, 1 of 2: close vif 0",
        "destroy d1, 2 of 2: end the domain",
        "xl: d1 ended\r\n",
    ]
    for descriptor in (screen, terminal):
        os.close(descriptor)
