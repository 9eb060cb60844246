"""xl vm-list: UUID, domid and name of all domains."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command
from xenclient.cli.xl.domains import domid, listed, name

HEADER = "UUID                                  ID    name"


def run(call: Call) -> int:
    found = call.client.call("domain.list")
    rows = [f"{domain['uuid']}  {domid(domain)}    {name(domain):<30}" for domain in listed(call, found)]
    call.show(found, "\n".join([HEADER, *rows]) + "\n")
    return 0


VM_LIST = Command("", run, JSON)
