"""The store behaves as its model does, whatever is asked of it in whatever order.

Twice: hypothesis walks, and makes a walk that fails short; plain random walks go further in the same time.
"""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.chance import seeds
from tests.model import pools
from tests.model.pools import Choose
from tests.model.walk import CLIENT_STEPS, WORLD_STEPS, Walk

pytestmark = pytest.mark.slow

CI = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
#: Hypothesis remembers every draw: thousands of such walks take its memory to gigabytes.
LONG = settings(CI, max_examples=300, stateful_step_count=100)


def chooser(data: st.DataObject) -> Choose:
    def choose(options: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(options))

    return choose


class StoreMachine(RuleBasedStateMachine):
    """One rule for each sort of step, so that no walk is without most of them."""

    @initialize(quotas=st.sampled_from(pools.QUOTAS))
    def begin(self, quotas: dict[str, int]) -> None:
        self.walk = Walk(quotas)

    @rule(data=st.data(), count=st.integers(1, 4))
    def clients_ask(self, data: st.DataObject, count: int) -> None:
        for _ in range(count):
            data.draw(st.sampled_from(CLIENT_STEPS))(self.walk, chooser(data))

    @rule(data=st.data())
    def world_turns(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(WORLD_STEPS))(self.walk, chooser(data))

    @invariant()
    def accounts_are_right(self) -> None:
        self.walk.check_accounts()


def test_hypothesis_walks() -> None:
    run_state_machine_as_test(StoreMachine, settings=CI)


@pytest.mark.long
def test_hypothesis_walks_for_long() -> None:
    run_state_machine_as_test(StoreMachine, settings=LONG)


def random_walk(seed: int, steps: int) -> None:
    chance = random.Random(seed)
    walk = Walk(pools.QUOTAS[seed % len(pools.QUOTAS)])
    try:
        for _ in range(steps):
            step = chance.choice(CLIENT_STEPS if chance.random() < 0.93 else WORLD_STEPS)
            step(walk, chance.choice)
            walk.check_accounts()
    except Exception as error:
        error.add_note("The last steps:\n" + "\n".join(walk.trail[-40:]))
        raise


@pytest.mark.parametrize("seed", seeds(15, of=60))
def test_random_walks(seed: int) -> None:
    random_walk(seed, steps=500)


@pytest.mark.long
@pytest.mark.parametrize("hundred", range(10, 60))
def test_random_walks_for_long(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        random_walk(seed, steps=700)
