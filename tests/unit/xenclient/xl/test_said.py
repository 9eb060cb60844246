"""What shutdown and reboot say on standard error: Xen's own words; and xm's options."""

from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl, xl_with_all
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain


@pytest.fixture
def all_of_xl(
    xend: FakeXend, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Xl:
    xend.domains[2] = domain(2, "d2")
    return xl_with_all(xend, monkeypatch, capfdbinary)


ENDED = "Domain 1 has been shut down, reason code 0\n"
ENDED_2 = ENDED.replace("1", "2")
DOWN, AGAIN, BOTH = "domain.shutdown", "domain.reboot", "Shutting down domain 1\nShutting down domain 2\n"


@pytest.mark.parametrize(
    ("words", "said", "methods"),
    [
        ("shutdown d1", "Shutting down domain 1\n", [DOWN]),
        ("shutdown -w d1", "Shutting down domain 1\nWaiting for 1 domains\n" + ENDED, [DOWN]),
        ("shutdown --wait --halt d1", "Shutting down domain 1\nWaiting for 1 domains\n" + ENDED, [DOWN]),
        ("shutdown -H d1", "Shutting down domain 1\n", [DOWN]),
        ("shutdown -R d1", "Rebooting domain 1\n", [AGAIN]),
        ("shutdown --reboot -w d1", "Rebooting domain 1\nWaiting for 1 domains\n" + ENDED, [AGAIN]),
        ("reboot 2", "Rebooting domain 2\n", [AGAIN]),
        ("shutdown -a", BOTH, [DOWN] * 2),
        ("shutdown d1 d2", BOTH, [DOWN] * 2),
        ("shutdown -aw", BOTH + "Waiting for 2 domains\n" + ENDED + ENDED_2, [DOWN] * 4),
        ("shutdown -R --all", "Rebooting domain 1\nRebooting domain 2\n", [AGAIN] * 2),
        ("shutdown -N d1", "", [DOWN]),
        ("-N shutdown -aw", "", [DOWN] * 2),
        (
            "shutdown d0 d1",
            "xl: no domain d0 (xl list shows those there are)\nShutting down domain 1\n",
            [DOWN],
        ),
        ("shutdown -H -R d1", "xl: shutdown: -H has it stay down, -R has it start again: one of them", []),
    ],
)
def test_said(all_of_xl: Xl, xend: FakeXend, words: str, said: str, methods: list[str]) -> None:
    status, _, errors = all_of_xl(*words.split())
    assert errors == said or (said and not methods and errors.startswith(said))
    assert status == ("xl:" in said)
    assert [method for method, _ in xend.asked][: len(methods)] == methods
    if not words.endswith(("-a", "--all")) and "d2" not in words and "d0" not in words:
        assert len(xend.asked) == len(methods)


def test_by_the_name_of_xm(all_of_xl: Xl, xend: FakeXend) -> None:
    assert all_of_xl("shutdown", "-R", "-w", "d1", program_name="xm")[0] == 0
    asked: list[tuple[str, dict[str, Any]]] = xend.asked
    assert asked == [(AGAIN, {"domain": "d1", "wait": True})]


def test_between_two_lives_it_has_no_number(all_of_xl: Xl, xend: FakeXend) -> None:
    xend.domains[1] |= {"domid": None, "state": "waiting"}
    assert all_of_xl("shutdown", "d1") == (0, "", "Shutting down domain d1\n")


@pytest.mark.parametrize(
    ("reason", "said"),
    [(1, "Domain 1 has been shut down, reason code 1\n"), (None, "Domain 1 has been destroyed\n")],
)
def test_how_it_ended(all_of_xl: Xl, xend: FakeXend, reason: int | None, said: str) -> None:
    xend.shutdown_reason = reason
    assert all_of_xl("reboot", "-w", "d1")[2].endswith("Waiting for 1 domains\n" + said)


def test_of_one_between_two_lives_nothing_is_known(all_of_xl: Xl, xend: FakeXend) -> None:
    xend.domains[1] |= {"domid": None, "state": "waiting"}
    said = "Shutting down domain d1\nWaiting for 1 domains\n"
    assert all_of_xl("shutdown", "-w", "d1") == (0, "", said)
