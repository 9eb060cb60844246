"""xl dmesg: the hypervisor's messages, as it wrote them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenclient.cli.xl.call import Call


def dmesg(call: Call) -> int:
    """xl dmesg."""
    # A socket that only reads refuses `clear`, even false.
    parameters: dict[str, Any] = {"clear": True} if call.given("clear") and not call.dry_run else {}
    messages = call.client.call("host.dmesg", **parameters)
    call.show(messages, messages["text"])
    return 0
