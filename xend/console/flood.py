"""A bound on how often one guest can make xend look at its console."""

__all__ = ["EVENTS_PER_PERIOD", "PERIOD_SECONDS", "FloodGate"]

#: As xenconsoled: so many notifications count in a period, further ones wait for its end.  With a ring of
#: 2048 bytes a guest gets about 300 KiB/s out, whatever it does.
EVENTS_PER_PERIOD = 30
PERIOD_SECONDS = 0.2


class FloodGate:
    """Counts one console's notifications; knows the time only from its caller."""

    def __init__(self) -> None:
        self._period_end = 0.0
        self._events = 0

    def pause_seconds(self, now: float) -> float:
        """Count a notification at `now` (seconds of any steady clock).

        Returns how long the console must not be looked at; 0 as long as its guest is no flood.
        """
        if now >= self._period_end:
            self._period_end = now + PERIOD_SECONDS
            self._events = 0
        self._events += 1
        return self._period_end - now if self._events > EVENTS_PER_PERIOD else 0.0
