"""The driver on a hypervisor of its own, under Linux and under NetBSD."""

import errno
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.unit.platform.kernel import Kernel, LinuxKernel, NetBSDKernel, running
from tests.unit.xend.hypervisor.xen.machine import Machine
from xend._sum import Sum
from xend.hypervisor import HypervisorError, Image, Rings
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.driver import Xen
from xend.hypervisor.xen.release import running_release
from xenstore.platform import choose, linux, netbsd
from xenstore.platform.devices import Devices

SYSTEMS: dict[str, tuple[type[Kernel], Devices]] = {
    choose.LINUX: (LinuxKernel, linux.DEVICES),
    choose.NETBSD: (NetBSDKernel, netbsd.DEVICES),
}


class Builders:
    """Who notes what is asked of helpers."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.release = "4.17"

    def prepare(self, domid: int) -> None:
        self.asked.append(("prepare", domid))

    async def forget(self, domid: int) -> None:
        self.asked.append(("forget", domid))

    async def check(self, release: str) -> None:
        if release != self.release:
            raise HypervisorError(errno.ENOSYS, f"they are for {self.release}, this is {release}")

    async def build(self, domid: int, image: Image) -> Rings:
        self.asked.append(("build", domid, image))
        return Rings(store_gfn=0xABC, store_port=1, console_gfn=0xABD, console_port=2)

    async def dump_core(self, domid: int, path: str) -> None:
        self.asked.append(("dump_core", domid, path))

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        self.asked.append(("save", domid, fd))
        await suspend()
        return checksum

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        self.asked.append(("restore", domid, fd, image))
        return Rings(store_gfn=0xABC, store_port=1, console_gfn=0xABD, console_port=2), checksum

    async def resume(self, domid: int, is_cooperative: bool) -> None:
        self.asked.append(("resume", domid, is_cooperative))

    async def close(self) -> None:
        self.asked.append(("close",))


@pytest.fixture(params=list(SYSTEMS))
def system(request: pytest.FixtureRequest) -> str:
    if request.param == choose.NETBSD and not sys.platform.startswith("linux"):
        pytest.skip("the descriptor that only poll(2) can wait for is made of Linux's epoll")
    name: str = request.param
    return name


@pytest.fixture
def kernel(system: str) -> Iterator[Kernel]:
    with running(SYSTEMS[system][0]) as kernel:
        yield kernel


@pytest.fixture
def machine(kernel: Kernel) -> Machine:
    return Machine(kernel)


@pytest.fixture
def calls(system: str, machine: Machine) -> Calls:
    hypercalls = SYSTEMS[system][1].hypercalls(machine.kernel)
    return Calls(hypercalls, running_release(hypercalls))


@pytest.fixture
def domains(calls: Calls) -> Domains:
    return Domains(calls)


@pytest.fixture
def builders() -> Builders:
    return Builders()


@pytest.fixture
async def xen(system: str, machine: Machine, builders: Builders) -> AsyncIterator[Xen]:
    async with Xen.connect(system, SYSTEMS[system][1], machine.kernel, builders) as xen:
        yield xen
    assert builders.asked[-1] == ("close",)
    assert machine.kernel.files == {}
