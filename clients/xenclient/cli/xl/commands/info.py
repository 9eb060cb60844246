"""xl info: what the host has, and which Xen it runs.

Source: toolstack.md section 8.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    Host = Mapping[str, Any]


def run(call: Call) -> int:
    host = call.client.call("host.info")
    if call.arguments:
        call.show(host, values(host, call.arguments[0], call.given("extended")))
        return 0
    tables = ""
    if call.given("numa"):
        topology = call.client.call("topology.show")
        host = {**host, **topology}
        tables = topology_text(topology)
    call.show(host, lines(host, tables, call.given("extended")))
    return 0


INFO = Command(
    "[KEY]",
    run,
    Option("n", "numa", "the host's CPUs, PCI devices and NUMA nodes too"),
    Option("x", "extended", "features of the store too"),
    JSON,
)


def lines(host: Host, tables: str = "", extended: bool = False) -> str:
    """All of it, "key : value"; tables: what stands before what is told of Xen."""
    before, after = (*_machine(host), *_memory(host)), _xen(host, extended)
    return _text(host, before) + tables + _text(host, after)


def values(host: Host, wanted: str, extended: bool = False) -> str:
    """Only the values of the keys that begin so, each on a line."""
    facts = _facts(host, (*_machine(host), *_memory(host), *_xen(host, extended)))
    return "".join(f"{value[1:]}\n" for key, value in facts if key.startswith(wanted))


def topology_text(topology: Mapping[str, Any]) -> str:
    """Where CPUs, PCI devices and memory are: the tables that -n adds."""
    return "".join(
        f"{line}\n"
        for line in (
            *_cpu_table(topology["cpus"]),
            *_devices(topology["devices"]),
            *_nodes(topology["nodes"]),
        )
    )


def _cpu_table(cpus: Iterable[Host]) -> Iterator[str]:
    yield "cpu_topology           :"
    yield "cpu:    core    socket     node"
    for cpu in cpus:
        if cpu["core"] is not None:
            yield f"{cpu['number']:3}:    {cpu['core']:4}     {cpu['socket']:4}     {cpu['node']:4}"


def _devices(devices: Sequence[Host]) -> Iterator[str]:
    yield "device topology        :"
    yield "device           node"
    for device in devices:
        yield f"{device['address']}      {device['node']}"
    if not devices:
        yield "No device topology data available"


def _nodes(nodes: Iterable[Host]) -> Iterator[str]:
    yield "numa_info              :"
    yield "node:    memsize    memfree    distances"
    for node in nodes:
        if node["memory"] is not None:
            size, free = node["memory"] >> 20, (node["free"] or 0) >> 20
            # What is not known, Xen's xl prints as the number that stands for that.
            distances = ",".join(str(-1 if each is None else each) for each in node["distances"])
            yield f"{node['number']:4}:    {size:6}     {free:6}      {distances}"


def _text(host: Host, facts: Iterable[tuple[str, object]]) -> str:
    return "".join(f"{key:<23}:{value}\n" for key, value in _facts(host, facts))


def _facts(host: Host, facts: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """Key and what follows its colon."""
    for key, value in facts:
        yield key, f" {value}"
        if key == "hw_caps":
            yield "virt_caps", "".join(f" {word}" for word in host["virt_caps"])


def _machine(host: Host) -> Iterator[tuple[str, object]]:
    yield "host", host["host"]
    yield "release", host["release"]
    yield "version", host["system_version"]
    yield "machine", host["machine"]
    for key in ("nr_cpus", "max_cpu_id", "nr_nodes", "cores_per_socket", "threads_per_core"):
        yield key, host[key]
    yield "cpu_mhz", f"{host['cpu_khz'] // 1000}.{host['cpu_khz'] % 1000:03}"
    yield "hw_caps", ":".join(f"{word:08x}" for word in host["hw_caps"])


def _memory(host: Host) -> Iterator[tuple[str, object]]:
    yield "total_memory", host["total_memory_kib"] // 1024
    yield "free_memory", host["free_memory_kib"] // 1024
    yield "sharing_freed_memory", host["sharing_freed_kib"] // 1024
    yield "sharing_used_memory", host["sharing_used_kib"] // 1024
    yield "outstanding_claims", host["outstanding_claims_kib"] // 1024
    yield "free_cpus", host["free_cpus"]


def _xen(host: Host, extended: bool = False) -> Iterator[tuple[str, object]]:
    for key in ("xen_major", "xen_minor", "xen_extra"):
        yield key, host[key]
    yield "xen_version", f"{host['xen_major']}.{host['xen_minor']}{host['xen_extra']}"
    for key in ("xen_caps", "xen_scheduler", "xen_pagesize"):
        yield key, host[key]
    yield "platform_params", f"virt_start=0x{host['virt_start']:x}"
    for key in ("xen_changeset", "xen_commandline", "cc_compiler", "cc_compile_by", "cc_compile_domain"):
        yield key, host[key]
    yield "cc_compile_date", host["cc_compile_date"]
    yield "build_id", host["build_id"]
    if extended and host["xenstore_features"] is not None:
        yield "xenstore_features", f"0x{host['xenstore_features']:08x}"
    yield "xend_config_format", 4
