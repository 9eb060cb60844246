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
from xend.packing import unpack

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


def steps(place: Place, kind: str) -> list[tuple[str, str]]:
    """Key and name of each step of the last operation of a kind."""
    with place.client() as client:
        last = [each["operation"] for each in client.operations() if each["kind"] == kind][-1]
    record = unpack((place.top / "operations" / last).read_bytes())
    return [(key, name) for key, name in record["steps"]]


def destroy_steps(place: Place) -> list[tuple[str, str]]:
    """Those of the end of a domain like all of them here."""
    place.create("victim")
    with place.client() as client:
        client.call("domain.destroy", domain="victim")
    return steps(place, "domain.destroy")


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
    found = steps(crowd, "domain.create")
    assert len(found) == 7 + 2 * len(ATTACH) + 1
    before = crowd.snapshot()
    crowd.restart(f"domain.create:{found[0][0]}")
    following = [*(key for key, _ in found[1:]), None]
    for (_, name), key in zip(found, following, strict=True):
        die(crowd, "domain.create", text=VICTIM)
        recover(crowd, f"domain.create:{key}")  # which is not what is undone
        assert f"domain.create victim was cut off at '{name}': undo it" in crowd.log()
        assert crowd.snapshot() == before, name
        assert last_state(crowd, "domain.create") == "failed"
    check_restart(crowd)
    crowd.create("victim")


def test_at_each_step_of_undoing(crowd: Place) -> None:
    """It dies at the last step, and again at each step that is undone on the way back."""
    found = steps(crowd, "domain.create")
    before = crowd.snapshot()
    crowd.restart(f"domain.create:{found[-1][0]}")
    die(crowd, "domain.create", text=VICTIM)
    undone = found[1:-1]  # there is nothing to undo of the first and the last
    for key, _ in reversed(undone):
        crowd.die_starting(f"domain.create:{key}")
    recover(crowd)
    assert crowd.snapshot() == before
    assert all(f"domain.create victim was cut off at '{name}'" in crowd.log() for _, name in undone)
    check_restart(crowd)


def test_at_each_step_of_destroy(crowd: Place) -> None:
    before = crowd.snapshot()
    found = destroy_steps(crowd)
    assert len(found) == 1 + 2 * len(DETACH) + 5
    crowd.restart(f"domain.destroy:{found[-1][0]}")
    before_each = [None, *(key for key, _ in found[:-1])]
    for (_, name), key in reversed(list(zip(found, before_each, strict=True))):
        if "victim" not in crowd.names():
            crowd.create("victim")
        die(crowd, "domain.destroy", domain="victim")
        recover(crowd, f"domain.destroy:{key}")  # which is before what is resumed
        assert f"domain.destroy victim was cut off at '{name}': resume it" in crowd.log()
        assert crowd.snapshot() == before, name
        assert last_state(crowd, "domain.destroy") == "done"
    check_restart(crowd)


def test_at_each_step_of_restart(crowd: Place) -> None:
    """The guest reboots; xend dies at each step from the old domain's end to the new one's start, in turn."""
    found = [*destroy_steps(crowd)[:-1], *steps(crowd, "domain.create")]
    domid = crowd.create("victim")
    nodes = crowd.nodes()
    crowd.restart(f"domain.restart:{found[0][0]}")
    die(crowd, "domain.reboot", domain="victim")
    for key, _ in found[1:]:
        crowd.die_starting(f"domain.restart:{key}")
    recover(crowd)
    log = crowd.log()
    assert all(f"domain.restart victim was cut off at '{name}': resume it" in log for _, name in found)
    ((new, *_),) = [each for each in crowd.domains() if each[1] == "victim"]
    assert isinstance(new, int)
    assert new > domid
    crowd.await_connected(new)
    assert [len(crowd.nodes()), sorted(crowd.names())] == [len(nodes), ["bystander", "victim"]]
    check_restart(crowd)
