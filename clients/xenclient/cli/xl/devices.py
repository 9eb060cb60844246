"""xl network-attach and -detach, block-attach and -detach: a device put in or taken out of a domain.

The words that describe it are joined by commas: what Xen's xl takes as one word with commas, xl as several
words, and xm by place (BACKEND-DEVICE VDEV MODE [BACKEND-DOMAIN]) are the same then.  xend parses it.
"""

from __future__ import annotations

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
        words[0] = words[0].removeprefix(DEVICE_DIRECTORY)
    return _attach(call, "vbd", [target, *words])


def block_detach(call: Call) -> int:
    """xl block-detach."""
    return _detach(call, "vbd", call.arguments[1].removeprefix(DEVICE_DIRECTORY))


def joined(words: list[str]) -> str:
    """The words as one specification; a comma that ends a word is not doubled."""
    return ",".join([*(word.removesuffix(",") for word in words[:-1]), *words[-1:]])


def _attach(call: Call, kind: str, words: list[str]) -> int:
    domain, spec = call.arguments[0], joined(words)
    return _done(call, call.operate("device.attach", domain=domain, kind=kind, spec=spec))


def _detach(call: Call, kind: str, device: str) -> int:
    domain, how = call.arguments[0], {"force": True} if call.given("force") else {}
    return _done(call, call.operate("device.detach", domain=domain, kind=kind, device=device, **how))


def _done(call: Call, result: Mapping[str, Any]) -> int:
    if call.json and not call.dry_run:
        from xenclient.cli.xl.printing import write_json

        write_json(result)
    return 0
