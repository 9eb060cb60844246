"""Rings across a kill: each request once, each byte of output once, whatever the page showed then."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.journal.domains import LastingWorld
from tests.unit.journal.place import small_segments
from tests.unit.server.host import CONNECTION, ERROR, REQ_CONS, REQ_PROD, RING_SIZE, RSP_CONS, RSP_PROD
from xenstore.daemon.start import StartError
from xenstore.journal.boot import identity, same
from xenstore.platform import DomainState
from xenstore.wire import MessageType, pack


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., LastingWorld]]:
    small_segments(monkeypatch)
    made: list[LastingWorld] = []

    def make(*domids: int, **options: Any) -> LastingWorld:
        made.append(LastingWorld(tmp_path, *domids, **options))
        return made[-1]

    yield make
    for world in made:
        world.end()


@pytest.fixture
def world(make: Callable[..., LastingWorld]) -> LastingWorld:
    world = make(5, 6)
    world.dom0.write(b"/local/domain/5/name", b"five")
    return world


READ_NAME = pack(MessageType.READ, b"name\0")
START = pack(MessageType.TRANSACTION_START, b"\0")


class TestTheStream:
    @pytest.mark.parametrize("taken", range(0, 41, 5))
    @pytest.mark.parametrize("given", range(0, 42, 3))
    def test_a_kill_after_each_byte(self, world: LastingWorld, given: int, taken: int) -> None:
        """Transactions get one number after the other, each request executed once; all across the wrap."""
        guest = world.host.guests[5]
        for _ in range(28):
            world.exchange(5, READ_NAME + pack(MessageType.READ, b"name"))
        requests = START * 2 + READ_NAME
        guest.put(requests[:given])
        world.notify(5)
        guest.take(taken)
        world.restart()
        world.settle()
        guest.take(taken)
        world.restart()
        messages = world.exchange(5, requests[given:])
        assert [message.payload for message in messages] == [b"1\0", b"2\0", b"five"]

    def test_indices_run_through_32_bits(self, make: Callable[..., LastingWorld]) -> None:
        world = make(running={3: 7})
        world.kill()
        guest = world.host.guests[3]
        world.give_home(3)
        for index in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD):
            guest.set_word(index, -100)
        world.begin("--fresh", "--force")
        for n in range(1, 11):
            guest.put(START[:9])
            world.notify(3)
            world.restart()
            assert [message.payload for message in world.exchange(3, START[9:])] == [b"%d\0" % n]
        assert world.said("further in its store ring") == []

    def test_a_domain_that_ran_before_the_store(self, make: Callable[..., LastingWorld]) -> None:
        """Its indices stand anywhere; they are recorded with what follows, or without."""
        world = make(running={3: 7})
        guest = world.host.guests[3]
        for _ in range(80):
            world.exchange(3, READ_NAME)
        world.restart("--fresh", "--force")
        assert guest.word(REQ_CONS) > RING_SIZE
        world.restart()
        assert [message.payload for message in world.exchange(3, START)] == [b"1\0"]
        world.restart()
        assert [message.payload for message in world.exchange(3, START)] == [b"2\0"]
        assert world.said("further in its store ring") == []

    def test_a_page_that_is_further_than_the_journal(self, world: LastingWorld) -> None:
        """It says so, and goes on from there; and the next journal says what is so then."""
        guest = world.host.guests[5]
        guest.set_word(RSP_PROD, 500)
        guest.set_word(RSP_CONS, 500)
        world.restart()
        assert len(world.said("further in its store ring than the journal")) == 1
        assert [message.payload for message in world.exchange(5, START)] == [b"1\0"]
        world.restart()
        assert [message.payload for message in world.exchange(5, START)] == [b"2\0"]
        assert len(world.said("further in its store ring than the journal")) == 1

    def test_a_guest_that_writes_indices_meanwhile(self, world: LastingWorld) -> None:
        for index, value in ((REQ_CONS, 77), (REQ_PROD, 1 << 31), (RSP_CONS, 5), (RSP_PROD, 1 << 20)):
            world.kill()
            world.host.guests[5].set_word(index, value)
            world.begin()
            world.notify(5)
            assert world.read(6, b"/local/domain/5/name") == b"EACCES\0"


class TestStartingAnew:
    @pytest.mark.parametrize("features", [15, 14], ids=["offered", "not offered"])
    def test_a_restart_of_the_ring_that_broke_off(self, world: LastingWorld, features: int) -> None:
        """INTRODUCE for the second time; the kill comes while the page says that it is at it."""
        guest = world.host.appear(7)
        world.host.states[7] = DomainState(7, False, False)
        world.dom0.ask(MessageType.SET_FEATURE, b"7", b"%d" % features)
        world.give_home(7)
        world.introduce(7)
        world.exchange(7, pack(MessageType.WATCH, b"a\0t\0"))
        guest.set_word(CONNECTION, 1)
        world.restart()
        assert guest.word(CONNECTION) == 0
        assert [guest.word(at) for at in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD)] == [0] * 4
        assert world.store.usage(7)["watches"] == 0
        assert [message.payload for message in world.exchange(7, START)] == [b"1\0"]
        world.restart()
        assert [message.payload for message in world.exchange(7, START)] == [b"2\0"]


class TestMeanwhile:
    def test_a_domain_died(self, world: LastingWorld) -> None:
        world.dom0.set_perms(b"@releaseDomain", b"n0", b"r6")
        world.exchange(6, pack(MessageType.WATCH, b"@releaseDomain\0t\0"))
        world.kill()
        del world.host.guests[5]
        world.begin()
        assert [message.payload for message in world.exchange(6, b"")] == [b"@releaseDomain\0t\0"]
        assert world.dom0.directory(b"/local/domain") == [b"6"]
        world.restart()
        assert world.exchange(6, b"") == []

    def test_another_one_has_its_number(self, world: LastingWorld) -> None:
        world.dom0.set_perms(b"@releaseDomain", b"n0", b"r6")
        world.exchange(6, pack(MessageType.WATCH, b"@releaseDomain\0t\0"))
        world.kill()
        world.become_another(5)
        world.begin()
        assert [message.payload for message in world.exchange(6, b"")] == [b"@releaseDomain\0t\0"]
        assert world.dom0.directory(b"/local/domain") == [b"6"]
        assert 5 not in world.store.introduced

    def test_a_domain_shut_down(self, world: LastingWorld) -> None:
        """Told once, also when it did so before or after the kill."""
        world.dom0.set_perms(b"@releaseDomain", b"n0", b"r6")
        world.exchange(6, pack(MessageType.WATCH, b"@releaseDomain\0t\0"))
        world.kill()
        world.host.states[5] = DomainState(1005, True, False)
        world.begin()
        assert [message.payload for message in world.exchange(6, b"")] == [b"@releaseDomain\0t\0"]
        world.restart()
        assert world.exchange(6, b"") == []
        assert 5 in world.store.introduced

    def test_an_ignored_one_stays_so_and_its_end_is_told(self, world: LastingWorld) -> None:
        guest = world.host.guests[5]
        world.dom0.set_perms(b"@releaseDomain", b"n0", b"r6")
        world.exchange(6, pack(MessageType.WATCH, b"@releaseDomain\0t\0"))
        guest.set_word(REQ_PROD, guest.word(REQ_CONS) + 5000)
        world.notify(5)
        assert guest.word(ERROR) == 2
        guest.set_word(ERROR, 0)
        guest.set_word(REQ_PROD, guest.word(REQ_CONS))
        guest.set_word(CONNECTION, 1)
        world.restart()
        assert guest.word(ERROR) == 2
        guest.put(READ_NAME)
        world.notify(5)
        assert guest.word(RSP_PROD) == guest.word(RSP_CONS)
        world.restart()
        world.die(5)
        world.settle()
        assert [message.payload for message in world.exchange(6, b"")] == [b"@releaseDomain\0t\0"]

    def test_one_whose_page_cannot_be_mapped_again(self, world: LastingWorld) -> None:
        world.kill()
        world.store.rings[5] = world.store.rings[5]._replace(gfn=99)
        page = world.host.map_page

        def refuse(domid: int, gfn: int) -> Any:
            return page(domid, 99 if domid == 5 else gfn)

        world.host.map_page = refuse  # type: ignore[method-assign]
        world.begin()
        assert len(world.said("domain 5 lives, but its store ring cannot be connected again")) == 1
        assert world.dom0.directory(b"/local/domain") == [b"5", b"6"]
        world.host.map_page = page  # type: ignore[method-assign]
        world.introduce(5)
        assert world.read(5, b"name") == b"five"


class TestFresh:
    def test_it_is_refused_while_domains_run(self, world: LastingWorld) -> None:
        world.kill()
        with pytest.raises(StartError, match=r"domains that run \(5, 6\).*--force"):
            world.begin("--fresh")
        world.pump.close()
        world.begin()
        assert world.read(5, b"name") == b"five"

    def test_it_may_be_forced(self, world: LastingWorld) -> None:
        world.restart("--fresh", "--force")
        assert world.dom0.directory(b"/") == [b"tool"]
        assert set(world.store.introduced) == {0}

    def test_nothing_is_in_its_way_where_none_run(self, world: LastingWorld) -> None:
        world.kill()
        del world.host.guests[5], world.host.guests[6]
        world.begin("--fresh")
        assert world.dom0.directory(b"/") == [b"tool"]


class TestAnotherStartOfTheHost:
    @pytest.fixture(autouse=True)
    def _boots(self, world: LastingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("xenstore.journal.boot.identity", lambda: "boot_id another")

    def test_the_journal_is_dropped(self, world: LastingWorld) -> None:
        world.kill()
        del world.host.guests[5], world.host.guests[6]
        world.begin()
        assert world.dom0.directory(b"/") == [b"tool"]
        assert len(world.said("is dropped: it is from before the host was started")) == 1
        world.dom0.write(b"/new", b"1")
        world.restart()
        assert world.dom0.read(b"/new") == b"1"

    def test_not_where_a_domain_of_its_lives(self, world: LastingWorld) -> None:
        world.kill()
        del world.host.guests[6]
        world.begin()
        assert world.read(5, b"name") == b"five"
        assert world.said("is dropped") == []

    def test_another_one_with_its_number_does_not_count(self, world: LastingWorld) -> None:
        world.kill()
        del world.host.guests[6]
        world.become_another(5)
        world.begin()
        assert world.dom0.directory(b"/") == [b"tool"]


def test_which_starts_are_the_same() -> None:
    assert same(identity(), identity())
    assert not same("boot_id a", "boot_id b")
    assert same("boottime 1000", "boottime 1600")
    assert not same("boottime 1000", "boottime 1601")
    assert not same("boottime 1000", "boot_id 1000")
