"""Which hypervisor there is."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from xend.hypervisor import Hypervisor

SIMULATED = "sim:"


def valid_name(name: str) -> bool:
    """Whether `open_hypervisor` knows a name."""
    return name in ("xen", "auto") or (name.startswith(SIMULATED) and len(name) > len(SIMULATED))


def absolute_name(name: str, expected: str) -> str:
    """A name as it means the same in every directory.

    Raises:
        ValueError: with the text `expected`: `open_hypervisor` knows no such name.
    """
    if not valid_name(name):
        raise ValueError(expected)
    if name.startswith(SIMULATED):
        return SIMULATED + os.path.abspath(name.removeprefix(SIMULATED))
    return name


@asynccontextmanager
async def open_hypervisor(name: str, log: Callable[[str], object] | None = None) -> AsyncIterator[Hypervisor]:
    """The hypervisor "sim:DIR" (a simulated host that runs), "xen", or "auto": what there is, which is Xen.

    Args:
        name: one of these.
        log: where helpers of the real Xen tell what went wrong; None: whoever asks builds no domains.

    Raises:
        XendError: unsupported: it is not to be had; the text says what is missing, and what to do.
        HypervisorError: nothing serves the simulated host.
    """
    # Each in its branch, as the other needs none of it, and a start should not wait for it.
    if name.startswith(SIMULATED):
        from xend.hypervisor.simulator import Simulator

        async with Simulator.connect(Path(name.removeprefix(SIMULATED))) as simulator:
            yield simulator
        return
    from xend.hypervisor.xen.opening import open_xen

    async with open_xen(log) as xen:
        yield xen
