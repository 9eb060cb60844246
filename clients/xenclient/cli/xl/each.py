"""The same for several domains: one that fails does not keep the others from theirs."""

from __future__ import annotations

from xenclient.cli.xl.report import described, tell
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from xenclient.cli.xl.call import Call

    Item = TypeVar("Item")


def for_each(call: Call, items: Iterable[Item], action: Callable[[Item], object]) -> int:
    """Do it to each; refusals are told. Returns 1 if there were any, else 0."""
    status = 0
    settings = call.settings
    for item in items:
        try:
            action(item)
        except BusError as error:
            tell(described(error, settings), settings.program)
            status = 1
    return status
