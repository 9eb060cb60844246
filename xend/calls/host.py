"""host.*: what `xl info` and `xl dmesg` show."""

import os
import time
from typing import Any

import attrs

from xend.bus.kinds import FLAG
from xend.bus.methods import Call, Method, optional
from xend.host import Host
from xend.refusals import explained
from xend.store_features import store_features


class HostCalls:
    """The methods, over a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def methods(self) -> list[Method]:
        """All of them."""
        return [
            Method("host.info", "read", {}, self.info),
            Method("host.config", "read", {}, self.config),
            Method("host.dmesg", "read", {"clear": optional(FLAG, operate=True)}, self.dmesg),
        ]

    async def info(self, call: Call) -> dict[str, Any]:
        with explained("ask for the host", "this host"):
            info = await self._host.hypervisor.host_info()
            free_cpus = await self._host.hypervisor.free_cpus()
            features = await store_features(self._host.store)
        system = os.uname()
        return {
            **attrs.asdict(info),
            "max_cpu_id": info.nr_cpus - 1,
            "free_cpus": len(free_cpus),
            "xenstore_features": features,
            "host": system.nodename,
            "release": system.release,
            "system_version": system.version,
            "machine": system.machine,
            "uptime_s": time.clock_gettime(_BOOT_CLOCK),
        }

    async def config(self, call: Call) -> dict[str, Any]:
        settings = self._host.settings
        return {
            "output_format": settings.output_format,
            "claims_memory": settings.claims_memory,
            "autoballoon": settings.autoballoon,
            "defaults": settings.defaults.given(),
        }

    async def dmesg(self, call: Call, clear: bool = False) -> dict[str, Any]:
        with explained("read the hypervisor's messages", "this host"):
            return {"text": await self._host.hypervisor.message_buffer(clear)}


#: Counts from the host's start; NetBSD's monotonic clock does.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
