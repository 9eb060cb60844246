"""xl network-attach and -detach, block-attach and -detach, cd-insert and -eject: what a domain has, changed.

What describes it is one word with commas, several words, or, as for xm, words by place (BACKEND-DEVICE VDEV
MODE [BACKEND-DOMAIN]).  xend parses each word by itself, as Xen's xl does: target= takes what follows in its
word, and none of the other words.
"""

from __future__ import annotations

from xenclient.cli.xl.source import working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from xenclient.cli.xl.call import Call

#: xm's users wrote a disk as the guest sees it, with this before it.
DEVICE_DIRECTORY = "/dev/"


def network_attach(call: Call) -> int:
    """xl network-attach."""
    return _attach(call, "vif", call.arguments[1:])


def network_detach(call: Call) -> int:
    """xl network-detach."""
    return _detach(call, "vif", call.arguments[1])


def block_attach(call: Call) -> int:
    """xl block-attach."""
    target, *words = call.arguments[1:]
    if words:
        words[0] = _in_dev(words[0])
    return _attach(call, "vbd", [target, *words])


def block_detach(call: Call) -> int:
    """xl block-detach."""
    return _detach(call, "vbd", _in_dev(call.arguments[1]))


def cd_insert(call: Call) -> int:
    """xl cd-insert."""
    domain, drive, target = call.arguments
    disc = {"target": target, "directory": working_directory()}
    return _done(call, call.operate("device.insert", domain=domain, device=_in_dev(drive), **disc))


def cd_eject(call: Call) -> int:
    """xl cd-eject."""
    domain, drive = call.arguments
    return _done(call, call.operate("device.eject", domain=domain, device=_in_dev(drive)))


def _in_dev(name: str) -> str:
    return name.removeprefix(DEVICE_DIRECTORY)


def _attach(call: Call, kind: str, words: list[str]) -> int:
    domain, spec = call.arguments[0], words if len(words) > 1 else "".join(words)
    where = {"directory": working_directory()} if kind == "vbd" else {}
    return _done(call, call.operate("device.attach", domain=domain, kind=kind, spec=spec, **where))


def _detach(call: Call, kind: str, device: str) -> int:
    domain, how = call.arguments[0], {"force": True} if call.given("force") else {}
    return _done(call, call.operate("device.detach", domain=domain, kind=kind, device=device, **how))


def _done(call: Call, result: Mapping[str, Any]) -> int:
    if call.json and not call.dry_run:
        from xenclient.cli.xl.printing import write_json

        write_json(result)
    return 0
