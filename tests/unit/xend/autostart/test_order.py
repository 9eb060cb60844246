"""Who comes before whom."""

import random

import pytest

from xend.autostart.order import circles, drawn, in_order, without_circles

#: Names as given, what each comes after, the order.
ORDERS: list[tuple[str, dict[str, str], str]] = [
    ("abc", {}, "abc"),
    ("cab", {}, "cab"),
    ("abc", {"a": "c"}, "bca"),
    ("abc", {"a": "b", "b": "c"}, "cba"),
    ("abcd", {"a": "cd"}, "bcda"),
    ("abc", {"a": "xyz"}, "abc"),
    ("abc", {"a": "bb"}, "bac"),
    ("abc", {"a": "a"}, "bc"),
    ("abcd", {"a": "b", "b": "a", "c": "a"}, "d"),
    ("", {}, ""),
]


@pytest.mark.parametrize(("names", "after", "order"), ORDERS)
def test_the_order_keeps_to_the_one_given(names: str, after: dict[str, str], order: str) -> None:
    assert "".join(in_order(list(names), after)) == order


#: Names, what each comes after, the circles.
CIRCLES: list[tuple[str, dict[str, str], list[str]]] = [
    ("abc", {"a": "b", "b": "c"}, []),
    ("a", {"a": "a"}, ["a"]),
    ("abc", {"a": "b", "b": "c", "c": "a"}, ["abc"]),
    ("abcd", {"a": "b", "b": "c", "c": "b", "d": "a"}, ["bc"]),
    ("abcd", {"a": "b", "b": "a", "c": "d", "d": "c"}, ["ab", "cd"]),
    ("abc", {"a": "bc", "b": "a", "c": "a"}, ["ab"]),
]


@pytest.mark.parametrize(("names", "after", "expected"), CIRCLES)
def test_circles_are_found_whole(names: str, after: dict[str, str], expected: list[str]) -> None:
    assert ["".join(circle) for circle in circles(list(names), after)] == expected


def test_a_circle_is_drawn_from_its_beginning_to_it() -> None:
    assert drawn(["a", "b"]) == "a after b after a"
    assert drawn(["a"]) == "a after a"


@pytest.mark.parametrize("seed", range(50))
def test_what_is_made_by_chance(seed: int) -> None:
    chance = random.Random(seed)
    names = [str(number) for number in range(12)]
    after = {name: chance.sample(names, chance.choice([0, 0, 1, 2])) for name in names}
    order, found = in_order(names, after), circles(names, after)
    for name in order:
        assert all(order.index(before) < order.index(name) for before in after[name])
    left = [name for name in names if name not in order]
    assert bool(left) == bool(found)
    for circle in found:
        assert len(set(circle)) == len(circle)
        for name, before in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert before in after[name]
    for name in left:  # it is on one, or comes to one by the first that has no place
        while not any(name in circle for circle in found):
            name = next(before for before in after[name] if before in left)
    assert len(in_order(names, without_circles(names, after))) == len(names)


def test_a_long_chain_is_no_recursion() -> None:
    names = [str(number) for number in range(5000)]
    after = {name: [str(number + 1)] for number, name in enumerate(names)}
    assert in_order(names, after) == names[::-1]
    after["4999"] = ["0"]
    assert [len(circle) for circle in circles(names, after)] == [5000]
