"""The log does not run ahead of the image: who writes waits for it, each for what it has written itself."""

from pathlib import Path

import pytest

from tests.unit.journal.place import Place, small_segments
from tests.unit.store.client import Client
from xenstore.journal import budget
from xenstore.wire import MessageType, pack

SEGMENT = 16384  # as the fixture `small` has it
VALUE = b"v" * 1000
#: Segments, and two files for images of next to nothing.
REST = 3 * SEGMENT + 2 * 12288


def writes(count: int, path: bytes = b"/big") -> bytes:
    return pack(MessageType.WRITE, path + b"\0" + VALUE) * count


@pytest.fixture
def crowd(place: Place) -> list[Client]:
    """Clients that have sent more than the journal takes, and nobody has done anything for the image yet."""
    place.dom0.write(b"/here", b"1")
    crowd = [Client(place.store.connect()) for _ in range(3)]
    for client in crowd:
        client.session.feed(writes(200))
    assert place.store.is_behind
    assert all(client.session.stalled for client in crowd)
    return crowd


class TestWhoWaits:
    def test_the_journal_stays_within_its_bound(self, place: Place, crowd: list[Client]) -> None:
        assert place.size() <= budget.limit(0)

    def test_readers_do_not(self, place: Place, crowd: list[Client]) -> None:
        reader = Client(place.store.connect())
        assert reader.read(b"/here") == b"1"
        reader.watch(b"/here")
        assert not reader.session.stalled

    def test_nor_who_writes_little(self, place: Place, crowd: list[Client]) -> None:
        """Its share is free, whatever the others have recorded; nobody has worked for it."""
        slices = place.images_written
        for n in range(4):
            Client(place.store.connect()).write(b"/small/%d" % n, b"1")
        assert place.images_written == slices
        assert all(client.session.stalled for client in crowd)

    def test_until_its_share_is_used(self, place: Place, crowd: list[Client]) -> None:
        newcomer = Client(place.store.connect())
        newcomer.session.feed(writes(200))
        assert newcomer.session.stalled

    def test_all_are_served_in_the_end(self, place: Place, crowd: list[Client]) -> None:
        answers = [len(client.take()) for client in crowd]
        while place.store.has_work:
            place.work(1)
            for n, client in enumerate(crowd):
                answers[n] += len(client.take())
            assert place.size() <= budget.limit(0)
        assert set(answers) == {200}
        assert not place.store.is_behind
        before = place.state()
        place.restart()
        assert place.state() == before

    def test_dom0s_ring_comes_first(self, place: Place, crowd: list[Client]) -> None:
        """It may use what is kept from the others, and is the first that goes on."""
        kernel = place.ring_of_dom0()
        for n in range(40):
            Client(place.store.connect()).session.feed(writes(1, b"/late/%d" % n))
        kernel.write(b"/kernel", b"1")
        kernel.session.feed(writes(200))
        assert kernel.session.stalled
        while kernel.session.stalled and not kernel.take():
            place.work(1)
        assert sum(len(client.take()) for client in crowd) <= 3 * 200 - 3

    def test_one_that_hangs_up_is_forgotten(self, place: Place, crowd: list[Client]) -> None:
        for client in crowd:
            client.session.close()
        place.work()
        assert not place.store.is_behind

    def test_a_journal_that_ends_lets_all_go_on(self, place: Place, crowd: list[Client]) -> None:
        place.journal.leave("another program went on")
        for client in crowd:
            assert len(client.take()) == 200
        place.journal.retry()
        place.work()
        assert place.store.journal_failure is None


class TestTheBound:
    @pytest.mark.slow
    @pytest.mark.parametrize("size", [16, 3900])
    @pytest.mark.parametrize("count", [8, 64, 512])
    def test_clients_that_send_without_waiting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, size: int
    ) -> None:
        """A store of no more than some nodes; every byte on the disk is counted after every slice."""
        small_segments(monkeypatch, 131072)
        place = Place(tmp_path)
        crowd = [Client(place.store.connect()) for _ in range(count)]
        request = pack(MessageType.WRITE, b"/a\0" + b"v" * size)
        goal = 4 * budget.limit(0)
        while place.recorded < goal:
            for client in crowd:
                if not client.session.stalled:
                    client.session.feed(request * 16)
                client.take()
            place.work(1)
            assert place.size() <= budget.limit(0)
        before = place.state()
        place.restart()
        assert place.state() == before
        place.end()

    def test_transactions_and_what_guests_read(self, place: Place) -> None:
        """What a guest reads is recorded, for its ring must show it once."""
        guest = place.guest(5)
        guest.write(b"a", b"v" * 1500)
        while place.recorded < 6 * budget.limit(0):
            tx = place.dom0.start()
            for n in range(5):
                place.dom0.write(b"/t/%d" % n, VALUE, tx)
            place.dom0.end(tx)
            for _ in range(5):
                guest.read(b"a")
            place.work(1)
            assert place.size() <= budget.limit(0)
        before = place.state()
        place.restart()
        assert place.state() == before

    def test_a_store_that_grows_and_shrinks(self, place: Place) -> None:
        """Three times what it holds, once there was time for an image after much was removed."""
        for round in range(3):
            for n in range(600):
                place.dom0.write(b"/d/%d" % n, VALUE)
                place.work(3)
                assert place.size() <= budget.limit(place.store.content + 4096) + 2 * SEGMENT, (round, n)
            place.dom0.rm(b"/d")
            for _ in range(3):
                place.journal.look()
                place.work()
            assert place.size() <= budget.limit(0)
        place.journal.look()
        place.work()
        assert place.size() <= REST

    def test_at_rest(self, place: Place) -> None:
        assert place.size() <= REST
        while place.recorded < budget.limit(0):
            place.dom0.write(b"/a", VALUE)
        for _ in range(4):
            place.journal.look()
            place.work()
        assert place.size() <= REST
