"""xl dmesg: the hypervisor's messages, as it wrote them."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(call: Call) -> int:
    # A socket that only reads refuses `clear`, even false.
    parameters: dict[str, Any] = {"clear": True} if call.given("clear") and not call.dry_run else {}
    messages = call.client.call("host.dmesg", **parameters)
    call.show(messages, messages["text"])
    return 0


DMESG = Command("", run, Option("c", "clear", "forget them afterwards"), JSON)
