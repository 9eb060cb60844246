"""Which of the host's CPUs a text means, such as "0-3,^2", "node:1" or "all"."""

from collections.abc import Sequence

import attrs

from xend.config.cpus import CpuSet, parse_cpu_set
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained
from xenstore.daemon.text import one_line


@attrs.frozen
class HostCpus:
    """How many CPUs the host has, and those of each of its NUMA nodes."""

    count: int
    nodes: Sequence[frozenset[int]]

    def meant(self, cpus: CpuSet) -> tuple[int, ...]:
        """Their numbers, rising."""
        return cpus.of(self.count, self.nodes)

    def named(self, text: str) -> list[int]:
        """Those of a text, rising; all of them must be there.

        Raises:
            XendError: bad_request: it is no set of CPUs, or the host has not all of them.
        """
        try:
            found = parse_cpu_set(text)
        except ValueError as error:
            raise XendError("bad_request", f"CPUs {one_line(text)!r}: {error}") from None
        missing = found.missing(self.count, len(self.nodes))
        if missing is not None:
            raise XendError(
                "bad_request",
                f"CPUs {one_line(text)!r}: this host has no {missing}; it has {self.count} CPUs in "
                f"{len(self.nodes)} nodes",
                hint="xl info -n shows them",
            )
        return list(self.meant(found))


async def host_cpus(host: Host) -> HostCpus:
    """This host's.

    Raises:
        XendError: hypervisor_failed.
    """
    with explained("ask for the host's CPUs", "this host"):
        cpus = await host.hypervisor.topology()
        info = await host.hypervisor.host_info()
    nodes: list[set[int]] = [set() for _ in range(info.nr_nodes)]
    for cpu in cpus:
        if cpu.node is not None:
            nodes += [set() for _ in range(len(nodes), cpu.node + 1)]
            nodes[cpu.node].add(cpu.number)
    return HostCpus(info.nr_cpus, [frozenset(each) for each in nodes])
