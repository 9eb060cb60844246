"""How many notifications count."""

from xend.console.flood import EVENTS_PER_PERIOD, PERIOD_SECONDS, FloodGate


def test_a_flood_waits_for_the_end_of_the_period() -> None:
    gate = FloodGate()
    pauses = [gate.pause_seconds(100.0 + number / 1000) for number in range(EVENTS_PER_PERIOD + 1)]
    assert pauses[:-1] == [0.0] * EVENTS_PER_PERIOD
    assert pauses[-1] == 100.0 + PERIOD_SECONDS - (100.0 + EVENTS_PER_PERIOD / 1000)
    assert gate.pause_seconds(100.0 + PERIOD_SECONDS) == 0.0


def test_who_speaks_seldom_never_waits() -> None:
    gate = FloodGate()
    step = PERIOD_SECONDS / (EVENTS_PER_PERIOD - 1)
    assert all(gate.pause_seconds(number * step) == 0.0 for number in range(1000))
