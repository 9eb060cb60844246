"""Every call of docs/bus.md as a function with its parameters; the clients have a method of the same name.

What a call returns is there as well.  `deadline_s` has xend cancel the call after so many seconds (an
operation is undone then); `progress(map)` gets the operation's map at each of its events meanwhile.
"""

from __future__ import annotations

from xenclient.xend.core import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Domain = str | int
    Progress = Callable[[dict[str, Any]], object] | None


def hello(client: str | None = None) -> Request:
    """Whom one talks to: {server, version, protocol, hypervisor, access, methods}."""
    return Request("hello", {"client": client, "version": 1})


def host_info() -> Request:
    """The host, as a map."""
    return Request("host.info")


def dmesg(clear: bool = False) -> Request:
    """The hypervisor's messages: {text: bytes}."""
    return Request("host.dmesg", {"clear": clear or None})


def domains(domain: Domain | None = None) -> Request:
    """The domains, or this one, as a list of maps by rising domid."""
    return Request("domain.list", {"domain": domain})


def domain_config(domain: Domain) -> Request:
    """What it was created from: {domid, config}."""
    return Request("domain.config", {"domain": domain})


def create(
    text: str,
    *,
    name: str | None = None,
    path: str | None = None,
    directory: str | None = None,
    extra: Sequence[str] | None = None,
    paused: bool = False,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Create a domain: {operation, domid, name, uuid, warnings}; dry_run: {steps, config, warnings}.

    Args:
        text: the configuration file's content; bytes that are no UTF-8 as os.fsdecode has them.
        name: the file's name, for errors and for a domain without a name.
        path: where the file is, absolute: a domain between two lives that was made of it is replaced.
        directory: where relative names of files are looked for, absolute; None: they are errors.
        extra: further assignments ("memory=64"), each a text.
    """
    where = {"path": path, "directory": directory}
    given = {"name": name, **where, "extra": list(extra) if extra else None}
    given_too = {"paused": paused, "dry_run": dry_run, "deadline_s": deadline_s}
    return _operation("domain.create", progress, text=text, **given, **given_too)


def unpause(
    domain: Domain, *, dry_run: bool = False, deadline_s: float | None = None, progress: Progress = None
) -> Request:
    """Let it run: {operation, domid}."""
    return _operation("domain.unpause", progress, domain=domain, dry_run=dry_run, deadline_s=deadline_s)


def pause(
    domain: Domain, *, dry_run: bool = False, deadline_s: float | None = None, progress: Progress = None
) -> Request:
    """Stop its CPUs: {operation, domid}."""
    return _operation("domain.pause", progress, domain=domain, dry_run=dry_run, deadline_s=deadline_s)


def destroy(
    domain: Domain, *, dry_run: bool = False, deadline_s: float | None = None, progress: Progress = None
) -> Request:
    """End it without its doing: {operation, domid}."""
    return _operation("domain.destroy", progress, domain=domain, dry_run=dry_run, deadline_s=deadline_s)


def shutdown(
    domain: Domain,
    *,
    wait: bool = False,
    force: bool = False,
    timeout_s: float | None = None,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Ask it to shut down: {operation, domid}; wait: return when it has.

    Args:
        force: shut it down without its doing, where it does not answer.
        timeout_s: how long it may take.
    """
    given = {"wait": wait, "force": force, "timeout_s": timeout_s, "dry_run": dry_run}
    return _operation("domain.shutdown", progress, domain=domain, deadline_s=deadline_s, **given)


def reboot(
    domain: Domain,
    *,
    wait: bool = False,
    force: bool = False,
    timeout_s: float | None = None,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Ask it to start again; as `shutdown`."""
    given = {"wait": wait, "force": force, "timeout_s": timeout_s, "dry_run": dry_run}
    return _operation("domain.reboot", progress, domain=domain, deadline_s=deadline_s, **given)


def rename(domain: Domain, name: str, *, deadline_s: float | None = None) -> Request:
    """Give it another name: {operation, domid}."""
    return _operation("domain.rename", domain=domain, name=name, deadline_s=deadline_s)


def set_memory(domain: Domain, target_kib: int, *, deadline_s: float | None = None) -> Request:
    """Have it grow or shrink to so much memory: {operation, domid}."""
    return _operation("domain.set_memory", domain=domain, target_kib=target_kib, deadline_s=deadline_s)


def sysrq(domain: Domain, letter: str, *, deadline_s: float | None = None) -> Request:
    """Send it a magic SysRq key: {operation, domid}."""
    return _operation("domain.sysrq", domain=domain, letter=letter, deadline_s=deadline_s)


def devices(domain: Domain, kind: str | None = None) -> Request:
    """A domain's devices as a list of maps, with what stands at both ends; kind: of one type, as "vif"."""
    return Request("device.list", {"domain": domain, "kind": kind})


def device_explain(domain: Domain, device: str) -> Request:
    """A device's story, and the likely cause if it does not work."""
    return Request("device.explain", {"domain": domain, "device": device})


def device_attach(
    domain: Domain,
    kind: str,
    spec: str | Sequence[str],
    *,
    directory: str | None = None,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Put a device of a type ("vif") in, as xl.cfg(5) specifies it: {operation, domid, device, devid}.

    spec: a text, or words, as on xl's command line; directory: of relative names of files in it.
    """
    words = spec if isinstance(spec, str) else list(spec)
    given = {"kind": kind, "spec": words, "directory": directory, "dry_run": dry_run}
    return _operation("device.attach", progress, domain=domain, deadline_s=deadline_s, **given)


def device_detach(
    domain: Domain,
    kind: str,
    device: str,
    *,
    force: bool = False,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Take a device out, by its number, name or address; force: whatever its guest does."""
    given = {"kind": kind, "device": device, "force": force, "dry_run": dry_run}
    return _operation("device.detach", progress, domain=domain, deadline_s=deadline_s, **given)


def device_insert(
    domain: Domain,
    device: str,
    target: str,
    *,
    directory: str | None = None,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Put a disc (a path in the backend's domain) into a CD drive: {operation, domid, device, devid}.

    directory: of a relative path.
    """
    given = {"device": device, "target": target, "directory": directory, "dry_run": dry_run}
    return _operation("device.insert", progress, domain=domain, deadline_s=deadline_s, **given)


def device_eject(
    domain: Domain,
    device: str,
    *,
    dry_run: bool = False,
    deadline_s: float | None = None,
    progress: Progress = None,
) -> Request:
    """Empty a CD drive: {operation, domid, device, devid}."""
    given = {"device": device, "dry_run": dry_run}
    return _operation("device.eject", progress, domain=domain, deadline_s=deadline_s, **given)


def autostart(
    names: Sequence[str] | None = None,
    *,
    prehook: str | None = None,
    posthook: str | None = None,
    dry_run: bool = False,
    deadline_s: float | None = None,
) -> Request:
    """Start domains of the configuration directory, or those in its auto/, in their order.

    Returns a list of rows {name, outcome, ok, domid, reason, error}; dry_run: {steps: [lines]}.  Hooks are
    formats of programs there, with one %s for the name: before a domain is created, and once it is up.
    """
    given = {"names": names, "prehook": prehook, "posthook": posthook, "dry_run": dry_run}
    return _operation("autostart.start", **given, deadline_s=deadline_s)


def autostop(
    names: Sequence[str] | None = None,
    *,
    all: bool = False,
    timeout_s: float | None = None,
    last_resort: str | None = None,
    dry_run: bool = False,
    deadline_s: float | None = None,
) -> Request:
    """Shut domains down in the reverse order: rows as of `autostart`.

    timeout_s: for all of them together; last_resort: what is done then, "destroy" or "leave".
    """
    given = {"names": names, "all": all, "timeout_s": timeout_s, "last_resort": last_resort}
    return _operation("autostart.stop", **given, dry_run=dry_run, deadline_s=deadline_s)


def operations() -> Request:
    """All operations that are known, as a list of maps."""
    return Request("operation.list")


def operation(operation: object) -> Request:
    """One operation's map."""
    return Request("operation.show", {"operation": operation})


def operation_wait(operation: object, *, deadline_s: float | None = None) -> Request:
    """Its result, once it has ended; its error is raised."""
    return Request("operation.wait", {"operation": operation, "deadline_s": deadline_s})


def operation_cancel(operation: object) -> Request:
    """Have it cancelled and undone; does not wait for that."""
    return Request("operation.cancel", {"operation": operation})


def _operation(method: str, progress: Progress = None, /, **params: Any) -> Request:
    return Request(method, {name: value for name, value in params.items() if value is not False}, progress)
