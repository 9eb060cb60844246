"""What the bus tells of a domain: the domain map of docs/bus.md."""

from typing import Any

from xend.domain.registry import Domain
from xend.domain.shutdown import reason_name
from xend.domain.target import Between, Target
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.identity import uuid_of
from xend.operation.kind import Effect
from xend.operation.locks import uuid_lock
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation


class DomainMaps:
    """Makes them, over a host."""

    def __init__(self, host: Host, operations: OperationRegistry) -> None:
        self._host = host
        self._operations = operations

    def of(self, target: Target | Between) -> dict[str, Any]:
        """The domain map of docs/bus.md."""
        return self._between_map(target) if isinstance(target, Between) else self._living_map(target)

    def _between_map(self, target: Between) -> dict[str, Any]:
        domain, config = target.managed, target.managed.config
        operation = self._operations.holder([uuid_lock(domain.uuid)])
        return {
            "domid": None,
            "name": domain.name,
            "uuid": uuid_of(domain.uuid),
            "type": config.type,
            "memory_kib": 0,
            "outstanding_kib": 0,
            "max_memory_kib": config.max_memory_kib,
            "vcpus": 0,
            "max_vcpus": config.max_vcpus,
            "pool": None,
            "shared_kib": 0,
            "cpu_time_ns": 0,
            **dict.fromkeys(("running", "blocked", "paused", "shutdown", "dying"), False),
            "shutdown_reason": None,
            "start_time": None,
            "uptime_s": None,
            "state": _state_between(operation, domain),
            "waiting": self._waiting_map(domain),
            "operation": None if operation is None else operation.id,
            "devices": [],
        }

    def _waiting_map(self, domain: Domain) -> dict[str, Any] | None:
        if (waiting := domain.waiting) is None:
            return None
        now = self._host.wall_clock()
        left_s = waiting.left_s(now)
        return {
            "reason": waiting.reason,
            "failures": domain.restarts,
            "next_try": now + left_s,
            "in_s": left_s,
            "error": waiting.error,
        }

    def _living_map(self, target: Target) -> dict[str, Any]:
        info, domain = target.info, target.managed
        operation = self._operations.holder([uuid_lock(target.uuid)])
        start = None if domain is None else domain.start_time
        return {
            "domid": info.domid,
            "name": target.name,
            "uuid": info.uuid,
            "type": "pv" if domain is None else domain.config.type,
            "memory_kib": info.memory_kib,
            "outstanding_kib": info.outstanding_kib,
            "max_memory_kib": info.max_memory_kib if domain is None else domain.config.max_memory_kib,
            "vcpus": info.vcpus,
            "max_vcpus": info.max_vcpus,
            "pool": info.pool,
            "shared_kib": info.shared_kib,
            "cpu_time_ns": info.cpu_time_ns,
            "running": info.is_running,
            "blocked": info.is_blocked,
            "paused": info.is_paused,
            "shutdown": info.is_shutdown,
            "dying": info.is_dying,
            "shutdown_reason": info.shutdown_reason,
            "start_time": start,
            "uptime_s": None if start is None else max(0.0, self._host.wall_clock() - start),
            "state": _state(info, operation, domain),
            "waiting": None,
            "operation": None if operation is None else operation.id,
            "devices": [] if domain is None else self._devices(info.domid),
        }

    def _devices(self, domid: int) -> list[dict[str, Any]]:
        return [
            {
                "kind": device.kind,
                "devid": device.devid,
                "name": device.name,
                "state": int(self._host.backends.state(device)),
            }
            for device in self._host.backends.of_domain(domid)
        ]


def _state_between(operation: Operation | None, domain: Domain) -> str:
    if domain.final is not None:
        return "destroying"
    is_restarting = operation is not None and operation.kind.effect is Effect.RESTARTS
    return "restarting" if is_restarting else "waiting"


def _state(info: DomainInfo, operation: Operation | None, domain: Domain | None) -> str:
    if operation is not None and operation.kind.state is not None:
        return operation.kind.state
    if info.is_dying:
        return "dying"
    if info.is_shutdown:
        return "crashed" if reason_name(info) == "crash" else "shutdown"
    if domain is not None and domain.awaited:
        return "shutting-down"
    return "paused" if info.is_paused else "running"
