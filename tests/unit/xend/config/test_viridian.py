"""viridian: in the order of its words, as Xen's xl and libxl take it."""

import pytest

from tests.unit.xend.config.conftest import complaint
from xend.config import DomainConfig
from xend.config.domain import parse
from xend.config.viridian import Viridian, viridian_of_json

USUAL = ("base", "freq", "time_ref_count", "apic_assist", "crash_ctl", "no_vp_limit", "cpu_hotplug")


def config(value: str) -> DomainConfig:
    return parse(f"type = 'hvm'\nviridian = {value}\n", source="foo.cfg", name="foo")


SEEN: list[tuple[str, tuple[str, ...]]] = [
    ("0", ()),
    ("1", USUAL),
    ("[]", ()),
    ("['defaults']", USUAL),
    ("['defaults', '!freq']", tuple(word for word in USUAL if word != "freq")),
    ("['!base', 'base']", ("base",)),
    ("['base', 'freq', '!freq']", ("base",)),
    ("['base', 'stimer']", ("base", "time_ref_count", "synic", "stimer")),
]


@pytest.mark.parametrize(("value", "seen"), SEEN)
def test_what_a_domain_sees(value: str, seen: tuple[str, ...]) -> None:
    machine = config(value).machine
    assert machine is not None
    assert tuple(machine.viridian.seen) == seen


def test_all_are_all_bits_of_libxl_s() -> None:
    machine = config("['all', '!synic', '!stimer']").machine
    assert machine is not None
    assert "synic" not in machine.viridian.seen
    json = machine.viridian.as_json()
    assert set(range(64)) - set(json["viridian_enable"]) == set(json["viridian_disable"])


@pytest.mark.parametrize("value", ["['!all']", "['!defaults', 'base']", "['x']", "['freq']", "'all'"])
def test_what_is_refused(value: str) -> None:
    assert complaint(lambda: config(value)).message.startswith("foo.cfg:2: viridian ")


@pytest.mark.parametrize(
    "viridian",
    [
        Viridian(usual=True),
        Viridian(usual=True, taken=[1]),
        Viridian(added=[0, 7], taken=[3]),
        Viridian(added=[0, *range(2, 64)], taken=[1]),
        Viridian(added=[*range(64)], taken=[1]),
    ],
)
def test_libxl_s_json_says_the_same(viridian: Viridian) -> None:
    said = viridian_of_json(viridian.as_json())
    text = str(int(said)) if isinstance(said, bool) else repr(said)
    machine = config(text).machine
    assert machine is not None
    assert machine.viridian.as_json() == viridian.as_json()
