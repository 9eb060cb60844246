"""kill -9 at random moments, under load: everything acknowledged is there, and nothing happened twice."""

import random
from collections.abc import Callable

import pytest

from tests.crash.daemon import Daemons
from tests.crash.load import Load

#: Replies between two kills, at most: some tens of milliseconds.
ANSWERS_MAX = 600
#: After so many kills everything is let come to rest and compared in its whole.
REST = 10


@pytest.fixture(params=[0, 32768], ids=["segments", "short segments"])
def daemons(request: pytest.FixtureRequest, make: Callable[..., Daemons]) -> Daemons:
    daemons = make("--timeout", "watch-event=0", segment_bytes=request.param)
    assert daemons.start()
    return daemons


def kill(daemons: Daemons, load: Load) -> None:
    daemons.kill()
    load.after_kill()


def kill_over_and_over(daemons: Daemons, load: Load, kills: int, seed: int) -> None:
    """Now and then also while it starts."""
    chance = random.Random(seed)
    while load.kills < kills:
        assert load.run(chance.randrange(1, ANSWERS_MAX)), daemons.said()
        kill(daemons, load)
        for _ in range(chance.choice([0, 0, 0, 1, 2])):
            daemons.begin()
            if chance.random() < 0.5:
                assert daemons.comes_up()
            kill(daemons, load)
        assert daemons.start(), daemons.said()
        load.connect()
        daemons.check()
        if chance.randrange(REST) == 0:
            load.finish()
            load.go_on()
    load.finish()
    load.close()
    assert "further in its store ring" not in daemons.said()


@pytest.mark.parametrize("seed", [1])
def test_kills(daemons: Daemons, seed: int) -> None:
    kill_over_and_over(daemons, Load(daemons, seed), 25, seed)


@pytest.mark.long
def test_a_thousand_kills(daemons: Daemons) -> None:
    kill_over_and_over(daemons, Load(daemons, 77), 1000, 77)


@pytest.mark.parametrize("options", [["--fresh", "--force"], ["--no-journal"]])
def test_the_load_sees_a_store_that_forgets(make: Callable[..., Daemons], options: list[str]) -> None:
    """What this proves depends on it."""
    daemons = make()
    assert daemons.start()
    load = Load(daemons, 1, rings=2, sockets=2)
    assert load.run(100)
    kill(daemons, load)
    assert daemons.start(*options)
    load.connect()
    with pytest.raises((AssertionError, ValueError)):
        load.run(100)
    load.close()
