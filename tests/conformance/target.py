"""The stores that the tables are played on.

session: the compiled sessions in this process, bytewise: the same, every request fed byte by byte;
daemon: this project's xenstored over its socket; c, o: Debian's C xenstored 4.17 and oxenstored 4.17.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.in_process import SessionWorld
from tests.conformance.over_socket import DaemonWorld
from tests.conformance.runner import Mismatch, Play
from tests.conformance.table import Scenario
from tests.conformance.world import World
from tests.peers.daemons import Daemon, start_c, start_o, start_ours

#: What oxenstored calls the quotas it has.
O_QUOTAS = {
    "nodes": "quota-maxentity",
    "watches": "quota-maxwatch",
    "transactions": "quota-transaction",
    "node-size": "quota-maxsize",
    "path-max": "quota-path-max",
}
#: C xenstored 4.17 has options of their own for these, and -Q for the rest.
C_OPTIONS = {
    "nodes": "-E",
    "watches": "-W",
    "transactions": "-t",
    "node-size": "-S",
    "node-permissions": "-A",
    "path-max": "-M",
}


class Target:
    """One store, or one kind of store.

    Attributes:
        name: session, bytewise, daemon, c or o.
        peer: whose outcomes apply: "ours", "c" or "o".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.peer = name if name in ("c", "o") else "ours"
        self._in_process = name in ("session", "bytewise")
        self._daemon: Daemon | None = None
        self._quotas: Mapping[str, int] = {}
        self._rundir: tempfile.TemporaryDirectory[str] | None = None

    def obstacle(self, scenario: Scenario) -> str:
        """Why the scenario cannot be played here; empty when it can."""
        if reason := scenario.not_on.get(self.name, ""):
            return reason
        if scenario.does("wait") and not self._in_process:
            return "no test sleeps"
        return ""

    def play(self, scenario: Scenario) -> int:
        """Play the scenario; returns the number of its rows.

        Raises:
            Mismatch: a row went wrong, or the store was inconsistent or dead at the end.
        """
        with self._world(scenario) as world:
            play = Play(scenario, world, self.peer)
            play.run()
            if findings := world.finish():
                raise Mismatch(f"{scenario.name}: " + "; ".join(findings))
        return play.rows_passed

    def stop(self) -> int:
        """End the daemon, if one runs; returns its exit status."""
        status = self._daemon.stop() if self._daemon else 0
        if self._rundir:
            self._rundir.cleanup()
        self._daemon = self._rundir = None
        return status

    @contextmanager
    def _world(self, scenario: Scenario) -> Iterator[World]:
        if self._in_process:
            alone = not (scenario.domains or scenario.alive)
            yield SessionWorld(scenario.quotas, alone, bytewise=self.name == "bytewise")
            return
        if self._quotas != scenario.quotas:
            self.stop()
        if self._daemon is None:
            self._daemon = self._start(scenario.quotas)
            self._quotas = scenario.quotas
        try:
            yield DaemonWorld(self._daemon)
        except BaseException as error:
            # What the scenario left behind is unknown: the next one gets a new daemon.
            dead, text = not self._daemon.alive, self._daemon.stderr()
            status = self.stop()
            if dead:
                raise Mismatch(f"{error}\n  the daemon died (status {status}):\n{text}") from error
            raise

    def _start(self, quotas: Mapping[str, int]) -> Daemon:
        self._rundir = tempfile.TemporaryDirectory(prefix=f"conformance-{self.name}-")
        rundir = Path(self._rundir.name)
        match self.name:
            case "c":
                return start_c(rundir, *(word for quota in quotas.items() for word in _c_option(*quota)))
            case "o":
                return start_o(rundir, settings={O_QUOTAS[name]: value for name, value in quotas.items()})
        options = [word for quota in quotas.items() for word in _our_option(*quota)]
        return start_ours(rundir, *options, is_forked=True)


def _our_option(name: str, value: int) -> tuple[str, str]:
    return "-Q", f"{name}={value}"


def _c_option(name: str, value: int) -> tuple[str, str]:
    return (C_OPTIONS[name], str(value)) if name in C_OPTIONS else _our_option(name, value)
