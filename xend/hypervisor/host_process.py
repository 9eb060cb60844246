"""The simulated host's process, started for whoever needs one."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from xend.simulator.__main__ import PID_FILE
from xend.simulator.wire import SOCKET_NAME
from xenstore.daemon import child
from xenstore.daemon.start import StartError

#: How long its end may take.
END_SECONDS = 10.0
#: How often it is looked at meanwhile.
LOOK_SECONDS = 0.01


@contextmanager
def running(directory: str, platform: str | None) -> Iterator[Callable[[], object]]:
    """Has the host in a directory run; one that runs already is left as it is.

    One that was started here ends with the block, unless what is yielded was called: then it goes on, with
    its domains.

    Args:
        platform: whose conventions its dom0 follows; None: its own choice.

    Raises:
        StartError: it cannot run.
    """
    if _answers(os.path.join(directory, SOCKET_NAME)):
        yield lambda: None
        return
    with ExitStack() as stack:
        _start(directory, platform)
        stack.callback(end, directory)
        yield stack.pop_all


def _start(directory: str, platform: str | None) -> None:
    flavour = ["--flavour", platform] if platform else []
    done = subprocess.run(
        child.module("xend.simulator", directory, *flavour),
        env=child.environment(os.environ),
        cwd=child.DIRECTORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise StartError(f"the simulated host did not start: {done.stderr.strip() or done.stdout.strip()}")


def end(directory: str) -> None:
    """Ends the host in a directory with all its domains; returns when it has, which its pid file shows."""
    path = Path(directory, PID_FILE)
    try:
        os.kill(int(path.read_text()), signal.SIGTERM)
    except (OSError, ValueError):
        return  # there is none
    deadline = time.monotonic() + END_SECONDS
    while path.exists() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
