"""A xend of a few domains, over the maps of docs/bus.md, in place of the client's connection."""

import os
import select
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Self

from xenclient.xend.errors import BusError

Map = dict[str, Any]

HOST: Map = {
    "nr_cpus": 4,
    "max_cpu_id": 3,
    "nr_nodes": 1,
    "cores_per_socket": 2,
    "threads_per_core": 2,
    "cpu_khz": 2_600_052,
    "hw_caps": [0xBFEBFBFF, 0x77FAF3FF, 0x2C100800, 0x121, 0xF, 0x9C6FBF, 0, 0x100],
    "virt_caps": [],
    "total_memory_kib": 4_193_791,
    "free_memory_kib": 3_145_727,
    "outstanding_claims_kib": 2048,
    "sharing_freed_kib": 4095,
    "sharing_used_kib": 5120,
    "free_cpus": 0,
    "xen_major": 4,
    "xen_minor": 17,
    "xen_extra": ".4",
    "xen_caps": "xen-3.0-x86_64 ",
    "xen_scheduler": "credit2",
    "xen_pagesize": 4096,
    "virt_start": 0xFFFF800000000000,
    "xen_changeset": "",
    "xen_commandline": "dom0_mem=512M",
    "cc_compiler": "gcc 12",
    "cc_compile_by": "builder",
    "cc_compile_domain": "example.org",
    "cc_compile_date": "Fri Nov 27 2026",
    "build_id": "ab12",
    "host": "dom0.example.org",
    "release": "10.0",
    "system_version": "NetBSD 10.0 (XEN3_DOM0)",
    "machine": "amd64",
    "uptime_s": 90061.5,
}


def domain(domid: int, name: str, **fields: Any) -> Map:
    """A domain map; `fields` differ from an idle guest of 128 MiB."""
    return {
        "domid": domid,
        "name": name,
        "uuid": str(uuid.UUID(int=domid)),
        "type": "pv",
        "memory_kib": 128 * 1024,
        "outstanding_kib": 0,
        "max_memory_kib": 128 * 1024,
        "vcpus": 1,
        "max_vcpus": 1,
        "pool": 0,
        "shared_kib": 0,
        "cpu_time_ns": 1_250_000_000,
        "running": False,
        "blocked": True,
        "paused": False,
        "shutdown": False,
        "dying": False,
        "shutdown_reason": None,
        "start_time": 1_790_000_000,
        "uptime_s": 3661.9,
        "state": "running",
        "waiting": None,
        "operation": None,
        "devices": [],
        **fields,
    }


def dom0(**fields: Any) -> Map:
    """Domain-0, running."""
    return domain(
        0,
        "Domain-0",
        **{
            "memory_kib": 524_288,
            "vcpus": 4,
            "max_vcpus": 4,
            "cpu_time_ns": 61_300_000_000,
            "running": True,
            "blocked": False,
            "uptime_s": 90061.5,
            **fields,
        },
    )


def vif(domid: int, devid: int, **frontend: str) -> Map:
    """An interface as device.list has it; `frontend` differs from a connected one."""
    nodes = {"state": "4", "mac": "00:16:3e:00:00:01", "tx-ring-ref": "9", "rx-ring-ref": "10"}
    return _device("vif", domid, devid, f"vif {devid}", {**nodes, "event-channel-tx": "8", **frontend})


def vbd(domid: int, devid: int, name: str, **frontend: str) -> Map:
    """A disk as device.list has it; `frontend` differs from a connected one."""
    nodes = {"state": "4", "event-channel": "17", "ring-ref": "18"}
    return _device("vbd", domid, devid, f"vbd {name}", {**nodes, **frontend})


def _device(kind: str, domid: int, devid: int, name: str, frontend: Map) -> Map:
    return {
        "kind": kind,
        "devid": devid,
        "name": name,
        "domid": domid,
        "backend_domid": 0,
        "frontend_path": f"/local/domain/{domid}/device/{kind}/{devid}",
        "backend_path": f"/local/domain/0/backend/{kind}/{domid}/{devid}",
        "frontend": frontend,
        "backend": {"state": "4", "hotplug-status": "connected"},
    }


