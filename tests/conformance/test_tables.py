"""Every scenario on every store that can play it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.runner import Mismatch
from tests.conformance.table import Scenario
from tests.conformance.tables import all_scenarios
from tests.conformance.target import Target

SCENARIOS = all_scenarios()

#: The advisories about xenstored and oxenstored up to XSA-484.
ADVISORIES = (
    *(38, 72, 115, 206, 233, 272, 322, 323, 324, 325, 326, 330, 352, 353),
    *(414, 415, 416, 417, 418, 419, 420, 421, 425, 440, 481, 483, 484),
)


def playable(target: str) -> pytest.MarkDecorator:
    """Parametrizes a test with the scenarios that this target can play."""
    chosen = {name: scenario for name, scenario in SCENARIOS.items() if not Target(target).obstacle(scenario)}
    return pytest.mark.parametrize("scenario", chosen.values(), ids=chosen)


def play(target: Target, scenario: Scenario) -> None:
    try:
        target.play(scenario)
    except Mismatch as mismatch:
        pytest.fail(str(mismatch), pytrace=False)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Target]:
    target = Target("daemon")
    yield target
    target.stop()


@pytest.fixture(scope="module")
def c() -> Iterator[Target]:
    target = Target("c")
    yield target
    target.stop()


@pytest.fixture(scope="module")
def o() -> Iterator[Target]:
    target = Target("o")
    yield target
    target.stop()


@playable("session")
def test_session(scenario: Scenario) -> None:
    play(Target("session"), scenario)


@playable("bytewise")
def test_session_fed_byte_by_byte(scenario: Scenario) -> None:
    play(Target("bytewise"), scenario)


@playable("daemon")
def test_our_daemon(scenario: Scenario, daemon: Target) -> None:
    play(daemon, scenario)


@pytest.mark.peer
@playable("c")
def test_c_xenstored(scenario: Scenario, c: Target) -> None:
    play(c, scenario)


@pytest.mark.peer
@playable("o")
def test_oxenstored(scenario: Scenario, o: Target) -> None:
    play(o, scenario)


@pytest.mark.parametrize("number", ADVISORIES)
def test_every_advisory_is_tested(number: int) -> None:
    sources = [path.read_text() for path in Path(__file__).parent.rglob("*.py")]
    assert any(re.search(rf"\bXSA-{number}\b", source) for source in sources)
