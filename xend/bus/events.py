"""The event stream: numbered, kept for a while, resumable; a listener that falls behind is told so.

An event is packed once, when it happens, for all who listen: what its fields point to may change afterwards.
"""

from collections import deque
from collections.abc import Callable, Iterable

import attrs
import trio
from sortedcontainers import SortedDict

from xend.bus.messages import notification
from xend.errors import XendError
from xenstore.daemon.text import one_line

#: Events that may be resumed after, and events that may wait unsent for one listener (docs/bus.md, "Events").
KEPT = 10_000
UNSENT_MAX = 1000


@attrs.frozen
class Event:
    """Attributes:
    message: the notification, packed.
    """

    seq: int
    kind: str
    message: bytes


class EventLog:
    """All events of this xend, the last of them kept.

    Attributes:
        last_seq: of the newest event.  Start it at a number that rises from one xend to the next (the clock's
            milliseconds): who resumes after an event of the one before then hears that it is forgotten.
    """

    def __init__(self, kept: int = KEPT, last_seq: int = 0) -> None:
        self.last_seq = last_seq
        self._kept_max = kept
        self._kept: SortedDict[int, Event] = SortedDict()
        self._forgotten_seq = last_seq
        self._subscriptions: dict[Subscription, None] = {}

    def publish(self, kind: str, what: str, **fields: object) -> int:
        """Tell all listeners, and keep it for those to come; returns its seq."""
        event = self._event(kind, what, fields)
        self._kept[event.seq] = event
        if len(self._kept) > self._kept_max:
            self._forgotten_seq, _ = self._kept.popitem(0)
        for subscription in list(self._subscriptions):
            if subscription.wants(kind):
                subscription.offer(event)
        return event.seq

    def publish_to(self, subscription: "Subscription", kind: str, what: str, **fields: object) -> int:
        """Tell one listener; not kept, since whoever resumes sets his watches anew.  Returns its seq."""
        event = self._event(kind, what, fields)
        subscription.offer(event)
        return event.seq

    def subscribe(self, since: int | None = None, kinds: Iterable[str] | None = None) -> "Subscription":
        """The events after `since`, or from now on; of these kinds, or all.

        Raises:
            XendError: too_slow: events after `since` are forgotten, or it is a seq of another xend's.
        """
        start = self.last_seq if since is None else since
        if start < self._forgotten_seq:
            oldest = next(iter(self._kept), self.last_seq + 1)
            raise XendError(
                "too_slow",
                f"events after {start} are no longer kept: the oldest is {oldest}",
                hint="read the present state, then listen without since",
            )
        if start > self.last_seq:
            raise XendError(
                "too_slow",
                f"event {start} has not happened: the last is {self.last_seq}",
                hint="xend was started anew: read the present state, then listen without since",
            )
        wanted = None if kinds is None else frozenset(kinds)
        after = (self._kept[seq] for seq in self._kept.irange(minimum=start + 1))
        backlog = [event for event in after if wanted is None or event.kind in wanted]
        subscription = Subscription(start, backlog, wanted, self._subscriptions.pop)
        self._subscriptions[subscription] = None
        return subscription

    def _event(self, kind: str, what: str, fields: dict[str, object]) -> Event:
        assert "seq" not in fields, fields
        self.last_seq += 1
        texts = {name: one_line(value) if isinstance(value, str) else value for name, value in fields.items()}
        message = notification("event", {"seq": self.last_seq, "kind": kind, "what": what, **texts})
        return Event(self.last_seq, kind, message)


class Subscription:
    """One listener's part of the stream.

    Attributes:
        seq: of the last event before it.
        on_too_slow: called once, when more events wait than a listener may leave; nothing comes after that.
    """

    def __init__(
        self,
        seq: int,
        backlog: Iterable[Event],
        kinds: frozenset[str] | None,
        forget: Callable[["Subscription", None], object],
    ) -> None:
        self.seq = seq
        self.on_too_slow: Callable[[], object] = lambda: None
        self._kinds = kinds
        self._forget = forget
        #: What had happened before it listened; does not count as waiting.
        self._backlog = deque(backlog)
        self._unsent: deque[Event] = deque()
        self._is_too_slow = False
        self._filled = trio.lowlevel.ParkingLot()

    def wants(self, kind: str) -> bool:
        """Whether it listens to this kind."""
        return self._kinds is None or kind in self._kinds

    def offer(self, event: Event) -> None:
        """Have another event to take."""
        if self._is_too_slow:
            return
        self._unsent.append(event)
        self._filled.unpark_all()
        if len(self._unsent) >= UNSENT_MAX:
            self._is_too_slow = True
            self.close()
            self.on_too_slow()

    async def wait(self) -> None:
        """Wait until there is an event to take."""
        while not self.first():
            await self._filled.park()

    def first(self) -> Event | None:
        """The oldest event that was not taken."""
        queue = self._backlog or self._unsent
        return queue[0] if queue else None

    def take(self) -> None:
        """Be done with the oldest event."""
        (self._backlog or self._unsent).popleft()

    def close(self) -> None:
        """Listen no more."""
        self._forget(self, None)
