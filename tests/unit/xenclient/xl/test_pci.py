"""xl pci-*: what xend is asked, and the exact bytes of the lists, which are those of Debian's xl 4.17."""

from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend


def test_the_lists(xl: Xl, xend: FakeXend) -> None:
    xend.answers["pci.list"] = []
    assert xl("pci-list", "d1") == (0, "", "")
    xend.answers["pci.list"] = [
        {"address": "0000:00:05.0", "slot": 0, "function": 0, "state": "3"},
        {"address": "0000:01:00.1", "slot": 31, "function": 1, "state": "3"},
    ]
    assert xl("pci-list", "d1") == (0, "Vdev Device\n00.0 0000:00:05.0\n1f.1 0000:01:00.1\n", "")
    xend.answers["pci.assignable"] = [
        {"address": "0000:00:05.0", "name": "lan"}, {"address": "0000:01:00.1", "name": None},
    ]  # fmt: skip
    assert xl("pci-assignable-list") == (0, "0000:00:05.0 \n0000:01:00.1 \n", "")
    assert xl("pci-assignable-list", "-n") == (0, "0000:00:05.0 lan\n0000:01:00.1 \n", "")


CHANGES: list[tuple[list[str], str, dict[str, Any]]] = [
    (["pci-attach", "d1", "01:00.0"], "attach", {"spec": "01:00.0"}),
    (["pci-attach", "d1", "lan", "permissive=1"], "attach", {"spec": ["lan", "permissive=1"]}),
    (["pci-detach", "d1", "01:00.*"], "detach", {"spec": "01:00.*"}),
    (["pci-detach", "-f", "d1", "name=lan"], "detach", {"spec": "name=lan", "force": True}),
]


@pytest.mark.parametrize(("words", "verb", "asked"), CHANGES)
def test_what_changes_a_domain(
    xl: Xl, xend: FakeXend, words: list[str], verb: str, asked: dict[str, Any]
) -> None:
    assert xl(*words) == (0, "", "")
    assert xend.asked == [(f"pci.{verb}", {"domain": "d1", **asked})]


CALLS: list[tuple[list[str], list[tuple[str, dict[str, Any]]]]] = [
    (["pci-assignable-add", "01:00.0", "2:0.0"],
     [("pci.make_assignable", {"device": "01:00.0"}), ("pci.make_assignable", {"device": "2:0.0"})]),
    (["pci-assignable-add", "-n", "lan", "01:00.0"],
     [("pci.make_assignable", {"device": "01:00.0", "name": "lan"})]),
    (["pci-assignable-remove", "lan"], [("pci.make_unassignable", {"device": "lan"})]),
    (["pci-assignable-remove", "-r", "01:00.0"],
     [("pci.make_unassignable", {"device": "01:00.0", "rebind": True})]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "asked"), CALLS)
def test_what_xend_is_asked(xl: Xl, xend: FakeXend, words: list[str], asked: Any) -> None:
    assert xl(*words) == (0, "", "")
    assert xend.asked == asked


def test_a_name_is_for_one(xl: Xl, xend: FakeXend) -> None:
    status, _, said = xl("pci-assignable-add", "-n", "lan", "01:00.0", "01:00.1")
    assert status != 0
    assert "a name is for one device" in said
    assert not xend.asked
