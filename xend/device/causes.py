"""Why a device does not work, in all likelihood: rules over its story and what stands in the store now."""

from collections.abc import Mapping
from typing import Any

from xend.device.story import Story
from xend.device.unrunnable import CAUSES
from xend.device.xenbus import XenbusState

#: What dom0's kernel calls its backend drivers.
DRIVERS = {
    "linux": {"vif": "xen-netback", "vbd": "xen-blkback"},
    "netbsd": {"vif": "xvif (xennetback)", "vbd": "xbdback"},
}
#: How a bridge is made.
BRIDGES = {
    "linux": "ip link add {bridge} type bridge && ip link set {bridge} up",
    "netbsd": "ifconfig {bridge} create && brconfig {bridge} up",
}
#: What scripts say, and what it means.
WORDS = (
    (("bridge",), "the bridge does not exist"),
    (("vnd", "loop"), "no free vnd or loop device for the image"),
    (("busy", "in use"), "somebody else uses the disk"),
    (("not exist", "no such file"), "a file that the script needs does not exist"),
    (("permission", "denied"), "the script may not do what it has to"),
)


def likely(story: Story, live: Mapping[str, Any] | None, platform: str) -> str | None:
    """The likely cause, one sentence; None: it works, or nothing is known.

    live: its ends as `device.list` has them; None: it is gone.
    """
    back = {} if live is None else live["backend"]
    served_by = story.device.served_by
    if live is not None and story.device.backend_domid and not back:
        return f"{served_by}, which served it, is gone, or has removed its backend"
    if story.error is not None and story.error["code"] == "script_failed":
        if story.device.backend_domid:
            return f"its script failed in {served_by}: see the log of xenbackendd (or xl devd) there"
        return _script(story, back, platform)
    backend = XenbusState.parse(back.get("state", "").encode() or None) if live else story.backend
    if backend in (XenbusState.INITIALISING, XenbusState.UNKNOWN) and story.error is not None:
        driver = DRIVERS[platform][story.device.kind]
        return f"{served_by}'s kernel has no driver {driver}: load it, or another kernel"
    if live is None or backend == XenbusState.CONNECTED:
        return None
    frontend = XenbusState.parse(live["frontend"].get("state", "").encode() or None)
    if backend == XenbusState.INIT_WAIT and back.get("hotplug-status") != "connected":
        return "its hotplug script has not said that it is connected"
    if backend == XenbusState.INIT_WAIT and frontend == XenbusState.INITIALISING:
        return f"the guest's kernel has no driver for a {story.device.kind}, or has not come so far"
    if frontend in (XenbusState.CLOSING, XenbusState.CLOSED):
        return "the guest has closed it"
    return f"the backend waits for the guest, which is {frontend}"


def _script(story: Story, back: Mapping[str, str], platform: str) -> str:
    error = story.error or {}
    if cause := CAUSES.get(error.get("reason", "")):
        return cause
    if error.get("waited_s") is not None:
        return "the script waits for something: run it by hand with sh -x"
    said = " ".join([str(error.get("cause", "")), str(error.get("script_output", "")), error["message"]])
    for words, meaning in WORDS:
        if any(word in said.lower() for word in words):
            bridge = story.device.backend.get("bridge")
            if "bridge" in words and bridge:
                return f"{meaning}: {BRIDGES[platform].format(bridge=bridge)}"
            return meaning
    return f"the script failed: run it by hand with sh -x {story.device.script}"
