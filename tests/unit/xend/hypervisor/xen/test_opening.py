"""What the driver needs of a host, and what is said where it is missing."""

import errno
import re

import pytest

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import Builders
from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.errors import XendError
from xend.hypervisor import Blueprint, Image
from xend.hypervisor.xen.opening import open_xen

BLUEPRINT = Blueprint(uuid="00112233-4455-6677-8899-aabbccddeeff", max_vcpus=2, max_memory_kib=8192)
IMAGE = Image(blueprint=BLUEPRINT, memory_kib=8192, kernel="/boot/kernel")


async def opened(kernel: Kernel, system: str, builders: Builders | None = None) -> str:
    """The name of the host that was opened."""
    log = None if builders is None else pytest.fail
    async with open_xen(log, kernel, system, lambda log: builders or Builders()) as xen:
        return xen.name


@pytest.mark.trio
async def test_all_is_there(machine: Machine, system: str, builders: Builders) -> None:
    assert await opened(machine.kernel, system, builders) == "Xen 4.17"
    assert builders.asked == [("close",)]
    assert machine.kernel.files == {}


@pytest.mark.trio
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dev/xen/evtchn", "modprobe xen-evtchn"),
        ("/dev/xen/gntdev", "modprobe xen-gntdev"),
        ("/dev/xen/privcmd", "modprobe xen-privcmd"),
        ("/dev/xenevt", "MAKEDEV xen"),
        ("/kern/xen/privcmd", "this is a domain of Xen, but not dom0"),
    ],
)
async def test_what_is_missing(
    machine: Machine, kernel: Kernel, system: str, builders: Builders, path: str, said: str
) -> None:
    if path not in kernel.PATHS:
        pytest.skip("the other system's")
    kernel.missing.add(path)
    with pytest.raises(XendError, match=said) as caught:
        await opened(kernel, system, builders)
    assert caught.value.code == "unsupported"
    assert kernel.files == {}


@pytest.mark.trio
async def test_no_xen(kernel: Kernel, system: str, builders: Builders) -> None:
    kernel.missing |= kernel.PATHS
    with pytest.raises(XendError, match=r"no Xen here \(.* is missing\) \(a simulated host") as caught:
        await opened(kernel, system, builders)
    assert caught.value.code == "unsupported"
    with pytest.raises(XendError, match="plan9 is no system"):
        await opened(kernel, "plan9", builders)


@pytest.mark.trio
async def test_not_root(machine: Machine, kernel: Kernel, system: str, builders: Builders) -> None:
    kernel.denied |= dict.fromkeys(kernel.PATHS, errno.EACCES)
    with pytest.raises(XendError, match="must run as root"):
        await opened(kernel, system, builders)


@pytest.mark.trio
async def test_another_release(kernel: Kernel, system: str, builders: Builders) -> None:
    Machine(kernel, (4, 30))
    with pytest.raises(XendError, match=re.escape("this is Xen 4.30, and this program knows 4.15 to 4.22")):
        await opened(kernel, system, builders)
    assert kernel.files == {}


@pytest.mark.trio
async def test_helpers_of_another_release(kernel: Kernel, system: str, builders: Builders) -> None:
    Machine(kernel, (4, 18))
    with pytest.raises(XendError, match=r"they are for 4.17, this is 4.18") as caught:
        await opened(kernel, system, builders)
    assert caught.value.code == "unsupported"
    assert builders.asked == [("close",)]
    assert kernel.files == {}


@pytest.mark.trio
async def test_programs_that_build_nothing_need_no_helpers(machine: Machine, system: str) -> None:
    machine.guest()
    async with open_xen(None, machine.kernel, system, lambda log: pytest.fail("they are asked")) as xen:
        await xen.create(BLUEPRINT)
        with refused(errno.EOPNOTSUPP, "xend does"):
            await xen.build(1, IMAGE)
        with refused(errno.EOPNOTSUPP, "xend does"):
            await xen.dump_core(1, "/var/core")
