"""Processes that each do one thing and leave behind what came of it."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

_processes = multiprocessing.get_context("fork")


class Member:
    """A process that runs `work`, whose result is a value of JSON.

    Attributes:
        name: what a report calls it.
    """

    def __init__(self, name: str, work: Callable[[], Any], scratch: Path) -> None:
        self.name = name
        self._work = work
        self._file = scratch / f"result.{name.replace(' ', '.')}"
        self._process: ForkProcess = _processes.Process(target=self._run)

    def start(self) -> None:
        self._process.start()

    def _run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
        try:
            result = {"result": self._work()}
        except Exception as error:
            result = {"fault": f"{type(error).__name__}: {error}"}
        self._file.write_text(json.dumps(result))
        os._exit(0)

    def result(self, deadline: float) -> tuple[Any, str | None]:
        """What came of it and what went wrong, either of them None; waits until `deadline` (monotonic)."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            return None, f"{self.name}: has not come to an end"
        if not self._file.exists():
            return None, f"{self.name}: died with status {self._process.exitcode}"
        left = json.loads(self._file.read_text())
        fault = left.get("fault")
        return left.get("result"), None if fault is None else f"{self.name}: {fault}"

    def end(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        if self._process.pid is not None:
            self._process.join()
