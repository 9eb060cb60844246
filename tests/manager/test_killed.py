"""xend killed with SIGKILL at every step of create, destroy and restart, and started again.

One place for all steps of an operation.  A bystander runs all the time with its devices connected.  Each
time: nothing is left of what was undone, what was resumed is done, and starting xend once more (which is how
the next step begins) changes nothing.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.manager.place import DOMAIN, Place
from tests.manager.raw import Raw

VICTIM = DOMAIN.format(name="victim")
DETACH = ("close its backend", "run its script", "remove its nodes")
ATTACH = ("write its nodes", "wait for its backend", "run its script")


@pytest.fixture
def crowd(place: Place) -> Iterator[Place]:
    """A place with xend, and a domain that is to notice nothing."""
    place.start()
    domid = place.create("bystander")
    (before,) = place.domains()[1:]
    yield place
    assert before in place.domains()
    nodes = place.nodes()
    for device in ("vbd", "vif"):
        assert f'/local/domain/{domid}/device/{device}/0/state = "4"' in nodes
    assert "internal error" not in place.log()


def steps(place: Place, method: str, **params: Any) -> list[str]:
    """The names of an operation's steps."""
    with place.client() as client:
        found: list[str] = client.call(method, dry_run=True, **params)["steps"]
    return found


def die(place: Place, method: str, **params: Any) -> None:
    """Has xend do something that kills it."""
    with Raw(place.socket) as client:
        client.send(method, **params)
        client.until_loss()
    place.xend.await_end()


def check_restart(place: Place) -> None:
    """Starting xend once more changes nothing."""
    before = place.snapshot()
    place.restart()
    place.settle()
    assert place.snapshot() == before


def recover(place: Place, failpoint: str | None = None) -> None:
    """Another xend ends what the one before it began."""
    place.start(failpoint=failpoint)
    place.settle()


def last_state(place: Place, kind: str) -> str:
    """How the last operation of a kind ended."""
    with place.client() as client:
        ended: list[str] = [each["state"] for each in client.operations() if each["kind"] == kind]
    return ended[-1]


def test_at_each_step_of_create(crowd: Place) -> None:
    names = steps(crowd, "domain.create", text=VICTIM)
    assert len(names) == 7 + 2 * len(ATTACH) + 1
    before = crowd.snapshot()
    crowd.restart("domain.create:0")
    for number, name in enumerate(names):
        die(crowd, "domain.create", text=VICTIM)
        recover(crowd, f"domain.create:{number + 1}")  # which is not what is undone
        assert f"domain.create victim was cut off at '{name}': undo it" in crowd.log()
        assert crowd.snapshot() == before, name
        assert last_state(crowd, "domain.create") == "failed"
    check_restart(crowd)
    crowd.create("victim")


def test_at_each_step_of_undoing(crowd: Place) -> None:
    """It dies at the last step, and again at each step that is undone on the way back."""
    names = steps(crowd, "domain.create", text=VICTIM)
    before = crowd.snapshot()
    crowd.restart(f"domain.create:{names[-1]}")
    die(crowd, "domain.create", text=VICTIM)
    undone = range(1, len(names) - 1)  # there is nothing to undo of the first and the last
    for number in reversed(undone):
        crowd.die_starting(f"domain.create:{number}")
    recover(crowd)
    assert crowd.snapshot() == before
    assert all(f"domain.create victim was cut off at '{names[number]}'" in crowd.log() for number in undone)
    check_restart(crowd)


def test_at_each_step_of_destroy(crowd: Place) -> None:
    before = crowd.snapshot()
    crowd.create("victim")
    names = steps(crowd, "domain.destroy", domain="victim")
    assert len(names) == 1 + 2 * len(DETACH) + 5
    crowd.restart(f"domain.destroy:{len(names) - 1}")
    for number, name in reversed(list(enumerate(names))):
        if "victim" not in crowd.names():
            crowd.create("victim")
        die(crowd, "domain.destroy", domain="victim")
        recover(crowd, f"domain.destroy:{number - 1}")  # which is before what is resumed
        assert f"domain.destroy victim was cut off at '{name}': resume it" in crowd.log()
        assert crowd.snapshot() == before, name
        assert last_state(crowd, "domain.destroy") == "done"
    check_restart(crowd)


def test_at_each_step_of_restart(crowd: Place) -> None:
    """The guest reboots; xend dies at each step from the old domain's end to the new one's start, in turn."""
    domid = crowd.create("victim")
    destroy = steps(crowd, "domain.destroy", domain="victim")[:-1]
    names = [*destroy, *steps(crowd, "domain.create", text=VICTIM.replace("victim", "other"))]
    nodes = crowd.nodes()
    crowd.restart("domain.restart:0")
    die(crowd, "domain.reboot", domain="victim")
    for number in range(1, len(names)):
        crowd.die_starting(f"domain.restart:{number}")
    recover(crowd)
    assert all(f"domain.restart victim was cut off at '{name}': resume it" in crowd.log() for name in names)
    ((new, *_),) = [each for each in crowd.domains() if each[1] == "victim"]
    assert isinstance(new, int)
    assert new > domid
    crowd.await_connected(new)
    assert [len(crowd.nodes()), sorted(crowd.names())] == [len(nodes), ["bystander", "victim"]]
    check_restart(crowd)
