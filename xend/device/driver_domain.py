"""Devices whose backends are in another domain than dom0: a coordinator there runs their scripts.

xenbackendd, or libxl's `xl devd` (toolstack.md 3).  That domain writes what is read here: nothing of it is
believed but whether it is done.
"""

from collections.abc import Awaitable, Callable

from xend.device.device import Device
from xend.device.nodes import texts
from xend.device.xenbus import XenbusState
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Work

#: How much of what it says is repeated, in characters.
WORDS_MAX = 400


async def await_script(host: Host, work: Work, device: Device) -> None:
    """Returns once the domain says that the device is in.

    libxl does not wait for it, and its guests find out.

    Raises:
        XendError: script_failed: it says that its script failed; device_failed: it says nothing.
    """
    seconds = host.settings.hotplug_seconds
    late = device.error(
        "device_failed",
        f"{device.served_by} did not run its script within {seconds:g} s",
        waited_s=seconds,
        hint="does xenbackendd (or xl devd) run there?",
    )
    what = f"{device.served_by} to run the script of {device.name}"
    await _await(host, work, device, what, seconds, _is_in, late)


async def _is_in(host: Host, device: Device) -> bool:
    found = await texts(host.store, device.backend_path, ("state", "hotplug-status", "hotplug-error"))
    if not found:
        raise device.error(
            "device_failed", f"{device.served_by} has removed its backend", reason="backend_removed"
        )
    if found.get("hotplug-status") == "error":
        words = "".join(filter(str.isprintable, found.get("hotplug-error", "")))
        raise device.error(
            "script_failed", f"its script failed in {device.served_by}", cause=words[:WORDS_MAX] or None
        )
    return found.get("hotplug-status") == "connected" or found.get("state") == str(int(XenbusState.CONNECTED))


async def await_removal(host: Host, work: Work, device: Device) -> None:
    """Returns once the domain has run the script and removed the backend, or is gone itself.

    Raises:
        XendError: device_failed: it has not.
    """
    seconds = host.settings.destroy_seconds
    late = device.error(
        "device_failed",
        f"{device.served_by} had not removed its backend after {seconds:g} s; its nodes are removed now",
        waited_s=seconds,
        hint="does xenbackendd (or xl devd) run there? what is left of the device is there, too",
    )
    what = f"{device.served_by} to remove the backend of {device.name}"
    await _await(host, work, device, what, seconds, _is_gone, late)


async def _is_gone(host: Host, device: Device) -> bool:
    return not await texts(host.store, device.backend_path, ("state",))


async def _await(
    host: Host,
    work: Work,
    device: Device,
    what: str,
    seconds: float,
    is_so: Callable[[Host, Device], Awaitable[bool]],
    late: XendError,
) -> None:
    """Returns once something holds of a backend that its domain changes; raises `late` if it does not."""
    try:
        with work.waiting(what, seconds):
            async with host.store.watch(device.backend_path) as watch:
                while not await is_so(host, device):
                    await watch.next()
    except XendError as error:
        if error.code != "no_answer":
            raise
        raise late from error
