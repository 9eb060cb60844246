"""Processors that a machine gets while it runs, of its device model (guests.md 1.5).

Whatever that says of them is looked at before it is given back to it.
"""

import re
from collections.abc import Iterator
from typing import Any

from xend.model.qmp import Conversation, QmpError, is_number_below

__all__ = ["count_processors", "plug_processors"]

_TYPE = re.compile(r"[a-z0-9_.-]{1,64}")
_PLACE = re.compile(r"[a-z]{1,16}-id")
_LEVELS = ("socket-id", "die-id", "core-id", "thread-id")
_MAX = 1 << 16


async def plug_processors(conversation: Conversation, vcpus: int) -> None:
    """Give the machine all below a number that it has not yet; what it has stays.

    They are counted in the order of their places, as some machines have many sockets, and others many cores.

    Raises:
        QmpError: it says nonsense, or refuses.
    """
    for number, kind, places in _missing(await conversation.ask("query-hotpluggable-cpus"), vcpus):
        await conversation.ask("device_add", id=f"cpu-{number}", driver=kind, **places)


async def count_processors(conversation: Conversation) -> int:
    """How many the machine has, which are the first ones: those that it got are never taken from it.

    Raises:
        QmpError: it says nonsense, or refuses.
    """
    placed = _placed(await conversation.ask("query-hotpluggable-cpus"))
    count = sum(is_there for _, _, is_there in placed)
    if not count or not all(is_there for _, _, is_there in placed[:count]):
        raise QmpError("query-hotpluggable-cpus: the processors that are there are not the first ones")
    return count


def _missing(found: Any, vcpus: int) -> Iterator[tuple[int, str, dict[str, int]]]:
    """(number, type, where it goes) of each that could be there and is not."""
    for number, (kind, places, is_there) in enumerate(_placed(found)[:vcpus]):
        if not is_there:
            yield number, kind, places


def _placed(found: Any) -> list[tuple[str, dict[str, int], bool]]:
    """(type, where it goes, whether it is there) of each, in the order of their places."""
    rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    placed = [(*_row(each), "qom-path" in each) for each in rows]
    placed.sort(key=lambda row: [row[1].get(key, 0) for key in _LEVELS])
    return placed


def _row(row: dict[str, Any]) -> tuple[str, dict[str, int]]:
    kind, props = row.get("type"), row.get("props")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or not isinstance(props, dict):
        raise QmpError("query-hotpluggable-cpus: it names no processor")
    places = {key: value for key, value in props.items() if _is_place(key, value)}
    if len(places) != len(props):
        raise QmpError("query-hotpluggable-cpus: it says not where a processor goes")
    return kind, places


def _is_place(key: object, value: object) -> bool:
    return isinstance(key, str) and _PLACE.fullmatch(key) is not None and is_number_below(value, _MAX)
