"""xl sharing: memory that domains share with others.

Source of the table: Debian's xl 4.17 (tools/xl/xl_mem.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command
from xenclient.cli.xl.domain_table import mem_mib
from xenclient.cli.xl.domains import domid, listed, name, named_domains

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.domains import Domain

HEADER = "Name                                        ID   Mem Shared"


def run(call: Call) -> int:
    found, status = named_domains(call)
    if found or call.json or not call.arguments:
        call.show(found, "\n".join([HEADER, *map(row, listed(call, found))]) + "\n")
    return status


SHARING = Command("[DOM ...]", run, JSON)


def row(domain: Domain) -> str:
    """A domain; both figures in MiB."""
    return f"{name(domain):<40} {domid(domain):>5} {mem_mib(domain):5}  {domain['shared_kib'] // 1024:5}"
