"""The order in which the process of a simulated host begins."""

from pathlib import Path

import pytest

from xend.simulator import __main__ as program
from xend.simulator.host import SimulatedHost


def test_nobody_is_let_in_before_dom0_is_there(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was started meanwhile would find no page of dom0's, and never serve its kernel."""
    sockets: list[bool] = []

    def made(directory: Path, **more: object) -> SimulatedHost:
        sockets.append((short_path / "host.socket").exists())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program, "SimulatedHost", made)
    monkeypatch.setattr(program, "raise_descriptor_limit", lambda: None)
    assert program.main([str(short_path), "--no-fork"]) == 1
    assert sockets == [False]
