"""What device models have counted of the disks that they serve, of which nothing is believed.

They are asked at the socket that libxenstat's users have (guests.md 1.3), so that nobody who changes
something waits for who counts.  One that does not answer as it should, and at once, has counted nothing.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

import trio

from xend.counters import DiskCounters, Place
from xend.device.kinds import KINDS
from xend.errors import XendError
from xend.host import Host
from xend.model.models import Model
from xend.model.qmp import Conversation, QmpError, is_number_below
from xenstore.daemon.groups import alone

__all__ = ["counted_by_models"]

#: How long all of them may take together, in seconds: who looks does so every second or three.
ANSWER_SECONDS = 1.0
_SECTOR_BYTES = 512
_COUNT_MAX = 1 << 63
#: What qdisk calls the node of a disk: its name, and the format (hw/block/xen-block.c).
_NODE = re.compile(r"(.+)-[a-z0-9]+")


async def counted_by_models(host: Host) -> Mapping[Place, DiskCounters]:
    """Of all of them."""
    found: dict[Place, DiskCounters] = {}

    async def ask(model: Model, disks: Mapping[str, Place]) -> None:
        with suppress(OSError, QmpError):
            found.update(await _counted_by(host, model, disks))

    with trio.move_on_after(ANSWER_SECONDS), alone(XendError):
        async with trio.open_nursery() as nursery:
            for model in host.models:
                if not model.has_ended.is_set() and (disks := _disks_of(host, model)):
                    nursery.start_soon(ask, model, disks)
    return found


def _disks_of(host: Host, model: Model) -> dict[str, Place]:
    """Those that it serves, by their names."""
    devices = host.backends.of_domain(model.domid)
    return {
        device.name.removeprefix(KINDS[device.kind].label("")): (device.domid, device.devid)
        for device in devices
        if KINDS[device.kind].is_disk and KINDS[device.kind].is_of_model(device)
    }


async def _counted_by(host: Host, model: Model, disks: Mapping[str, Place]) -> dict[Place, DiskCounters]:
    stream = await host.models.system.connect(host.models.place(model.domid).statistics)
    try:
        conversation = Conversation(stream)
        await conversation.begin()
        return dict(_read(disks, await conversation.ask("query-blockstats")))
    finally:
        await trio.aclose_forcefully(stream)


def _read(disks: Mapping[str, Place], answer: object) -> Iterator[tuple[Place, DiskCounters]]:
    """Raises: QmpError: it is no such answer."""
    for each in answer if isinstance(answer, list) else ():
        name, counted = (each.get(key) if isinstance(each, dict) else None for key in ("node-name", "stats"))
        node = _NODE.fullmatch(name) if isinstance(name, str) else None
        if node is not None and node[1] in disks and isinstance(counted, dict):
            yield (
                disks[node[1]],
                DiskCounters(
                    out_of_requests=None,
                    reads=_count(counted, "rd_operations"),
                    writes=_count(counted, "wr_operations"),
                    read_sectors=_count(counted, "rd_bytes") // _SECTOR_BYTES,
                    written_sectors=_count(counted, "wr_bytes") // _SECTOR_BYTES,
                ),
            )


def _count(counted: dict[str, object], name: str) -> int:
    value = counted.get(name)
    if not is_number_below(value, _COUNT_MAX):
        raise QmpError(f"query-blockstats: {name} is no number")
    return value
