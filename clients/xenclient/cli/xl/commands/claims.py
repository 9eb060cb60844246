"""xl claims: memory that is set aside for domains, and is not theirs yet.

Source of the table: Debian's xl 4.17 (tools/xl/xl_info.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command
from xenclient.cli.xl.domain_table import CLAIMED, table
from xenclient.cli.xl.domains import listed

CLAIMS = Command("", lambda call: run(call), JSON)


def run(call: Call) -> int:
    found = call.client.call("domain.list")
    call.show(found, table(listed(call, found), [CLAIMED], call.settings.program))
    return 0
