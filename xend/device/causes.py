"""Why a device does not work, in all likelihood: rules over its story and what stands in the store now."""

from collections.abc import Mapping
from typing import Any

from xend.device import script_text
from xend.device.kinds import KINDS
from xend.device.reasons import REASONS, SCRIPT_ENDED
from xend.device.story import Story
from xend.device.xenbus import XenbusState


def likely(story: Story, live: Mapping[str, Any] | None, platform: str) -> str | None:
    """The likely cause, one sentence; None: it works, or nothing is known.

    live: its ends as `device.list` has them; None: it is gone.
    """
    device, back = story.device, {} if live is None else live["backend"]
    error = story.error or {}
    if error.get("reason") == "backend_removed" or (live is not None and device.backend_domid and not back):
        return f"{device.served_by}, which served it, is gone, or has removed its backend"
    if error.get("code") == "script_failed":
        if device.backend_domid:
            return f"its script failed in {device.served_by}: see the log of xenbackendd (or xl devd) there"
        return _of_script(story, error, platform)
    if error.get("reason") == "no_model":
        return str(error.get("cause") or REASONS["no_model"])
    if error.get("reason") == "no_driver":
        driver = KINDS[device.kind].drivers[platform]
        return f"{device.served_by}'s kernel has no driver {driver}: load it, or another kernel"
    return None if live is None else _of_states(device.kind, back, live["frontend"])


def _of_states(kind: str, back: Mapping[str, str], front: Mapping[str, str]) -> str | None:
    backend, frontend = _state(back), _state(front)
    if backend == XenbusState.CONNECTED:
        return None
    if backend == XenbusState.INIT_WAIT and _is_script_awaited(kind, back):
        return "its hotplug script has not said that it is connected"
    if backend == XenbusState.INIT_WAIT and frontend == XenbusState.INITIALISING:
        return f"the guest's kernel has no driver for a {kind}, or has not come so far"
    if frontend in (XenbusState.CLOSING, XenbusState.CLOSED):
        return "the guest has closed it"
    return f"the backend waits for the guest, which is {frontend}"


def _state(end: Mapping[str, str]) -> XenbusState:
    return XenbusState.parse(end.get("state", "").encode() or None)


def _is_script_awaited(kind: str, back: Mapping[str, str]) -> bool:
    return KINDS[kind].script is not None and back.get("hotplug-status") != "connected"


def _of_script(story: Story, error: Mapping[str, Any], platform: str) -> str:
    reason = error.get("reason", "")
    if reason in REASONS and reason not in SCRIPT_ENDED:
        return REASONS[reason]
    said = script_text.meaning(error, story.device.backend.get("bridge"), platform)
    return said or f"the script failed: run it by hand with sh -x {story.device.script}"
