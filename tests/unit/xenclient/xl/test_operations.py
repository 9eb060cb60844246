"""What changes a domain: what xend is asked, dry runs, refusals."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain
from xenclient.cli.xl.sizes import kib
from xenclient.xend.errors import BusError

Progress = Callable[[dict[str, Any]], object] | None
DONE = (0, "", "")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["destroy", "d1"], ("domain.destroy", {"domain": "d1"})),
        (["destroy", "-f", "d1"], ("domain.destroy", {"domain": "d1"})),
        (["pause", "1"], ("domain.pause", {"domain": "1"})),
        (["unpause", "d1"], ("domain.unpause", {"domain": "d1"})),
        (["rename", "d1", "d3"], ("domain.rename", {"domain": "d1", "name": "d3"})),
        (["mem-set", "d1", "64"], ("domain.set_memory", {"domain": "d1", "target_kib": 65_536})),
        (["mem-max", "d1", "64"], ("domain.set_max_memory", {"domain": "d1", "max_memory_kib": 65_536})),
        (["sysrq", "d1", "h"], ("domain.sysrq", {"domain": "d1", "letter": "h"})),
        (["shutdown", "d1"], ("domain.shutdown", {"domain": "d1"})),
        (["shutdown", "-w", "d1"], ("domain.shutdown", {"domain": "d1", "wait": True})),
        (["shutdown", "d1", "-Fw"], ("domain.shutdown", {"domain": "d1", "wait": True, "force": True})),
        (["reboot", "-F", "d1"], ("domain.reboot", {"domain": "d1", "force": True})),
    ],
)
def test_asked(xl: Xl, xend: FakeXend, words: list[str], asked: tuple[str, dict[str, object]]) -> None:
    assert xl(*words) == DONE
    assert xend.asked == [asked]


@pytest.mark.parametrize(
    "words",
    [
        ["destroy", "d1"],
        ["pause", "d1"],
        ["unpause", "d1"],
        ["rename", "d1", "x"],
        ["mem-set", "d1", "1g"],
        ["sysrq", "d1", "h"],
        ["shutdown", "d1"],
        ["reboot", "d1"],
        ["create", "-q", "/dev/null"],
    ],
)
def test_a_dry_run_prints_the_steps_and_does_nothing(xl: Xl, xend: FakeXend, words: list[str]) -> None:
    for option in ("--dry-run", "-N"):
        assert xl(*words, option) == (0, "first step\nsecond step\n", "")
        assert xl(words[0], option, *words[1:]) == (0, "first step\nsecond step\n", "")
    assert all(parameters["dry_run"] is True for _, parameters in xend.asked)
    assert len(xend.asked) == 4


@pytest.mark.parametrize("verb", ["destroy", "pause", "unpause", "shutdown", "reboot", "console"])
def test_nobody(xl: Xl, verb: str) -> None:
    assert xl(verb, "no") == (1, "", "xl: no domain no (xl list shows those there are)\n")


def test_shutdown_of_all_asks_all_before_it_waits(xl: Xl, xend: FakeXend) -> None:
    xend.domains[2] = domain(2, "d2")
    assert xl("shutdown", "-aw") == DONE
    keys = [parameters.pop("key") for _, parameters in xend.asked]
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]
    assert xend.asked == [
        ("domain.shutdown", {"domain": 1, "wait_for": "accepted", "wait": True}),
        ("domain.shutdown", {"domain": 2, "wait_for": "accepted", "wait": True}),
        ("domain.shutdown", {"domain": 1, "wait": True}),
        ("domain.shutdown", {"domain": 2, "wait": True}),
    ]


def test_shutdown_of_all_goes_on_where_one_refuses(xl: Xl, xend: FakeXend) -> None:
    xend.domains[2] = domain(2, "d2")
    xend.fails["domain.shutdown"] = BusError("no_answer", "it did not answer", {"waited_s": 60})
    assert xl("shutdown", "-a") == (1, "", "xl: it did not answer\n" * 2)


@pytest.mark.parametrize("verb", ["shutdown", "reboot"])
@pytest.mark.parametrize("options", [["-a"], ["-aw"], ["-aF"], ["-aN"], ["-awN"]])
@pytest.mark.parametrize("state", ["shutdown", "crashed", "dying", "destroying"])
def test_who_is_down_already_is_no_failure_of_all(
    xl: Xl, xend: FakeXend, verb: str, options: list[str], state: str
) -> None:
    xend.domains[2]["state"] = state
    status, _, errors = xl(verb, *options)
    assert (status, errors) == (0, "")
    assert xl(verb, "d2") == (1, "", "xl: d2 has shut down already\n")


@pytest.mark.parametrize("is_there", [True, False])
def test_who_goes_down_meanwhile_is_no_failure_of_all(xl: Xl, xend: FakeXend, is_there: bool) -> None:
    del xend.domains[2]

    def call(method: str, progress: Progress = None, **parameters: Any) -> Any:
        if method != "domain.shutdown" or "wait_for" in parameters:
            return answer(method, progress, **parameters)
        if is_there:
            xend.domains[1] |= {"shutdown": True, "state": "shutdown"}
        else:
            del xend.domains[1]
        raise BusError("guest_died", "d1 is gone")

    answer, xend.call = xend.call, call  # type: ignore[method-assign]
    assert xl("shutdown", "-aw") == DONE


def test_a_dry_run_of_all(xl: Xl, xend: FakeXend) -> None:
    xend.domains[2] = domain(2, "d2")
    assert xl("-N", "reboot", "--all") == (0, "first step\nsecond step\n" * 2, "")
    assert [parameters["dry_run"] for _, parameters in xend.asked] == [True, True]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("512", 512 << 10),
        ("512m", 512 << 10),
        ("512M", 512 << 10),
        ("1g", 1 << 20),
        ("1T", 1 << 30),
        ("100k", 100),
        ("2047b", 1),
        ("1023b", None),
        ("0", None),
        ("", None),
        ("m", None),
        ("-1", None),
        ("1.5g", None),
        ("12x", None),
        ("0x10", None),
        ("1 g", None),
        ("٣", None),
        ("9" * 30, None),
        ("99999999999999t", None),
    ],
)
def test_sizes(size: str, expected: int | None) -> None:
    assert kib(size) == expected


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["mem-set", "d1", "lots"], "mem-set: invalid memory size 'lots': a number with b, k, m, g or t "),
        (["sysrq", "d1", "hh"], "sysrq: 'hh' is not one letter "),
        (["shutdown"], "shutdown: needs a domain, or -a for all "),
        (["shutdown", "-a", "d1"], "shutdown: a domain or -a, not both "),
        (["rename", "d1"], "rename: needs DOM NAME "),
        (["destroy"], "destroy: needs DOM ... "),
        (["rename", "d1", "d2", "d3"], "rename: 'd3' is too much "),
        (["destroy", "-x", "d1"], "destroy: invalid option -- 'x' "),
        (["destroy", "--now", "d1"], "destroy: unrecognized option '--now' "),
    ],
)
def test_wrong_use_changes_nothing(xl: Xl, xend: FakeXend, words: list[str], error: str) -> None:
    status, text, errors = xl(*words)
    assert (status, text, xend.asked) == (1, "", [])
    assert errors.startswith(f"xl: {error}(usage: xl {words[0]} ")
    assert errors.count("\n") == 1
