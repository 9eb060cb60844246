"""xl domname: the name of a domid."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command


def run(call: Call) -> int:
    word = call.arguments[0]
    if not (word.isascii() and word.isdigit()):
        raise call.usage_error(f"{word!r} is no domid")
    (domain,) = call.client.call("domain.list", domain=int(word))
    call.show({"name": domain["name"]}, f"{domain['name']}\n")
    return 0


DOMNAME = Command("DOMID", run, JSON)
