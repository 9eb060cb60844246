"""topology.show, cpus.show: where the host's CPUs are; host.*, security.*: what Xen can be told."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from xend.bus.kinds import DATA, FLAG, TEXT, TEXTS
from xend.bus.methods import Call, Method, optional, required
from xend.domain.host_cpus import host_cpus
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.refusals import explained

Result = dict[str, Any]


class HostControlCalls:
    """The methods, over a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def methods(self) -> list[Method]:
        """All of them."""
        dry = {"dry_run": optional(FLAG)}
        return [
            Method("topology.show", "read", {}, self.topology),
            Method("cpus.show", "read", {"text": required(TEXT)}, self.cpus),
            Method("host.debug_keys", "operate", {"keys": required(TEXT), **dry}, self.debug_keys),
            Method(
                "host.set_parameters", "operate", {"parameters": required(TEXTS), **dry}, self.set_parameters
            ),
            Method("security.show", "read", {}, self.security),
            Method(
                "security.set_enforcing", "operate", {"enforcing": required(FLAG), **dry}, self.set_enforcing
            ),
            Method("security.load_policy", "operate", {"policy": required(DATA), **dry}, self.load_policy),
        ]

    async def topology(self, call: Call) -> Result:
        with explained("ask for the host's topology", "this host"):
            cpus = await self._host.hypervisor.topology()
            nodes = await self._host.hypervisor.nodes()
            devices = await self._host.hypervisor.device_nodes()
        return {
            "cpus": [attrs.asdict(cpu) for cpu in cpus],
            "nodes": [attrs.asdict(node) for node in nodes],
            "devices": [attrs.asdict(device) for device in devices],
        }

    async def cpus(self, call: Call, text: str) -> Result:
        known = await host_cpus(self._host)
        return {"cpus": known.named(text), "count": known.count}

    async def debug_keys(self, call: Call, keys: str, dry_run: bool = False) -> Result:
        if not keys or not keys.isascii() or not keys.isprintable():
            raise XendError(
                "bad_request", f"debug keys {keys!r}: expected printable ASCII characters; h lists them"
            )
        if not dry_run:
            with _told("send debug keys"):
                await self._host.hypervisor.send_debug_keys(keys)
        return {"keys": keys}

    async def set_parameters(self, call: Call, parameters: list[str], dry_run: bool = False) -> Result:
        pairs = [_pair(text) for text in parameters]
        if not dry_run:
            with _told("change the hypervisor's parameters"):
                await self._host.hypervisor.set_boot_parameters(dict(pairs))
        return {"parameters": [f"{name}={value}" for name, value in pairs]}

    # --- the security module ------------------------------------------------------------------------------

    async def security(self, call: Call) -> Result:
        return {"enforcing": await self._is_enforcing()}

    async def _is_enforcing(self) -> bool | None:
        with _told("ask for the security module"):
            return await self._host.hypervisor.is_enforcing()

    async def set_enforcing(self, call: Call, enforcing: bool, dry_run: bool = False) -> Result:
        await self._require_flask()
        if not dry_run:
            with _told("change the mode of FLASK"):
                await self._host.hypervisor.set_enforcing(enforcing)
        return {"enforcing": enforcing}

    async def load_policy(self, call: Call, policy: bytes, dry_run: bool = False) -> Result:
        await self._require_flask()
        if not dry_run:
            with _told("load the policy"):
                await self._host.hypervisor.load_policy(policy)
        return {}

    async def _require_flask(self) -> None:
        if await self._is_enforcing() is None:
            raise _without_flask()


def _pair(text: str) -> tuple[str, str]:
    """A parameter's name and value; a word without a value is yes, and "no-" before it no."""
    name, has_value, value = text.partition("=")
    if not has_value:
        name, value = (name.removeprefix("no-"), "no") if name.startswith("no-") else (name, "yes")
    if not name or not text.isascii() or not text.isprintable():
        raise XendError("bad_request", f"parameter {text!r}: NAME=VALUE was expected")
    return name, value


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """As `explained`, of what is no domain's: what is missing is not an image."""
    try:
        with explained(doing):
            yield
    except XendError as error:
        cause = error.__cause__
        if not isinstance(cause, HypervisorError):
            raise
        if cause.errno in (errno.ENOENT, errno.EACCES, errno.EINVAL):
            raise XendError("bad_request", f"cannot {doing}", cause=cause.text) from cause
        if cause.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            raise XendError("unsupported", f"cannot {doing}", cause=cause.text) from cause
        raise


def _without_flask() -> XendError:
    return XendError(
        "unsupported",
        "this hypervisor has no FLASK: it was built without that security module, or not started with flask=",
        hint="xl dmesg shows how it was started",
    )
