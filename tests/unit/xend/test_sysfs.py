"""Writes to sysfs, for which dom0's kernel may take its time."""

import threading
from pathlib import Path

import pytest
import trio

from xend import sysfs
from xend.usb.linux import UsbHost


def test_usb_devices_are_handed_over_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, str, bool]] = []
    (tmp_path / "devices/1-2:1.0").mkdir(parents=True)
    loop = threading.get_ident()

    def write(path: str, text: str) -> None:
        written.append((path.removeprefix(f"{tmp_path}/"), text, threading.get_ident() == loop))

    monkeypatch.setattr(sysfs, "write_at_once", write)
    trio.run(UsbHost(str(tmp_path)).hand_over, "1-2")
    assert written == [("drivers/usbback/bind", "1-2:1.0", False)]


def test_a_kernel_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(sysfs, "write_at_once", lambda path, text: go_on.wait())
    monkeypatch.setattr(sysfs, "WRITE_SECONDS", 0.01)
    with pytest.raises(OSError, match="the kernel has not answered for 0"):
        trio.run(sysfs.write_in_time, tmp_path / "bind", "1-2")
    go_on.set()
