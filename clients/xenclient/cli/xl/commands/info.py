"""xl info: what the host has, and which Xen it runs.

Source: toolstack.md section 8.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Host = Mapping[str, Any]


def run(call: Call) -> int:
    host = call.client.call("host.info")
    call.show(host, values(host, call.arguments[0]) if call.arguments else lines(host))
    return 0


INFO = Command("[KEY]", run, Option("n", "numa", "accepted: tables of nodes are not there yet"), JSON)


def lines(host: Host) -> str:
    """All of it, "key : value"."""
    return "".join(f"{key:<23}:{value}\n" for key, value in _facts(host))


def values(host: Host, wanted: str) -> str:
    """Only the values of the keys that begin so, each on a line."""
    return "".join(f"{value[1:]}\n" for key, value in _facts(host) if key.startswith(wanted))


def _facts(host: Host) -> Iterator[tuple[str, str]]:
    """Key and what follows its colon."""
    for key, value in (*_machine(host), *_memory(host), *_xen(host)):
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
    # xend shares no pages between domains.
    yield "sharing_freed_memory", 0
    yield "sharing_used_memory", 0
    yield "outstanding_claims", host["outstanding_claims_kib"] // 1024
    yield "free_cpus", host["free_cpus"]


def _xen(host: Host) -> Iterator[tuple[str, object]]:
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
    yield "xend_config_format", 4
