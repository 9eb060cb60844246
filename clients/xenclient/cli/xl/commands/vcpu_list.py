"""xl vcpu-list: the virtual CPUs of domains, where they run and where they may.

Source of the table: toolstack.md section 8.
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import JSON, Command
from xenclient.cli.xl.cpu_ranges import cpus_text
from xenclient.cli.xl.domains import name
from xenclient.cli.xl.each import from_each
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    #: As vcpu.list has it.
    Listed = Mapping[str, Any]

HEADER = f"{'Name':<32} {'ID':>5} {'VCPU':>5} {'CPU':>5} {'State':>5} {'Time(s)':>9} Affinity (Hard / Soft)"


def run(call: Call) -> int:
    def find(domain: str | int) -> Listed:
        found: Listed = call.client.call("vcpu.list", domain=domain)
        return found

    found, status = from_each(call, find) if call.arguments else (_of_all(call), 0)
    rows = [row(domain, vcpu) for domain in found for vcpu in domain["vcpus"]]
    if found or call.json:
        call.show(found, "\n".join([HEADER, *rows]) + "\n")
    return status


VCPU_LIST = Command("[DOM ...]", run, JSON)


def _of_all(call: Call) -> list[Listed]:
    """Those of all domains that live; one that ends meanwhile is left out."""
    found = []
    for domain in call.client.call("domain.list"):
        if domain["domid"] is None:
            continue
        try:
            found.append(call.client.call("vcpu.list", domain=domain["domid"]))
        except BusError as error:
            if error.code not in ("no_such_domain", "guest_died"):
                raise
    return found


def row(domain: Listed, vcpu: Mapping[str, Any]) -> str:
    """One virtual CPU; of one that is offline it is not told where it ran.

    There is no blank between its number and its CPU, as from Xen's xl.
    """
    where = f"{'-':>5} {'-':>3}-p "
    if vcpu["online"]:
        running, blocked = "r" if vcpu["running"] else "-", "b" if vcpu["blocked"] else "-"
        where = f"{vcpu['cpu']:>5} {running:>3}{blocked}- "
    seconds = vcpu["cpu_time_ns"] / 1e9
    hard, soft = (cpus_text(vcpu[key], domain["cpus"]) for key in ("hard_affinity", "soft_affinity"))
    which = f"{name(domain):<32} {domain['domid']:>5} {vcpu['number']:>5}"
    return f"{which}{where}{seconds:>9.1f}  {hard} / {soft}"
