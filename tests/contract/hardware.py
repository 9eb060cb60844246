"""The host's hardware in domains."""

import errno

from tests.contract.bench import Bench, refused
from xend.hypervisor import HostAccess
from xend.hypervisor.control import QUARANTINE

#: The last function of the last device of the last bus of the last segment.
NO_FUNCTION = 0xFFFFFFFF


async def host_access(bench: Bench) -> None:
    """An ordinary serial port; what there is not is refused."""
    domid = await bench.create()
    await bench.hypervisor.allow_access(domid, HostAccess())
    await bench.hypervisor.allow_access(domid, HostAccess(ports=[(0x2F8, 8)]))
    for wrong in (
        HostAccess(ports=[(0xFFF0, 0x100)]),
        HostAccess(memory=[(1 << 52, 1, 0)]),
        HostAccess(irqs=[1 << 20]),
    ):
        with refused(errno.EINVAL, errno.EPERM):
            await bench.hypervisor.allow_access(domid, wrong)


async def denied_access(bench: Bench) -> None:
    """What a paravirtual domain has, and what it has not."""
    if bench.type != "pv":
        return
    domid = await bench.create()
    ports = HostAccess(ports=[(0x2F8, 8)])
    await bench.hypervisor.allow_access(domid, ports)
    for _ in range(2):
        await bench.hypervisor.deny_access(domid, ports)
    await bench.hypervisor.deny_access(domid, HostAccess())
    await bench.hypervisor.allow_access(domid, ports)
    await bench.hypervisor.destroy(domid)
    await bench.gone(domid)
    with refused(errno.ESRCH):
        await bench.hypervisor.deny_access(domid, ports)


async def cards(bench: Bench) -> None:
    """Of a PCI function that no host has; without an IOMMU of any."""
    hypervisor = bench.hypervisor
    has_iommu = bool({"pv_directio", "hvm_directio"} & set((await hypervisor.host_info()).virt_caps))
    domid = await bench.create(has_iommu=has_iommu and bench.type == "pv")
    reasons = (errno.EINVAL, errno.ENODEV) if has_iommu else (errno.EOPNOTSUPP,)
    with refused(*reasons):
        await hypervisor.check_card(NO_FUNCTION)
    for owner in (domid, QUARANTINE):
        for is_strict in (True, False):
            with refused(*reasons):
                await hypervisor.assign_card(owner, NO_FUNCTION, is_strict)
        with refused(*reasons):
            await hypervisor.release_card(owner, NO_FUNCTION)
    await hypervisor.destroy(domid)
    await bench.gone(domid)
    with refused(errno.ESRCH):
        await hypervisor.assign_card(domid, NO_FUNCTION, is_strict=True)
    with refused(errno.ESRCH, errno.EOPNOTSUPP):
        await hypervisor.release_card(domid, NO_FUNCTION)
