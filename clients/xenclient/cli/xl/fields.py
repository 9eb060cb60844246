"""xl list --columns: chosen facts of domains, for scripts: a line a domain, its cells apart by tabulators.

No cell is empty or holds a tabulator, whatever others wrote into the store; what is not known is "-".
"""

from __future__ import annotations

from xenclient.cli.xl import listing
from xenclient.cli.xl.printing import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xenclient.cli.xl.call import Call
    from xenclient.cli.xl.listing import Domain

#: The names of columns: keys of the bus's domain map, and "flags", the letters of xl list.
NAMES = (
    "name", "domid", "uuid", "type", "state", "flags", "shutdown_reason", "memory_kib", "outstanding_kib",
    "max_memory_kib", "vcpus", "max_vcpus", "cpu_time_ns", "start_time", "uptime_s", "operation",
)  # fmt: skip


def chosen(call: Call, words: str) -> list[str]:
    """The columns of a list with commas. Raises: Failure: one of them is none."""
    names = words.split(",")
    for name in names:
        if name not in NAMES:
            raise call.usage(f"--columns {name!r} is none of {', '.join(NAMES)}")
    return names


def text(found: Iterable[Domain], names: Sequence[str], with_header: bool) -> str:
    """The lines."""
    lines = [names] if with_header else []
    lines += [[_cell(domain, name) for name in names] for domain in found]
    return "".join("\t".join(line) + "\n" for line in lines)


def maps(found: Iterable[Domain], names: Iterable[str]) -> list[dict[str, object]]:
    """The same for --json."""
    return [{name: _value(domain, name) for name in names} for domain in found]


def _cell(domain: Domain, name: str) -> str:
    value = listing.name(domain) if name == "name" else _value(domain, name)
    return "-" if value is None or value == "" else printable(str(value))


def _value(domain: Domain, name: str) -> object:
    return listing.flags(domain) if name == "flags" else domain[name]
