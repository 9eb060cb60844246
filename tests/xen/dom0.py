"""Orders to a booted dom0, and what comes back."""

import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from tests.xen.images import Images
from tests.xen.machine import PLAIN, Board, Machine, Memory, command_of

#: How many times slower than two free cores the machine is on which this runs: all limits are longer by it.
SLOWNESS = int(os.environ.get("XEND_XEN_SLOWNESS", "1"))
#: The start of QEMU to an agent that takes orders. About 12 on two free cores.
BOOT_LIMIT_S = 240 * SLOWNESS
#: An order that ran into its limit is ended in dom0; a dom0 that says nothing this long after is dead.
SILENCE_LIMIT_S = 20
#: What `timeout` makes of an order's status.
TIMED_OUT = 124


def script(name: str) -> str:
    """What one of the files of `dom0/` does in dom0."""
    return (Path(__file__).parent / "dom0" / name).read_text()


class Failed(Exception):
    """An order failed, or dom0 did not come up; the message has the log lines that matter."""


class Done(NamedTuple):
    """An order's end: exit status; standard output and error, together."""

    status: int
    output: str


class Dom0:
    """A booted dom0 that takes shell commands. `folder` keeps every order, output and log.

    Raises Failed when it does not come up within BOOT_LIMIT_S.
    """

    def __init__(self, images: Images, folder: Path, memory: Memory, board: Board = PLAIN) -> None:
        self.images = images
        self.share = folder / "share"
        self.share.mkdir(parents=True)
        shutil.copy(Path(__file__).parent / "dom0/agent", self.share)
        self._orders = 0
        command = command_of(images, self.share, memory, board)
        self.machine = Machine(command, folder / "console.log")
        try:
            self._await("0", BOOT_LIMIT_S, "dom0 does not come up")
        except BaseException:
            self.machine.kill()
            raise

    def run(self, script: str, limit_s: int = 30) -> Done:
        """Run a bash script in dom0, for at most `limit_s` seconds of dom0's time, times SLOWNESS.

        Raises Failed when dom0 is gone or does not answer.
        """
        limit_s *= SLOWNESS
        self._orders += 1
        name = str(self._orders)
        (self.share / f"{name}.limit").write_text(str(limit_s))
        unfinished = self.share / f"{name}.new-order"
        unfinished.write_text(script)
        unfinished.rename(self.share / f"{name}.sh")
        status = self._await(name, limit_s + SILENCE_LIMIT_S, f"dom0 does not answer to: {script}")
        output = (self.share / f"{name}.out").read_bytes().decode(errors="replace")
        return Done(int(status), output.rstrip("\n"))

    def must(self, script: str, limit_s: int = 30) -> str:
        """The output of a script that has to succeed; Failed, with its output and the logs, if not."""
        done = self.run(f"set -e\n{script}", limit_s)
        if done.status:
            why = f"not done within {limit_s} s" if done.status == TIMED_OUT else f"status {done.status}"
            raise Failed(f"{why}: {script}\n{done.output}\n{self.logs()}")
        return done.output

    def logs(self) -> str:
        """The ends of all logs of dom0's daemons and guests, and of the serial line."""
        parts = [f"== serial line\n{self.machine.last_lines()}"]
        for path in sorted((self.share / "log").rglob("*")):
            if path.is_file() and path.stat().st_size:
                text = path.read_bytes().decode(errors="replace").replace("\r", "")
                parts.append(f"== {path.name}\n" + "\n".join(text.splitlines()[-15:]))
        return "\n".join(parts)

    def off(self) -> None:
        """Shut down in order, and by force if that takes too long."""
        (self.share / "off").touch()
        try:
            self.machine.wait(SILENCE_LIMIT_S)
        finally:
            self.machine.kill()

    def _await(self, name: str, limit_s: float, failure: str) -> str:
        path = self.share / f"{name}.status"
        deadline_s = time.monotonic() + limit_s
        while not path.exists():
            if not self.machine.alive() or time.monotonic() > deadline_s:
                state = "still running" if self.machine.alive() else "off"
                raise Failed(f"{failure} (the machine is {state})\n{self.logs()}")
            time.sleep(0.01)
        return path.read_text().strip()
