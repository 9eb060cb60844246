"""What happened to a device, in order: both ends' states, what was awaited, what its script said.

Kept for as long as the device is there, and for a while after it failed: `xl device-explain` and the error
of a failed attach tell it.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import attrs

from xend.device.device import Device
from xend.device.xenbus import XenbusState

#: Lines kept of one device; a guest may change its state as often as it likes.
LINES_MAX = 64
#: Devices that are gone whose stories are kept.
ENDED_MAX = 256


@attrs.define
class Story:
    """One device's.

    Attributes:
        device: as its nodes were written.
        lines: (seconds since 1970, text), oldest first; the first stays when there are too many.
        backend, frontend: the states heard last.
        error: why it failed, as a map of XendError's; None: it did not.
    """

    device: Device
    lines: deque[tuple[float, str]] = attrs.field(factory=deque)
    backend: XenbusState = XenbusState.UNKNOWN
    frontend: XenbusState = XenbusState.UNKNOWN
    dropped: int = 0
    error: dict[str, Any] | None = None

    def add(self, now: float, text: str) -> None:
        """A line."""
        self.lines.append((now, text))
        if len(self.lines) > LINES_MAX:
            first = self.lines.popleft()
            self.lines.popleft()
            self.lines.appendleft(first)
            self.dropped += 1

    def as_map(self) -> dict[str, Any]:
        """For the bus: {device, kind, devid, backend, frontend, lines, dropped, error}."""
        return {
            "device": self.device.name,
            "kind": self.device.kind,
            "devid": self.device.devid,
            "backend_state": int(self.backend),
            "frontend_state": int(self.frontend),
            "lines": [{"at": at, "text": text} for at, text in self.lines],
            "dropped": self.dropped,
            "error": self.error,
        }


class Stories:
    """Those of all devices, by domid and name."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._open: dict[tuple[int, str], Story] = {}
        self._ended: OrderedDict[tuple[int, str], Story] = OrderedDict()

    def begin(self, device: Device) -> None:
        """A device is put in, or taken up from another xend."""
        key = device.domid, device.name
        self._ended.pop(key, None)
        self._open[key] = Story(device)

    def tell(self, device: Device, text: str) -> None:
        """A line for a device's story; nothing happens where it has none."""
        if story := self.find(device.domid, device.name):
            story.add(self._wall_clock(), text)

    def state(self, device: Device, end: str, state: XenbusState) -> None:
        """An end ("backend", "frontend") has another state."""
        if story := self.find(device.domid, device.name):
            setattr(story, end, state)
            story.add(self._wall_clock(), f"{end}: {state}")

    def failed(self, device: Device, error: dict[str, Any]) -> None:
        """Its operation failed."""
        if story := self.find(device.domid, device.name):
            story.error = error
            story.add(self._wall_clock(), f"failed: {error['message']}")

    def end(self, device: Device) -> None:
        """It is gone; its story is kept for a while."""
        story = self._open.pop((device.domid, device.name), None)
        if story is not None:
            story.add(self._wall_clock(), "removed")
            self._ended[device.domid, device.name] = story
            if len(self._ended) > ENDED_MAX:
                self._ended.popitem(last=False)

    def find(self, domid: int, name: str) -> Story | None:
        """A device's story, whether it is there or gone."""
        return self._open.get((domid, name)) or self._ended.get((domid, name))
