"""Permission entries."""

import pytest

from xenclient.store.perms import Perm


@pytest.mark.parametrize("text", ["r0", "n3", "b5", "w32757", "r-5"])
def test_text_and_entry(text: str) -> None:
    perm = Perm.parse(text)
    assert str(perm) == text
    assert perm == Perm(text[0], int(text[1:]))
    assert (perm.access, perm.domid) == (text[0], int(text[1:]))


@pytest.mark.parametrize("text", ["", "r", "x0", "0", "r 0", "r0 ", "rr0", "r--1", "r٣", "R0"])
def test_what_spells_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Perm.parse(text)


def test_entries_are_values() -> None:
    assert {Perm("r", 1), Perm.parse("r1")} == {Perm("r", 1)}
    assert repr(Perm("b", 7)) == "Perm('b', 7)"
    with pytest.raises(AttributeError):
        Perm("r", 1).domid = 2  # type: ignore[misc]
