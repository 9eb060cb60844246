"""Runs in dom0: makes a domain again and again, and comes between each time, a little later.

`python -m tests.xen.stages FILE`: FILE is the domain's configuration.  A line for each time, as JSON: what
came between (`act`), where (`at`), what became of the making (`said`: "" or the error's code; `text`),
and what was left of it (`left`).
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from xenclient.xend.blocking import Client
from xenclient.xend.errors import BusError

NAME = "staged"
#: Within the step that builds it a helper is killed at these parts of the time that it takes.
PARTS = (0.1, 0.6, 0.7, 0.85, 0.95)
ENDED = ("done", "failed", "cancelled")

Map = dict[str, Any]


class Stages:
    """Makes the domain of a configuration's text, with something at one of its steps."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.client = Client()
        #: For what is asked while the other one waits for its answer.
        self.other = Client()

    def all(self) -> Iterator[Map]:
        """Everything, one after the other."""
        began: dict[str, float] = {}
        yield {"act": "nothing", "at": "", **self.made(lambda step: began.setdefault(step, time.monotonic()))}
        steps = list(began)
        build_s = began["introduce"] - began["build"]
        for step in steps:
            yield {"act": "destroy", "at": step, **self.made(self.at(step, self.destroy))}
        for step in steps[: steps.index("build")]:
            yield {"act": "kill", "at": step, **self.made(self.at(step, lambda: self.kill(0)))}
        for part in PARTS:
            act = self.at("build", partial(self.kill, part * build_s))
            yield {"act": "kill", "at": f"build, {part}", **self.made(act)}

    def made(self, on_step: Callable[[str], object]) -> Map:
        """It is made, and destroyed if that came to an end."""
        said = text = ""
        try:
            self.client.create(self.text, progress=lambda operation: self.tell(operation, on_step))
        except BusError as error:
            said, text = error.code, str(error)
        else:
            self.destroy()
        self.settle()
        return {"said": said, "text": text, "left": self.left()}

    def tell(self, operation: Map, on_step: Callable[[str], object]) -> None:
        if operation["state"] == "running" and operation["step_key"] is not None:
            on_step(operation["step_key"])

    def at(self, wanted: str, act: Callable[[], object]) -> Callable[[str], None]:
        """Acts at a step, once."""
        waiting = [act]

        def on_step(step: str) -> None:
            if step == wanted and waiting:
                waiting.pop()()

        return on_step

    def destroy(self) -> None:
        try:
            self.other.destroy(NAME)
        except BusError as error:
            if error.code != "no_such_domain":
                raise

    def kill(self, seconds: float) -> None:
        """End a helper as by a crash."""
        time.sleep(seconds)
        for pid in helpers():
            os.kill(pid, signal.SIGKILL)

    def settle(self) -> None:
        """Until no operation runs."""
        for operation in self.client.operations():
            if operation["state"] not in ENDED:
                try:
                    self.client.operation_wait(operation["operation"])
                except BusError as error:
                    print(f"{operation['kind']}: {error}", file=sys.stderr)

    def left(self) -> list[str]:
        """What there is of it."""
        domains = [domain["name"] for domain in self.client.domains() if domain["domid"] != 0]
        claimed = self.client.host_info()["outstanding_claims_kib"]
        loops = [str(path) for path in Path("/sys/block").glob("loop*/loop")]
        return [
            *domains,
            *loops,
            *os.listdir("/sys/class/net/xenbr0/brif"),
            *([str(claimed)] * bool(claimed)),
        ]


def helpers() -> list[int]:
    """Processes of xend's that build."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"xend.helper" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            continue
    return found


if __name__ == "__main__":
    for line in Stages(Path(sys.argv[1]).read_text()).all():
        print(json.dumps(line), flush=True)
