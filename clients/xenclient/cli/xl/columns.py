"""The columns that the options of xl list add. What the bus does not tell of a domain is "-".

Source: toolstack.md section 8.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.call import Call
    from xenclient.cli.xl.listing import Columns, Domain

VERBOSE = "   UUID                            Reason-Code\tSecurity Label"
LABEL = "   Security Label"
CPUPOOL = "         Cpupool"
NODES = " NODE Affinity"


def chosen(call: Call) -> list[Columns]:
    """In the order in which xl prints them."""
    found: list[Columns] = []
    if call.given("verbose"):
        found.append((VERBOSE, verbose))
    elif call.given("context"):
        found.append((LABEL, label))
    if call.given("cpupool"):
        found.append((CPUPOOL, cpupool))
    if call.given("numa"):
        found.append((NODES, nodes))
    return found


def verbose(domain: Domain) -> str:
    """UUID, the number of the shutdown reason, label."""
    reason = domain["shutdown_reason"] if domain["shutdown"] else None
    number = "-" if reason is None else f"{reason:x}"
    return f" {domain['uuid']} {number:>8}{label(domain)}"


def label(domain: Domain) -> str:
    """The security label."""
    return f" {domain.get('security_label', '-'):>16}"


def cpupool(domain: Domain) -> str:
    """The cpupool's name."""
    return f"{domain.get('cpupool', '-'):>16}"


def nodes(domain: Domain) -> str:
    """The NUMA nodes it keeps to."""
    return f" {domain.get('node_affinity', '-')}"
