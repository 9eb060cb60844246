"""What hotplug scripts print, and what it means.

The only place where xend reads words to find a cause: they are those of scripts and of the programs that
scripts call, which say it in no other way.  What xend knows itself is a value (`reasons`).
"""

from collections.abc import Mapping
from typing import Any

#: How a bridge is made.
_BRIDGES = {
    "linux": "ip link add {bridge} type bridge && ip link set {bridge} up",
    "netbsd": "ifconfig {bridge} create && brconfig {bridge} up",
}
_NO_BRIDGE = "the bridge does not exist"
#: Words of which one is in the text, and what that means; the first row that fits counts.
_MEANINGS = (
    (("bridge",), _NO_BRIDGE),
    (("vnd", "loop"), "no free vnd or loop device for the image"),
    (("busy", "in use"), "somebody else uses the disk"),
    (("not exist", "no such file"), "a file that the script needs does not exist"),
    (("permission", "denied"), "the script may not do what it has to"),
)


def meaning(error: Mapping[str, Any], bridge: str | None, platform: str) -> str | None:
    """What a script said that failed, as a likely cause; None: nothing that is known.

    Args:
        error: the map of its error: `cause` is its hotplug-error, `script_output` what it printed.
        bridge: the one that the device's interface was to join; None: none.
    """
    text = f"{error.get('cause', '')} {error.get('script_output', '')}".lower()
    found = next((meant for words, meant in _MEANINGS if any(word in text for word in words)), None)
    if found == _NO_BRIDGE and bridge:
        return f"{found}: {_BRIDGES[platform].format(bridge=bridge)}"
    return found
