"""xl domid and domname: from one to the other."""

from __future__ import annotations

from xenclient.cli.xl.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.call import Call


def domid(call: Call) -> int:
    """xl domid."""
    (domain,) = call.client.call("domain.list", domain=call.arguments[0])
    if domain["domid"] is None:
        from xenclient.cli.xl.listing import next_life

        raise Failure(f"{domain['name']} has no domid between two lives ({next_life(domain)})")
    call.show({"domid": domain["domid"]}, f"{domain['domid']}\n")
    return 0


def domname(call: Call) -> int:
    """xl domname."""
    word = call.arguments[0]
    if not (word.isascii() and word.isdigit()):
        raise call.usage(f"{word!r} is no domid")
    (domain,) = call.client.call("domain.list", domain=int(word))
    call.show({"name": domain["name"]}, f"{domain['name']}\n")
    return 0