class FakeConsole:
    """A console that says what the test wrote into its pipe, and ends with it.

    Attributes:
        typed: what it was given.
        on_read, on_write: called after each.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.typed = b""
        self.on_read: Callable[[], object] = lambda: None
        self.on_write: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def fileno(self) -> int:
        return self._descriptor

    def read(self, seconds: float) -> bytes | None:
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        if not readable:
            return None
        data = os.read(self._descriptor, 4096)
        self.on_read()
        return data

    def write(self, data: bytes) -> None:
        self.typed += data
        self.on_write()


class FakeXend:
    """Answers calls as xend does.

    Attributes:
        asked: the calls that change something: (method, parameters without progress).
        fails: the error of a method, instead of its answer.
        fail_late: after the operation's steps.
        steps: what an operation reports of itself before it is done.
        last_event: the seq of the last that was read of `stream`.
        interrupted: somebody types ^C while a domain is created.
        devices: of all domains, as device.list has them.
        warnings: of every operation.
        stories: as device.explain has them, by domid and device.
        operations: as operation.list has them.
        answers: of further methods; given: what each of these was called with last.
        stats: the answers to stats.list, one after the other; the last one stays.
    """

    def __init__(self, *guests: Map) -> None:
        self.domains = [dom0(), *guests]
        self.asked: list[tuple[str, Map]] = []
        self.fails: dict[str, BusError] = {}
        self.warnings: list[dict[str, Any]] = []
        self.fail_late = False
        self.shutdown_reason: int | None = 0
        self.steps: list[Map] = []
        self.stream: list[Map] = []
        self.subscribed: Map = {}
        self.consoles: dict[str | int, FakeConsole] = {}
        self.host = dict(HOST)
        self.settings: Map = {"output_format": "json"}
        self.interrupted = False
        self.last_event = 0
        self.devices: list[Map] = []
        self.stories: dict[tuple[int, str], Map] = {}
        self.operations: list[Map] = []
        self.answers: Map = {}
        self.given: dict[str, Map] = {}
        self.vcpus: dict[int, list[Map]] = {}
        self.topology: Map = {}
        self.enforcing: bool | None = None
        self.quotas: Map = {"nodes": 1000, "watches": 128}
        #: As scheduling.list has them.
        self.pools: list[Map] = []
        self.stats: list[Map] = []
        self.config: Map = {"c_info": {"type": "pv", "name": "d9"}}

    def call(self, method: str, progress: Callable[[Map], object] | None = None, **parameters: Any) -> Any:
        if method in self.fails and not self.fail_late:
            raise self.fails[method]
        if method in self.answers:
            self.given[method] = parameters
            return self.answers[method]
        answer: Callable[[Map], Any] | None = {
            "host.info": lambda _: self.host,
            "host.config": lambda _: self.settings,
            "topology.show": lambda _: self.topology,
            "cpus.show": lambda _: {"cpus": [0, 1, 3], "count": 4},
            "security.show": lambda _: {"enforcing": self.enforcing},
            "quota.list": lambda _: self.quotas,
            "pool.list": self._pools,
            "scheduling.list": self._scheduling,
            "scheduling.show": self._scheduled,
            "host.dmesg": self._dmesg,
            "domain.list": self._list,
            "domain.config": self._config,
            "vcpu.list": self._vcpus,
            "device.list": self._devices,
            "device.explain": self._explain,
            "operation.list": lambda _: self.operations,
            "stats.list": lambda _: self.stats.pop(0) if len(self.stats) > 1 else self.stats[0],
        }.get(method)
        if answer is not None:
            return answer(parameters)
        return self._operate(method, progress, parameters)

    def events(self, **parameters: Any) -> Iterator[Map]:
        parameters.pop("idle", None)  # nothing is waited for
        self.subscribed = parameters
        return self._stream()

    def _stream(self) -> Iterator[Map]:
        for event in self.stream:
            self.last_event = event["seq"]
            yield event
        if "events" in self.fails:
            raise self.fails["events"]

    def console(self, domain: str | int) -> FakeConsole:
        self.find(domain)
        if "console.attach" in self.fails:
            raise self.fails["console.attach"]
        return self.consoles[domain]

    def find(self, wanted: str | int) -> Map:
        """The domain of a name, domid or UUID."""
        for each in self.domains:
            if str(wanted) in (each["name"], str(each["domid"]), each["uuid"]):
                return each
        raise BusError("no_such_domain", f"no domain {wanted}", {"hint": "xl list shows those there are"})

    def _list(self, parameters: Map) -> list[Map]:
        found = [self.find(parameters["domain"])] if "domain" in parameters else self.domains
        if parameters.get("placing"):
            return [{"cpupool": "Pool-0", "node_affinity": [0], **each} for each in found]
        return found

    def _config(self, parameters: Map) -> Map:
        found = self.find(parameters["domain"])
        return {"domid": found["domid"], "config": {"c_info": {"name": found["name"]}}}

    def _vcpus(self, parameters: Map) -> Map:
        found = self.find(parameters["domain"])
        here = {"domid": found["domid"], "name": found["name"], "cpus": self.host["nr_cpus"]}
        return {**here, "vcpus": self.vcpus.get(found["domid"], [])}

    def _pools(self, parameters: Map) -> list[Map]:
        wanted = parameters.get("pool")
        found = [each for each in self.pools if wanted in (None, each["name"], str(each["number"]))]
        if not found:
            raise BusError("no_such_pool", f"there is no CPU pool {wanted}", {})
        return found

    def _scheduling(self, parameters: Map) -> list[Map]:
        wanted = parameters.get("scheduler")
        return [each for each in self._pools(parameters) if wanted in (None, each["scheduler"])]

    def _scheduled(self, parameters: Map) -> Map:
        domid = self.find(parameters["domain"])["domid"]
        members = [each for pool in self.pools for each in pool["members"]]
        return next(each for each in members if each["domid"] == domid)

    def _devices(self, parameters: Map) -> list[Map]:
        wanted = self.find(parameters["domain"])["domid"], parameters["kind"]
        return [each for each in self.devices if (each["domid"], each["kind"]) == wanted]

    def _explain(self, parameters: Map) -> Map:
        found, device = self.find(parameters["domain"]), parameters["device"]
        if (found["domid"], device) in self.stories:
            return self.stories[found["domid"], device]
        raise BusError("no_such_device", f"{found['name']} has no device {device}", {"hint": "it has: none"})

    def _dmesg(self, parameters: Map) -> Map:
        if parameters:
            self.asked.append(("host.dmesg", parameters))
        return {"text": b"(XEN) Xen version 4.17\n(XEN) \xff\n"}

    def _operate(self, method: str, progress: Callable[[Map], object] | None, parameters: Map) -> Map:
        self.asked.append((method, parameters))
        if parameters.get("domain") is not None:
            found = self.find(parameters["domain"])
            if method in ("domain.shutdown", "domain.reboot") and found["shutdown"]:
                raise BusError("wrong_state", f"{found['name']} has shut down already")
        answer = {
            "pool.create": {"name": "fast", "scheduler": "credit", "cpus": [2, 3]},
            "pool.add_cpus": {"pool": 1, "cpus": [2, 3]},
            "pool.remove_cpus": {"pool": 1, "cpus": [2, 3]},
            "pool.destroy": {"pool": 1, "name": "fast"},
            "pool.rename": {"pool": 1, "name": "slow"},
            "pool.split": [{"pool": 0, "name": "Pool-node0", "cpus": [0, 1]}],
            "quota.set": self.quotas,
        }.get(method)
        if answer is not None:
            return answer  # type: ignore[return-value]
        if parameters.get("dry_run"):
            return {
                "steps": ["first step", "second step"],
                "config": self.config,
                "warnings": self.warnings,
            }
        if self.interrupted and method == "domain.create" and "wait_for" not in parameters:
            raise KeyboardInterrupt
        if self.interrupted and method == "operation.wait":
            raise BusError("cancelled", "domain.create was cancelled")
        for step in self.steps:
            if progress is not None:
                progress(step)
        if method in self.fails:
            raise self.fails[method]
        if method == "domain.create" and not self.interrupted:
            made = domain(9, "d9")
            self.domains.append(made)
            about = {"name": "d9", "uuid": made["uuid"], "warnings": self.warnings}
            return {"operation": 7, "domid": 9, **about}
        about = {"shutdown_reason": self.shutdown_reason} if parameters.get("wait") else {}
        domid = self.find(parameters["domain"])["domid"] if about else 1
        return {"operation": len(self.asked), "domid": domid, "warnings": self.warnings, **about}
