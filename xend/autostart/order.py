"""Who comes before whom: an order that keeps to the one given, and circles in what has none."""

import heapq
from collections.abc import Iterable, Mapping, Sequence

#: By name: those that come before it.
After = Mapping[str, Sequence[str]]


def in_order(names: Sequence[str], after: After) -> list[str]:
    """The names so that each stands after those it comes after, and else as they were given.

    Those on a circle, and those that come after one, are left out.
    """
    place = {name: index for index, name in enumerate(names)}
    missing = {name: len(set(_within(after, name, place))) for name in names}
    followers: dict[str, list[str]] = {}
    for name in names:
        for before in set(_within(after, name, place)):
            followers.setdefault(before, []).append(name)
    free = [place[name] for name in names if not missing[name]]
    found = []
    while free:
        name = names[heapq.heappop(free)]
        found.append(name)
        for follower in followers.get(name, ()):
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(free, place[follower])
    return found


def circles(names: Sequence[str], after: After) -> list[list[str]]:
    """Circles, each whole: every name comes after the next one, the last after the first.

    Not all that can be found: enough that each name without a place in the order is on one of them, or comes
    after one that is, through the first of those it comes after that has no place either.
    """
    left = dict.fromkeys(names)
    for name in in_order(names, after):
        del left[name]
    found: list[list[str]] = []
    seen: set[str] = set()
    for name in left:
        way: list[str] = []
        while name not in seen:
            seen.add(name)
            way.append(name)
            name = _within(after, name, left)[0]
        if name in way:
            found.append(way[way.index(name) :])
    return found


def without_circles(names: Sequence[str], after: After) -> dict[str, list[str]]:
    """The same with the circles cut: who is on one waits for no other that is."""
    cut = {name: _within(after, name, set(names)) for name in names}
    while rings := circles(names, cut):
        for ring in rings:
            for name in ring:
                cut[name] = [before for before in cut[name] if before not in ring]
    return cut


def drawn(circle: Sequence[str]) -> str:
    """ "a after b after a"."""
    return " after ".join([*circle, circle[0]])


def _within(after: After, name: str, names: Iterable[str]) -> list[str]:
    return [before for before in after.get(name, ()) if before in names]
