"""The whole driver: what it hands to helpers, what is missing, how it ends."""

import errno
import re

import pytest
import trio

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS, Builders
from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import Blueprint, HostAccess, Image, Rings
from xend.hypervisor.xen.driver import Xen
from xenstore.platform import Unavailable

BLUEPRINT = Blueprint(uuid="00112233-4455-6677-8899-aabbccddeeff", max_vcpus=2, max_memory_kib=8192)
IMAGE = Image(blueprint=BLUEPRINT, memory_kib=8192, kernel="/boot/kernel")


@pytest.mark.trio
async def test_a_life(machine: Machine, system: str, xen: Xen, builders: Builders) -> None:
    assert (xen.name, xen.release, xen.store_platform) == ("Xen 4.17", "4.17", system)
    domid = await xen.create(BLUEPRINT)
    assert builders.asked == [("prepare", domid)]
    await xen.claim(domid, 8192)
    await xen.set_affinity(domid, 1, [2], None)
    await xen.allow_access(domid, HostAccess(irqs=[3]))
    rings = await xen.build(domid, IMAGE)
    machine.guests[domid].build(2048)
    assert builders.asked == [("prepare", domid), ("build", domid, IMAGE)]
    await xen.unpause(domid)
    await xen.set_max_memory(domid, 4096)
    info = await xen.domain(domid)
    assert info is not None
    assert [info.is_paused, info.vcpus, info.max_memory_kib] == [False, 1, 4096]
    assert (await xen.vcpus(domid))[1].hard_affinity == [2]
    with await xen.open_console(domid, rings.console_gfn, rings.console_port) as console:
        console.notify()
    await xen.pause(domid)
    await xen.dump_core(domid, "/var/core")
    assert builders.asked[2:] == [("dump_core", domid, "/var/core")]
    await xen.send_trigger(domid, "nmi", 0)
    await xen.shutdown(domid, 0)
    assert [info.domid for info in await xen.domains()] == [0, domid]
    assert [pool.domains for pool in await xen.pools()] == [2]
    await xen.destroy(domid)
    assert builders.asked[3:] == [("forget", domid)]
    assert await xen.domain(domid) is None
    assert (await xen.message_buffer()).endswith(b"\n")
    assert (await xen.host_info()).nr_cpus == 4
    assert await xen.watchdog(0, 60) == 1


@pytest.mark.trio
async def test_a_soft_reset(machine: Machine, xen: Xen) -> None:
    machine.guest(hvm=True).reason = 5
    rings = Rings(store_gfn=1, store_port=1, console_gfn=2, console_port=2)
    assert (await xen.soft_reset(1, rings)).store_port == 3


@pytest.mark.trio
@pytest.mark.parametrize(
    ("hvm", "params", "hears"),
    [
        (False, {}, True),
        (True, {}, False),
        (True, {0: 2 << 56 | 0xF3}, True),
        (True, {0: 2 << 56 | 0xF3, 14: 3}, False),
    ],
)
async def test_whether_a_kernel_can_be_asked(
    machine: Machine, xen: Xen, hvm: bool, params: dict[int, int], hears: bool
) -> None:
    """By HVM_PARAM_CALLBACK_IRQ and HVM_PARAM_ACPI_S_STATE."""
    machine.guest(hvm=hvm).params |= params
    assert await xen.hears(1) == hears
    with refused(errno.ESRCH):
        await xen.hears(2)


@pytest.mark.trio
async def test_helpers_hear_of_no_domain_that_is_gone(machine: Machine, xen: Xen, builders: Builders) -> None:
    machine.guest().dying = True
    with refused(errno.ESRCH):
        await xen.build(1, IMAGE)
    with refused(errno.ESRCH):
        await xen.dump_core(1, "/var/core")
    assert builders.asked == []


@pytest.mark.trio
async def test_helpers_are_not_prepared_for_one_that_was_not_created(
    machine: Machine, xen: Xen, builders: Builders
) -> None:
    machine.refused["domctl", 1] = errno.ENOMEM
    with refused(errno.ENOMEM):
        await xen.create(BLUEPRINT)
    assert builders.asked == []


@pytest.mark.trio
async def test_a_destroy_that_is_cancelled_is_done(machine: Machine, xen: Xen) -> None:
    machine.guest()
    machine.again = 1000
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(xen.destroy, 1)
            with trio.fail_after(10):
                while machine.again == 1000:
                    await trio.sleep(0)
            scope.cancel()
    assert 1 not in machine.guests


@pytest.mark.trio
@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("/dev/xen/evtchn", "modprobe xen-evtchn"),
        ("/dev/xen/gntdev", "modprobe xen-gntdev"),
        ("/dev/xen/privcmd", "modprobe xen-privcmd"),
        ("/dev/xenevt", "MAKEDEV xen"),
        ("/kern/xen/privcmd", "mount -t kernfs"),
    ],
)
async def test_a_device_that_is_missing(
    machine: Machine, kernel: Kernel, system: str, builders: Builders, path: str, remedy: str
) -> None:
    if path not in kernel.PATHS:
        pytest.skip("the other system's")
    kernel.missing.add(path)
    with pytest.raises(Unavailable, match=f"{re.escape(path)}: No such file.*{remedy}"):
        async with Xen.connect(system, SYSTEMS[system][1], kernel, builders):
            pytest.fail("it is open")
    assert kernel.files == {}


@pytest.mark.trio
async def test_what_fails_within_comes_out_as_it_is(
    machine: Machine, system: str, builders: Builders
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Xen.connect(system, SYSTEMS[system][1], machine.kernel, builders):
            raise ZeroDivisionError
    assert machine.kernel.files == {}
