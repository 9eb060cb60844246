"""xl domid: the domid of a name."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command
from xenclient.cli.xl.failure import Failure


def run(call: Call) -> int:
    (domain,) = call.client.call("domain.list", domain=call.arguments[0])
    if domain["domid"] is None:
        from xenclient.cli.xl.domains import next_life

        raise Failure(f"{domain['name']} has no domid between two lives ({next_life(domain)})")
    call.show({"domid": domain["domid"]}, f"{domain['domid']}\n")
    return 0


DOMID = Command("NAME", run, JSON)
