"""xl.cfg(5) says of every option what the table says."""

import re
from pathlib import Path

from xend.config.options import OPTIONS

PAGE = (Path(__file__).parents[4] / "docs/man/xl.cfg.5").read_text()


def listed(begin: str) -> set[str]:
    """The words of the list that follows a line."""
    lines = PAGE[PAGE.index(f"\n{begin}\n") + len(begin) + 2 :].splitlines()
    end = next(index for index, line in enumerate(lines) if not line.startswith(".Li "))
    return set(re.findall(r"[a-z0-9_]+", " ".join(line.removeprefix(".Li") for line in lines[:end])))


def names(*, guest: bool, protects: bool = False, only: tuple[str, ...] | None = None) -> set[str]:
    return {
        option.name
        for option in OPTIONS.values()
        if not option.is_here
        and option.protects == protects
        and option.has_effect("pv") == guest
        and only in (None, tuple(str(each) for each in option.asks_for_nothing if each != ""))
    }


def test_what_is_taken() -> None:
    assert listed("These have no effect on a paravirtual domain, whatever their value:") == names(guest=False)


def test_what_is_refused() -> None:
    nothing, zero = names(guest=True, only=()), names(guest=True, only=("0",))
    assert listed("None at all, but an empty list or text, of") == nothing
    assert listed("Nothing but 0, of") == zero
    table = re.findall(r"\n\.It Li (\w+)\n\.Cm (.*)", PAGE)
    assert {name for name, _ in table} == names(guest=True) - nothing - zero
    for name, values in table:
        assert values.split(" , ") == [str(each) for each in OPTIONS[name].asks_for_nothing if each != ""]


def test_what_protects() -> None:
    assert listed("or an empty text, is an error.") == names(guest=True, protects=True)


def test_what_is_read() -> None:
    """Each has an item of its own."""
    items = " ".join(line for line in PAGE.splitlines() if line.startswith(".It Li"))
    for option in OPTIONS.values():
        assert not option.is_here or re.search(rf"\b{option.name}\b", items), option.name
