"""The hypervisor's own messages, copied into a log as they come."""

from collections.abc import Callable
from typing import Protocol

import trio

from xend.console.log import ConsoleLog
from xend.hypervisor import HypervisorError

__all__ = ["LOOK_SECONDS", "Speaker", "follow", "new_part"]

LOOK_SECONDS = 1.0
_PROBE_BYTES = 64


class Speaker(Protocol):
    """What this needs of a Hypervisor."""

    async def message_buffer(self, clear: bool = False) -> bytes: ...


async def follow(hypervisor: Speaker, log: ConsoleLog, log_line: Callable[[str], object]) -> None:
    """Copy what is in the hypervisor's message buffer, and what comes into it, until cancelled.

    The hypervisor tells nobody, so it is asked; `log_line` gets it once when it does not answer.
    """
    seen = b""
    failing = False
    while True:
        try:
            buffer = await hypervisor.message_buffer()
        except HypervisorError as error:
            if not failing:
                log_line(f"cannot read the hypervisor's messages: {error.text}")
            failing = True
        else:
            failing = False
            log.write(new_part(seen, buffer))
            seen = buffer
        await trio.sleep(LOOK_SECONDS)


def new_part(seen: bytes, buffer: bytes) -> bytes:
    """What `buffer` has after `seen`, where both are the last bytes of one stream.

    All of it where they do not overlap: too much came in between, or somebody cleared it.
    """
    probe = buffer[:_PROBE_BYTES]
    at = seen.find(probe) if probe else -1
    while at >= 0:
        kept = len(seen) - at
        if buffer[:kept] == seen[at:]:
            return buffer[kept:]
        at = seen.find(probe, at + 1)
    for kept in range(min(len(probe), len(seen)), 0, -1):  # an overlap shorter than the probe
        if seen.endswith(buffer[:kept]):
            return buffer[kept:]
    return buffer
