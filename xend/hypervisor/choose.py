"""Which hypervisor there is."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xend.errors import XendError
from xend.hypervisor import Hypervisor
from xend.hypervisor.simulator import Simulator

SIMULATED = "sim:"
#: A privileged domain of Xen has one of these (Linux, NetBSD).
_XEN = ("/proc/xen/privcmd", "/dev/xen/privcmd", "/kern/xen/privcmd")


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
async def open_hypervisor(name: str) -> AsyncIterator[Hypervisor]:
    """The hypervisor "xen", "sim:DIR" (a simulated host that runs), or "auto": Xen, where it is found.

    Raises:
        XendError: unsupported: it is not to be had; the text says what to do.
    """
    if name.startswith(SIMULATED):
        async with Simulator.connect(Path(name.removeprefix(SIMULATED))) as simulator:
            yield simulator
        return
    if name == "auto" and not any(os.path.exists(path) for path in _XEN):
        raise XendError(
            "unsupported",
            "no Xen here: none of " + ", ".join(_XEN) + " exists",
            hint="a simulated host is had with --hypervisor sim",
        )
    raise XendError(
        "unsupported",
        "this xend has no driver for the real Xen yet; it manages simulated hosts only",
        hint="use Xen's own xl here, or --hypervisor sim for a simulated host",
    )
    yield  # pragma: no cover
