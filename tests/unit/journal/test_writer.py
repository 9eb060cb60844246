"""Keeping a journal: segments follow each other, images make old ones superfluous, no slice is long."""

import os
from contextlib import suppress

import pytest

from tests.unit.journal.place import Disk, Place
from tests.unit.store.client import Client
from xenstore.errors import ENOSPC
from xenstore.journal import budget
from xenstore.journal.image import Image
from xenstore.server.options import parse
from xenstore.server.recovery import begin_journal
from xenstore.store import Store
from xenstore.wire import MessageType, pack

SEGMENT = 16384  # as the fixture `small` has it
SLICE_MAX = 256 << 10


def fill(place: Place, bytes_of_values: int, nodes: int = 20) -> None:
    """Write so much, over and over to the same nodes."""
    for n in range(bytes_of_values // 1000):
        place.dom0.write(b"/fill/%d" % (n % nodes), b"%1000d" % n)


class TestSegments:
    def test_they_follow_each_other(self, place: Place) -> None:
        fill(place, 40_000)
        assert place.logs() == ["log.1", "log.2", "log.3", "log.4"]
        assert {place.files.log(n).stat().st_size for n in place.files.logs()} == {SEGMENT}
        before = place.state()
        place.restart()
        assert place.state() == before
        assert place.said("dropped") == []

    def test_a_frame_longer_than_segments(self, place: Place) -> None:
        """One commit that fills several."""
        tx = place.dom0.start()
        for n in range(60):
            place.dom0.write(b"/many/%d" % n, b"%1000d" % n, tx)
        place.dom0.end(tx)
        place.dom0.write(b"/after", b"1")
        assert len(place.files.logs()) >= 4
        before = place.state()
        place.restart()
        assert place.state() == before
        assert place.dom0.read(b"/after") == b"1"

    @pytest.mark.parametrize("size", range(900, 1000, 7))
    def test_a_frame_ends_anywhere_at_a_segments_end(self, place: Place, size: int) -> None:
        for n in range(40):
            place.dom0.write(b"/%d" % n, b"v" * size)
        assert len(place.files.logs()) > 2
        before = place.state()
        place.restart()
        assert place.state() == before

    def test_each_restart_goes_on_where_the_log_ends(self, place: Place) -> None:
        """On a disk that is full, no further segment might be had."""
        for n in range(1, 6):
            place.dom0.write(b"/%d" % n, b"v")
            place.restart()
            assert place.logs() == ["log.1"]
        assert place.dom0.directory(b"/")[-5:] == [b"1", b"2", b"3", b"4", b"5"]


class TestImages:
    def test_they_bound_the_log(self, place: Place, disk: Disk) -> None:
        """However much is written, the files stay within a small multiple of the store."""
        largest = 0
        for _ in range(600):
            fill(place, 4_000)
            place.work()
            largest = max(largest, place.size())
        assert place.recorded > 10 * largest
        assert largest <= budget.limit(0) == 16 * SEGMENT
        assert len(place.files.images()) == 1
        before = place.state()
        place.restart()
        assert place.state() == before

    def test_the_log_of_a_large_store_may_be_longer(self, place: Place) -> None:
        """The image is written less often, and all together is no more than three times the store."""
        fill(place, 800_000, nodes=800)
        place.work()
        images, recorded = place.images_written, place.recorded
        largest = 0
        while place.images_written < images + 4:
            fill(place, 4_000, nodes=800)
            place.work()
            largest = max(largest, place.size())
        (image,) = place.files.images()
        assert largest <= budget.limit(Image(place.files.image(image)).size)
        assert place.recorded - recorded > 800_000

    def test_a_recovered_journal_is_made_one_image(self, place: Place) -> None:
        fill(place, 40_000)
        place.restart()
        place.work()
        assert place.logs() == ["log.4"]
        assert len(place.files.images()) == 1

    def test_no_slice_is_long(self, tmp_path: os.PathLike[str], disk: Disk) -> None:
        """Segments of the true size."""
        place = Place(tmp_path)  # type: ignore[arg-type]
        fill(place, 3_000_000, nodes=3000)
        place.restart()
        longest = slices = 0
        while place.store.has_work:
            before = disk.written
            place.store.run_due()
            longest = max(longest, disk.written - before)
            slices += 1
        assert place.files.images() != []
        assert longest <= SLICE_MAX
        assert slices > 3_000_000 // SLICE_MAX
        place.end()

    def test_a_kill_at_every_slice(self, place: Place) -> None:
        """What is half made is removed, and nothing lost; meanwhile changes go on."""
        fill(place, 300_000, nodes=300)
        guest = place.guest(5)
        guest.watch_only(b"/fill")
        place.restart()
        slices = place.work()
        for n in range(slices):
            place.restart()
            place.work(n)
            place.dom0.write(b"/n", b"%d" % n)
            before = place.state()
            place.restart()
            assert place.state() == before
            assert not [name for name in place.names() if name == "image.new"]
        assert place.said("dropped") == []
        assert len(guest.session.export()["watches"]) == 1

    def test_one_that_cannot_be_put_in_its_place(self, place: Place) -> None:
        """Its descriptor is closed once (EBADF here): by the second time the number may be a client's."""
        place.restart()
        place.work(1)
        place.files.image(1).mkdir()
        place.work()
        assert place.said("no image of the journal can be written")
        place.dom0.write(b"/x", b"1")
        place.files.image(1).rmdir()
        place.restart()
        assert place.dom0.read(b"/x") == b"1"

    def test_leftovers_are_removed(self, place: Place) -> None:
        for name in ("image.7.new", "spare.new", "log.9.new"):
            (place.files.directory / name).write_bytes(b"half made")
        place.restart()
        assert not [name for name in place.names() if name.endswith(".new")]

    def test_changes_while_an_image_is_written_are_in_neither_twice(self, place: Place) -> None:
        fill(place, 300_000, nodes=300)
        place.restart()
        slices = 0
        while place.store.has_work:
            place.work(1)
            place.dom0.mkdir(b"/made/%d" % slices)
            place.dom0.rm(b"/fill/%d" % slices)
            slices += 1
        before = place.state()
        place.restart()
        assert place.state() == before
        place.work()
        place.restart()
        assert place.state() == before


class TestTheEndOfFrames:
    def test_a_session_that_was_closed_leaves_no_empty_frame(self, place: Place) -> None:
        """An empty frame would look like the end of the log."""
        guest = place.guest(5)
        guest.session.feed(pack(MessageType.READ, b"no\0") * 30)
        place.store.domain_died(5)
        place.store.seal_now()
        guest.session.take()
        place.store.seal_now()
        place.dom0.write(b"/after", b"1")
        place.restart()
        assert place.dom0.read(b"/after") == b"1"
        assert place.said("dropped") == []


class TestAFullDisk:
    def test_what_does_not_grow_goes_on_for_ever(self, place: Place, disk: Disk) -> None:
        """Others have filled the disk; whatever the moment of a kill, everything is there, and goes on."""
        fill(place, 40_000)
        place.journal.look()
        place.work()
        disk.left = 0
        for n in range(60):
            place.dom0.write(b"/n", b"%d" % n)
            fill(place, 7_000)
            place.work(n % 5)
            if n % 3 == 0:
                before = place.state()
                place.restart()
                assert place.state() == before
        assert place.journal.failure is None
        assert place.store.journal_failure is None
        assert place.said("cannot be") == place.said("dropped") == []
        assert place.images_written > 10
        assert place.size() < budget.limit(0)

    def test_what_grows_of_guests_is_refused_and_dom0_goes_on(self, place: Place, disk: Disk) -> None:
        guest = place.guest(5)
        home = b"/local/domain/5"
        place.work()
        disk.left = 0
        made = 0
        with suppress(ENOSPC):
            while made < 100:
                guest.write(b"%d" % made, b"v" * 400)
                made += 1
        assert 0 < made < 100
        guest.write(b"0", b"w" * 400)
        with pytest.raises(ENOSPC):
            guest.watch(b"0", b"t" * 3000)
        tx = guest.start()
        with pytest.raises(ENOSPC):
            guest.write(b"more", b"v" * 400, tx)
        guest.ask(MessageType.TRANSACTION_END, b"F", tx=tx)
        guest.rm(b"0")
        guest.write(b"0", b"w" * 400)
        place.dom0.write(b"/n", b"v" * 1000)
        place.work()
        assert place.journal.failure is None
        assert len(place.said("the journal has no room to grow: .*guests get ENOSPC")) == 1
        before = place.state()
        place.restart()
        assert place.state() == before
        assert place.dom0.directory(home) == [b"%d" % n for n in [*range(1, made), 0]]
        disk.left = None
        place.journal.look()
        place.work()
        assert place.said("has room to grow again")
        guest = place.client_of(5)
        guest.take()  # what only its ring remembers that it was taken
        guest.write(b"more", b"v" * 400)

    def test_guests_that_write_all_at_once_are_given_room_before_they_need_it(
        self, place: Place, disk: Disk
    ) -> None:
        """Nothing else had the time to reserve any."""
        guests = [place.guest(domid) for domid in (5, 6, 7)]
        for n in range(100):
            for guest in guests:
                guest.write(b"%d" % n, b"v" * 400)
        disk.left = 0
        place.work()
        before = place.state()
        place.restart()
        assert place.state() == before
        assert place.said("no image") == []

    def test_the_store_goes_on_and_says_so(self, place: Place, disk: Disk) -> None:
        disk.left = 0
        fill(place, 100_000, nodes=100)
        assert place.dom0.read(b"/fill/1").endswith(b"1")
        (line,) = place.said("cannot be continued")
        assert "log.4: No space left on device" in line
        assert "make room there" in line
        place.dom0.send(MessageType.CONTROL, b"check\0")

    def test_nothing_stale_comes_back(self, place: Place, disk: Disk) -> None:
        place.dom0.write(b"/x", b"old")
        disk.left = 0
        fill(place, 100_000, nodes=100)
        place.dom0.write(b"/x", b"new")
        disk.left = None
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        (line,) = place.said("is dropped")
        assert "it breaks off where it could not be continued" in line
        assert "No space left on device" in line

    def test_nor_without_a_word(self, place: Place, disk: Disk) -> None:
        """It has been tried again meanwhile, for which room was made of what there was."""
        disk.left = 0
        fill(place, 100_000, nodes=100)
        for room in (0, SEGMENT, 0, 0):
            disk.left = room
            place.journal.retry()
            place.work()
        assert place.size() < budget.limit(0)
        disk.left = None
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        (line,) = place.said("is dropped")
        assert "No space left on device" in line
        place.restart()
        assert len(place.said("is dropped")) == 1

    @pytest.mark.parametrize("left", [0, 4096, 100_000])
    def test_it_recovers_by_itself(self, place: Place, disk: Disk, left: int) -> None:
        fill(place, 10_000)
        disk.left = left
        fill(place, 400_000, nodes=400)
        assert place.journal.failure is not None
        for room in (
            0,
            SEGMENT,
            2 * SEGMENT + 100,
        ):  # for nothing, for a log without an image, for a part of it
            disk.left = room
            place.journal.retry()
            place.work()
            assert place.journal.failure is not None
            assert place.store.journal_failure is not None
        disk.left = None
        place.journal.retry()
        assert place.journal.failure is None
        assert place.store.journal_failure is not None
        place.work()
        assert place.store.journal_failure is None
        assert place.said("the journal is complete again")
        before = place.state()
        place.restart()
        assert place.state() == before

    def test_a_kill_at_every_slice_of_that(self, place: Place, disk: Disk) -> None:
        """Until it is complete there is nothing to recover, which is said; never is there a part."""
        outcomes = set()
        for n in range(40):
            place.restart("--fresh")
            place.dom0.write(b"/n", b"old")
            disk.left = 0
            fill(place, 100_000, nodes=100)
            place.dom0.write(b"/n", b"%d" % n)
            disk.left = None
            place.journal.retry()
            place.work(n)
            place.dom0.write(b"/m", b"%d" % n)
            place.log.clear()
            place.restart()
            if b"n" in place.dom0.directory(b"/"):
                assert place.dom0.read(b"/n") == place.dom0.read(b"/m") == b"%d" % n
                assert len(place.dom0.directory(b"/fill")) == 100
            else:
                assert place.dom0.directory(b"/") == [b"tool"]
                assert place.said("dropped")
            outcomes.add(b"n" in place.dom0.directory(b"/"))
        assert outcomes == {True, False}

    def test_one_that_never_began(self, place: Place, disk: Disk) -> None:
        """The first segment cannot be written; later it can, but does not hold what was before."""
        disk.left = 0
        place.files.remove_reserve()
        place.restart("--fresh")
        place.dom0.write(b"/a", b"1")
        assert place.said("cannot be continued")
        disk.left = None
        place.journal.retry()
        place.dom0.set_perms(b"/a", b"n0", b"r5")
        place.log.clear()
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        assert place.said("the image that they follow is missing")

    @pytest.mark.parametrize("left", [0, 16384, 40_000, None])
    def test_a_store_that_came_from_elsewhere(self, place: Place, disk: Disk, left: int | None) -> None:
        """By live update: once it is served, what an older journal holds is stale, image or not."""
        place.dom0.write(b"/x", b"old")
        place.restart()
        place.work()
        place.end()
        place.store = Store()
        place.store.log = place.log.append
        place.dom0 = Client(place.store.connect())
        fill(place, 200_000, nodes=200)
        disk.left = left
        options = parse(["--rundir", str(place.rundir)], {})
        place.journal = begin_journal(options, place.store, place.log.append)
        place.dom0.write(b"/x", b"new")
        if left is not None:
            assert place.store.journal_failure is not None
            assert place.said("nothing .*survives")
        else:
            assert place.store.journal_failure is None
        before = place.state()
        place.restart()
        if left is None:
            assert place.state() == before
        else:
            assert place.dom0.directory(b"/") == [b"tool"]

    @pytest.mark.parametrize("left", [0, 5000, 20_000, 100_000])
    def test_no_work_is_done_over_and_over(self, place: Place, disk: Disk, left: int) -> None:
        """A recovered journal wants an image, for which there is no room; all is in the log."""
        fill(place, 300_000, nodes=300)
        place.restart()
        disk.left = left
        place.work()
        assert place.journal.failure is None
        assert place.said("no image of the journal can be written: .*No space left")
        place.dom0.write(b"/x", b"new")
        before = place.state()
        disk.left = None
        place.restart()
        assert place.state() == before

    def test_half_a_request_while_nothing_is_recorded(self, place: Place, disk: Disk) -> None:
        guest = place.guest(5)
        disk.left = 0
        fill(place, 40_000)
        half = pack(MessageType.WRITE, b"a\0b")
        guest.session.feed(pack(MessageType.READ, b"/\0") + half[:10])
        guest.session.take(3)
        disk.left = None
        place.journal.retry()
        place.work()
        guest.session.feed(half[10:] + half[:10])
        guest.session.take(4)
        guest.session.feed(half[10:] + half[:12])
        before = place.state()
        place.restart()
        assert place.state() == before


def test_a_journal_that_was_left_in_vain_is_not_complete_before_its_next_image(place: Place) -> None:
    """As after a live update to a program that could not be executed."""
    place.dom0.write(b"/a", b"1")
    place.journal.leave("another program went on")
    place.journal.retry()
    assert place.store.journal_failure == "another program went on"
    place.work()
    assert place.store.journal_failure is None
