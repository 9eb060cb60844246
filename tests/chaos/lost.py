"""Connections to a store that is killed and comes back."""

import time
from pathlib import Path

from tests.peers.wire import Closed, Wire

#: What a client meets when the store is killed; a wait in vain (TimeoutError) is not among it.
LOST = (Closed, ConnectionError, FileNotFoundError, BlockingIOError)
RETRY_SECONDS = 0.01


def reconnected(socket: Path, patience_seconds: float) -> Wire:
    """A new connection, as soon as there is a store again.

    Raises:
        TimeoutError: there is none.
    """
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            return Wire(socket, patience_seconds)
        except LOST:
            time.sleep(RETRY_SECONDS)
    raise TimeoutError(f"no store at {socket} for {patience_seconds:.0f} s")
