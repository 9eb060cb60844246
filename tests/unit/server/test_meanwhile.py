"""A store answers before trio is imported, and is up, for whoever started it, once it is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.unit.server.clients import Client, read_request
from tests.unit.server.program import Place, ended
from tests.unit.xenclient.test_start_up import imported
from xenstore._pump import Pump
from xenstore.server.meanwhile import serving
from xenstore.store import Store
from xenstore.wire import MessageType, pack

#: Costs more than all of the store, or is needed when nobody waits any more.
LATE = {"trio", "attrs", "attr", "asyncio", "ssl", "subprocess", "inspect", "traceback", "threading"}
#: A trio that takes until a file is there, and says that it is asked for; then it is the true one.
SLOW = """
import importlib, os, sys
from pathlib import Path
here = Path(__file__).parents[1]
(here / "begun").touch()
while not (here / "enough").exists():
    try:
        import no_such_module
    except ImportError:
        pass
sys.path.remove(str(here))
del sys.modules["trio"]
sys.modules["trio"] = importlib.import_module("trio")
"""


def test_what_answers_needs_little() -> None:
    assert not imported("xenstore.server.main") & LATE


@pytest.fixture
def pump() -> Iterator[Pump]:
    with closing(Pump(Store())) as pump:
        yield pump


def _modules(directory: Path, texts: dict[str, str], patch: pytest.MonkeyPatch) -> None:
    for name, text in texts.items():
        (directory / f"{name}.py").write_text(text)
        patch.delitem(sys.modules, name, raising=False)
    patch.syspath_prepend(directory)


def test_each_module_is_a_turn(pump: Pump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that a module imports, while it is imported itself."""
    client = Client(pump)
    seen: list[int] = []
    monkeypatch.setattr(sys, "seen", seen, raising=False)
    look = "import sys; sys.seen.append(sys.ask())\n"
    monkeypatch.setattr(sys, "ask", lambda: client.socket.send(read_request()), raising=False)
    _modules(
        tmp_path, {"meanwhile_a": look + "import meanwhile_b\n" + look, "meanwhile_b": look}, monkeypatch
    )
    with serving(pump):
        import meanwhile_a  # type: ignore[import-not-found]  # noqa: F401
    assert len(seen) == 3
    assert len(client.replies()) == 1  # of the one that was sent before meanwhile_b was looked for
    pump.turn(0)
    assert len(client.replies()) == 2


def test_a_turn_that_imports_takes_no_turn_inside(
    pump: Pump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _modules(tmp_path, {"meanwhile_c": "", "meanwhile_d": ""}, monkeypatch)

    def late() -> None:
        import meanwhile_d  # type: ignore[import-not-found]  # noqa: F401

    pump.call_soon(late)
    with serving(pump):
        import meanwhile_c  # type: ignore[import-not-found]  # noqa: F401
    assert "meanwhile_d" in sys.modules


def test_it_ends_with_the_block(pump: Pump) -> None:
    before = list(sys.meta_path)
    with serving(pump):
        assert sys.meta_path != before
    assert sys.meta_path == before
    with pytest.raises(ModuleNotFoundError), serving(pump):
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
    assert sys.meta_path == before


class Slow:
    """A xenstored whose trio is not there yet."""

    def __init__(self, place: Place) -> None:
        self.place = place
        trio = place.directory / "slow" / "trio"
        trio.mkdir(parents=True)
        (trio / "__init__.py").write_text(SLOW)
        place.environment["PYTHONPATH"] = str(trio.parent)
        self.process = subprocess.Popen(
            place.arguments("-N", "-P", "-F", str(place.pid_file)),
            env=place.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6000):
            if (trio.parent / "begun").exists():
                return
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"it ended with status {self.process.wait(0.01)}")
        pytest.fail("it does not ask for trio")

    def enough(self) -> None:
        (self.place.directory / "slow" / "enough").touch()


@pytest.fixture
def slow(place: Place) -> Iterator[Slow]:
    slow = Slow(place)
    yield slow
    slow.process.kill()
    slow.process.communicate()


@pytest.mark.from_nothing
def test_clients_are_answered_before_trio_is_there(slow: Slow) -> None:
    assert slow.place.answers()
    assert slow.place.ask(pack(MessageType.WRITE, b"/kept\0before")) == (MessageType.WRITE, b"OK\0")
    slow.enough()
    assert slow.place.ask(pack(MessageType.READ, b"/kept\0")) == (MessageType.READ, b"before")


@pytest.mark.from_nothing
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_is_obeyed_once_it_is(slow: Slow, number: int) -> None:
    with slow.place.connect() as client:
        slow.process.send_signal(number)
        assert slow.place.answers()
        slow.enough()
        assert ended(client)
    assert slow.process.wait(60) == 0
    assert slow.place.left() == ["journal"]
    assert not slow.place.pid_file.exists()


@pytest.mark.from_nothing
def test_a_live_update_asked_for_before_is_made(slow: Slow) -> None:
    with slow.place.connect() as client:
        for words in (f"-f\0{sys.executable}", "-s"):
            client.sendall(pack(MessageType.CONTROL, f"live-update\0{words}\0".encode()))
        assert client.recv(100).endswith(b"OK\0")
        slow.enough()
        reply = client.recv(1000)
    assert b"--help" in reply  # Python is no xenstored
    assert slow.place.answers()


@pytest.mark.from_nothing
def test_a_live_update_to_a_program_without_trio_is_refused(place: Place) -> None:
    place.start()
    broken = place.directory / "trio"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('broken')")
    state = place.directory / "state"
    state.touch(0o600)
    place.environment["PYTHONPATH"] = str(place.directory)
    done = place.run("--check-state", str(state))
    assert done.returncode != 0
    assert "broken" in done.stderr
    assert os.path.exists(place.socket)
