"""Which domains are to be stopped, and who has to be down before whom."""

from collections.abc import Callable, Sequence

from xend.autostart.acts import Known
from xend.autostart.needs import needs
from xend.autostart.order import in_order, without_circles


def matching(known: Sequence[Known], word: str) -> list[Known]:
    """The domains that a word means: by their name, or else by that of the file they were made of."""
    named = [each for each in known if each.name == word]
    return named or [each for each in known if each.managed is not None and each.managed.source.name == word]


def key_of(known: Known) -> str:
    """What tells domains apart: strangers may have no UUID, and who is between two lives has no domid."""
    return known.uuid if known.domid is None else str(known.domid)


def by_age(known: Sequence[Known]) -> list[Known]:
    """The oldest first; those between two lives, which have no domid, last."""
    return sorted(known, key=lambda each: (each.domid is None, each.domid or 0, each.name))


def chosen(known: Sequence[Known], words: Sequence[str]) -> tuple[list[Known], list[str]]:
    """The domains that the words mean, each once and in the words' order, and the words that mean none."""
    found: dict[str, Known] = {}
    strange = []
    for word in dict.fromkeys(words):
        matches = matching(known, word)
        found |= {key_of(each): each for each in matches}
        if not matches:
            strange.append(word)
    return list(found.values()), strange


class Down:
    """The order in which domains go down.

    targets: in the order in which they would come up if no configuration said anything of it.

    Attributes:
        order: the reverse of that in which they would come up.
        dependents: by `key_of`, those that have to be down before.
    """

    def __init__(self, targets: Sequence[Known]) -> None:
        by_key = {key_of(each): each for each in targets}
        needs = {key: _needed(each, targets) for key, each in by_key.items()}
        after = without_circles(list(by_key), needs)
        self.order = [by_key[key] for key in reversed(in_order(list(by_key), after))]
        self.dependents: dict[str, list[Known]] = {key_of(each): [] for each in self.order}
        for each in self.order:
            for key in after[key_of(each)]:
                self.dependents[key].append(each)

    def lines(self, is_saved: Callable[[Known], bool]) -> list[str]:
        """For people: what would be done."""
        lines = []
        for each in self.order:
            names = ", ".join(other.name for other in self.dependents[key_of(each)])
            lines.append(
                f"{'save' if is_saved(each) else 'stop'} {each.name}" + (f" after {names}" if names else "")
            )
        return lines


def _needed(target: Known, targets: Sequence[Known]) -> list[str]:
    words = [] if target.managed is None else needs(target.managed.config)
    return [key_of(each) for word in words for each in matching(targets, word)]
