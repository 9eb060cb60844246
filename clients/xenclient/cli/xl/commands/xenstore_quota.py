"""xl xenstore-quota-get and xenstore-quota-set: what domains may take of the store.

Source of the table: the newest xl (tools/xl/xl_xsquota.c); 4.17 has neither.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command, Option
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.operation import change

HEADER = "Quota name           Quota value\n--------------------------------\n"
GLOBAL = Option("g", "global", "of all domains that have none of their own")


def get(call: Call) -> int:
    quotas = call.client.call("quota.list", domain=_domain(call, call.arguments[:1]))
    if len(call.arguments) > (0 if call.given("global") else 1):
        raise call.usage_error(f"{call.arguments[-1]!r} is too much")
    call.show(quotas, HEADER + "".join(f"{name:<20} {value:8}\n" for name, value in quotas.items()))
    return 0


def set_(call: Call) -> int:
    words = call.arguments if call.given("global") else call.arguments[1:]
    domain = _domain(call, call.arguments[:1])
    if not words:
        raise call.usage_error("needs NAME=VALUE")
    values = {}
    for word in words:
        name, is_there, value = word.partition("=")
        if not is_there or not name:
            raise call.usage_error(f"{word!r} is not NAME=VALUE")
        values[name] = whole(call, name, value)
    who = "all domains" if domain is None else domain
    step = f"set what {who} may take of the store: {' '.join(words)}"
    change(call, "quota.set", step, domain=domain, values=values)
    return 0


def _domain(call: Call, words: list[str]) -> str | None:
    """The domain that is named; None: --global was given."""
    if call.given("global"):
        return None
    if not words:
        raise call.usage_error("needs a domain, or -g")
    return words[0]


XENSTORE_QUOTA_GET = Command("DOM|-g", get, GLOBAL, JSON, least=0, most=1)
XENSTORE_QUOTA_SET = Command("DOM|-g NAME=VALUE ...", set_, GLOBAL, DRY_RUN, JSON, least=1)
