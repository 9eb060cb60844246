"""vcpu.list: the virtual CPUs of a domain."""

from typing import Any

from xend.domain.target import Target
from xend.host import Host
from xend.hypervisor import VcpuInfo
from xend.refusals import explained


async def read_vcpus(host: Host, target: Target) -> dict[str, Any]:
    """The answer of docs/bus.md: {domid, name, cpus: how many the host has, vcpus: [vCPU map]}.

    Raises:
        XendError: guest_died, hypervisor_failed.
    """
    with explained("look at its vCPUs", target.name):
        cpus = (await host.hypervisor.host_info()).nr_cpus
        vcpus = await host.hypervisor.vcpus(target.domid)
    return {
        "domid": target.domid,
        "name": target.name,
        "cpus": cpus,
        "vcpus": [_vcpu_map(vcpu) for vcpu in vcpus],
    }


def _vcpu_map(vcpu: VcpuInfo) -> dict[str, Any]:
    return {
        "number": vcpu.number,
        "online": vcpu.is_online,
        "running": vcpu.is_running,
        "blocked": vcpu.is_blocked,
        "cpu": vcpu.cpu,
        "cpu_time_ns": vcpu.cpu_time_ns,
        "hard_affinity": list(vcpu.hard_affinity),
        "soft_affinity": list(vcpu.soft_affinity),
    }
