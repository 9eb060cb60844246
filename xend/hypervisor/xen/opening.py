"""Whether the driver can work here, and what is missing where it cannot."""

import errno
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn, Protocol

from xend._sum import Sum
from xend.errors import XendError
from xend.hypervisor import HypervisorError, Image, Rings
from xend.hypervisor.xen.driver import Builders, Xen
from xend.hypervisor.xen.helpers import Helpers
from xenstore._system import System
from xenstore.platform import Unavailable
from xenstore.platform.choose import real_host


class Checked(Builders, Protocol):
    """Builders who may not be able to work with this Xen."""

    async def check(self, release: str) -> None:
        """Raises HypervisorError: they cannot; the text says why, and what to do."""


class NoBuilders:
    """For programs that neither build, dump nor save domains: no module for Xen's libraries is needed."""

    def prepare(self, domid: int) -> None:
        """Nobody will build it."""

    async def forget(self, domid: int) -> None:
        """Nobody was prepared."""

    async def check(self, release: str) -> None:
        """Of nothing."""

    async def build(self, domid: int, image: Image) -> Rings:
        _refuse(domid)

    async def dump_core(self, domid: int, path: str) -> None:
        _refuse(domid)

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        _refuse(domid)

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        _refuse(domid)

    async def resume(self, domid: int, is_cooperative: bool) -> None:
        _refuse(domid)

    async def close(self) -> None:
        """Nobody is there."""


@asynccontextmanager
async def open_xen(
    log: Callable[[str], object] | None,
    system: System | None = None,
    operating_system: str = sys.platform,
    helpers: Callable[[Callable[[str], object]], Checked] = Helpers,
) -> AsyncIterator[Xen]:
    """The driver of the Xen under this dom0.

    Args:
        log: where helpers tell what went wrong; None: no domain is built, dumped or saved.
        system, operating_system: the kernel, and its name.
        helpers: who builds and dumps.

    Raises:
        XendError: unsupported: this is no dom0, a device is missing, this Xen is not known, or the helpers
            are not for it; the text says what to do.
    """
    system = system or System()
    builders = NoBuilders() if log is None else helpers(log)
    async with AsyncExitStack() as stack:
        try:
            store_platform, host = real_host(system, operating_system)
            xen = await stack.enter_async_context(Xen.connect(store_platform, host.devices, system, builders))
            await builders.check(xen.release)
        except (Unavailable, HypervisorError) as error:
            raise XendError("unsupported", str(error), hint=_HINT) from error
        yield xen


_HINT = "a simulated host is had with --hypervisor sim"


def _refuse(domid: int) -> NoReturn:
    raise HypervisorError(
        errno.EOPNOTSUPP, f"domain {domid}: this program neither builds, dumps nor saves domains; xend does"
    )
