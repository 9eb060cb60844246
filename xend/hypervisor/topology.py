"""Where the host's CPUs, memory and devices are: values of the contract (xen/include/public/sysctl.h)."""

import attrs


@attrs.frozen
class Cpu:
    """One of the host's CPUs, and where it is; None: not known, or it is not there."""

    number: int
    core: int | None
    socket: int | None
    node: int | None


@attrs.frozen
class Node:
    """A NUMA node: its memory in bytes, and how far each node is from it (10: itself); None: not known."""

    number: int
    memory: int | None
    free: int | None
    distances: tuple[int | None, ...]


@attrs.frozen
class DeviceNode:
    """A PCI device whose NUMA node is known: its address, "0000:03:00.0", and the node's number."""

    address: str
    node: int
