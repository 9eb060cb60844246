"""What sees what is wrong in the other suites of this folder does."""

import pytest

from tests.crash.events import KEPT, Events


def events(*numbers: int) -> Events:
    told = Events(b"/x", b"t")
    told.take(b"/x")
    for number in numbers:
        told.take(b"/x/%d" % number)
    return told


@pytest.mark.parametrize(
    "numbers",
    [(), (0, 1, 2), (10, 2, 11, 3, 12), (10, 11, 3, 12), (2, 11, 3, 12), (2, 11, 12, 4, 13)],
)
def test_what_may_be(numbers: tuple[int, ...]) -> None:
    assert KEPT == 8
    assert events(*numbers).made == (numbers[-1] if numbers else None)


@pytest.mark.parametrize(
    "numbers", [(10, 10), (10, 12), (10, 2, 2), (10, 3), (10, 2, 11, 2), (10, 11, 10), (10, 11, 3, 3)]
)
def test_what_may_not(numbers: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError):
        events(*numbers)


def test_a_second_first_event() -> None:
    with pytest.raises(AssertionError):
        events(5).take(b"/x")
    with pytest.raises(AssertionError):
        Events(b"/x", b"t").take(b"/x/5")


def test_the_end() -> None:
    assert events().is_complete(7)
    assert events(11, 12).is_complete(12)
    assert events(4).is_complete(12)  # the watch came between the making and the removal
    assert not events(11, 12).is_complete(13)
    assert not events(3, 12, 4).is_complete(13)
    assert not events(4).is_complete(13)


def test_a_gap_between_two_watches() -> None:
    second = events(11, 12)
    second.follow(events(10, 11, 12))
    with pytest.raises(AssertionError):
        second.follow(events(10, 11))
