"""The same for several domains: an error of one does not keep the others from theirs."""

from __future__ import annotations

from xenclient.cli.xl.errors import log_error
from xenclient.xend.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from xenclient.cli.xl.call import Call

    Item = TypeVar("Item")


def for_each(call: Call, items: Iterable[Item], action: Callable[[Item], object]) -> int:
    """Call `action` with each; what xend refuses is logged. Returns 1 if it refused one, else 0."""
    status = 0
    for item in items:
        try:
            action(item)
        except BusError as error:
            log_error(error, call.settings)
            status = 1
    return status


def from_each(call: Call, find: Callable[[str], Item]) -> tuple[list[Item], int]:
    """What `find` returns for each argument; and 1 if xend refused one of several, which is logged, else 0.

    Raises:
        BusError: xend refused the only one.
    """
    if len(call.arguments) == 1:
        return [find(call.arguments[0])], 0
    found: list[Item] = []
    status = for_each(call, call.arguments, lambda argument: found.append(find(argument)))
    return found, status
