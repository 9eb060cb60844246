"""Tables for scripts, --columns and --no-header: a line an item, its cells apart by tabulators.

No cell is empty or holds a tabulator, whatever others wrote into the store; what is not known is "-".
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import Option
from xenclient.cli.xl.printing import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMNS = Option("", "columns", "only these, apart by tabulators, for scripts: name,domid,...", "NAMES")
NO_HEADER = Option("", "no-header", "without the line of titles")


def chosen_columns(call: Call, names: Sequence[str]) -> list[str]:
    """What --columns was given, names with commas. Raises: Failure: one of them is not among `names`."""
    chosen = (call.value("columns") or "").split(",")
    for name in chosen:
        if name not in names:
            raise call.usage_error(f"--columns {name!r} is none of {', '.join(names)}")
    return chosen


def table(items: Iterable[Mapping[str, object]], columns: Sequence[str], with_header: bool) -> str:
    """The lines."""
    lines = [columns] if with_header else []
    lines += [[_cell(item[column]) for column in columns] for item in items]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else printable(str(value))
