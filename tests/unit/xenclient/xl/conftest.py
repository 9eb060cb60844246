"""xl run in this process, on a fake xend."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.unit.xenclient.xl.fake_xend import FakeConsole, FakeXend, domain
from xenclient.cli.xl import program

#: Runs `xl` with these words: exit status, standard output, standard error.
Xl = Callable[..., tuple[int, str, str]]
#: What shutdown and reboot say of each domain: test_said.py looks at it, and all others at what else is said.
SAID = re.compile(
    r"^(Shutting down domain|Rebooting domain|Waiting for|Domain \d+ has been) .*\n", re.MULTILINE
)


@pytest.fixture
def xend() -> FakeXend:
    """With the guests d1, which idles, and d2, which shut down and is preserved."""
    return FakeXend(
        domain(1, "d1"),
        domain(2, "d2", blocked=False, shutdown=True, shutdown_reason=0, state="shutdown", memory_kib=65_535),
    )


@pytest.fixture
def xl(xend: FakeXend, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Xl:
    everything = xl_with_all(xend, monkeypatch, capfdbinary)

    def run(*words: str, program_name: str = "xl") -> tuple[int, str, str]:
        status, out, err = everything(*words, program_name=program_name)
        return status, out, SAID.sub("", err)

    return run


def xl_with_all(
    xend: FakeXend, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Xl:
    """The same, with all that is said."""
    monkeypatch.setattr("xenclient.xend.blocking.Client", lambda *_, **__: xend)

    def run(*words: str, program_name: str = "xl") -> tuple[int, str, str]:
        status = program.run([os.fsencode(word) for word in (program_name, *words)])
        captured = capfdbinary.readouterr()
        return status, captured.out.decode("latin-1"), captured.err.decode()

    return run


@pytest.fixture
def console() -> Iterator[tuple[FakeConsole, int]]:
    """A console, and the descriptor on which its guest writes."""
    ours, guests = os.pipe()
    yield FakeConsole(ours), guests
    os.close(ours)


@pytest.fixture
def stdin_closed() -> Iterator[None]:
    """Standard input is at its end."""
    with standard_input(os.open(os.devnull, os.O_RDONLY)):
        yield


@contextmanager
def standard_input(descriptor: int) -> Iterator[None]:
    """Standard input is this one, which is closed afterwards."""
    kept = os.dup(0)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
