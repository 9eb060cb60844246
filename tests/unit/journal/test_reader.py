"""Recovery: the longest prefix that is whole, and a line for whatever is left out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.journal.place import Place
from xenstore.errors import EAGAIN, ENOENT
from xenstore.journal.image import HEADER_BYTES as IMAGE_HEADER_BYTES
from xenstore.journal.image import Image
from xenstore.journal.reader import Found
from xenstore.journal.segment import HEADER_BYTES, end_segment
from xenstore.store import Store
from xenstore.wire import MessageType, pack

SEGMENT = 16384  # as the fixture `small` has it


def count_up(place: Place, to: int, start: int = 0) -> None:
    for n in range(start, to):
        place.dom0.write(b"/n", b"%d" % n)
        place.dom0.write(b"/fill", b"%1000d" % n)


def number(place: Place) -> int:
    """How far the store got, which holds whole steps of `count_up` only."""
    return int(place.dom0.read(b"/n"))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


class TestWhatIsLeftOut:
    def test_nothing_at_all(self, place: Place) -> None:
        place.restart()
        assert place.log == [
            f"recovered from {place.files.directory}: 5 nodes and 0 domains, as of change 0",
        ]

    def test_a_damaged_frame_and_all_after_it(self, place: Place) -> None:
        count_up(place, 40)
        flip(place.files.log(2), HEADER_BYTES + 5000)
        place.restart()
        assert 10 < number(place) < 30
        assert [line.split(": ", 2)[1:] for line in place.said("dropped")] == [
            [f"dropped {place.files.log(2)}", place.said("after frame")[0].split(": ", 2)[2]],
            [f"dropped {place.files.log(3)}", "what it follows is missing"],
            [f"dropped {place.files.log(4)}", "what it follows is missing"],
        ]

    def test_what_is_recorded_after_a_damage_is_found_again(self, place: Place) -> None:
        count_up(place, 40)
        flip(place.files.log(2), HEADER_BYTES + 5000)
        place.restart()
        there = number(place)
        for n in range(5):
            count_up(place, 110 + n, 100 + n)
            before = place.state()
            place.restart()
            assert place.state() == before
        assert there < number(place) == 113

    def test_a_frame_whose_size_is_too_large(self, place: Place) -> None:
        """It seems to go on in a segment that there is not."""
        place.dom0.write(b"/a", b"1")
        place.dom0.write(b"/b", b"1")
        flip(place.files.log(1), HEADER_BYTES + 2)  # 65536 more
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        (line,) = place.said("dropped")
        assert line.endswith("log.1: after frame 0: its end is missing")

    def test_a_segment_that_is_missing(self, place: Place) -> None:
        count_up(place, 40)
        place.files.log(2).unlink()
        place.restart()
        assert number(place) < 20
        assert len(place.said("what it follows is missing")) == 2

    @pytest.mark.parametrize("harm", [Path.unlink, lambda path: flip(path, 9)], ids=["missing", "damaged"])
    def test_the_first_segment(self, place: Place, harm: Callable[[Path], None]) -> None:
        """What follows is worth nothing; what comes then is a journal of its own at once."""
        count_up(place, 40)
        harm(place.files.log(1))
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        assert place.said("dropped")
        place.dom0.write(b"/new", b"1")
        place.restart()
        assert place.dom0.read(b"/new") == b"1"

    def test_a_segment_of_another_journal(self, place: Place, tmp_path: Path) -> None:
        count_up(place, 10)
        stranger = Place(tmp_path / "other")
        count_up(stranger, 30)
        stranger.end()
        stranger.files.log(2).rename(place.files.log(2))
        place.restart()
        assert number(place) == 9
        (line,) = place.said("dropped")
        assert line.endswith("log.2: it belongs to another journal")

    def test_an_image_that_is_damaged(self, place: Place) -> None:
        """An older one serves, as long as it is there with its segments."""
        count_up(place, 40)
        place.restart()
        place.work()
        (old,) = place.files.images()
        kept = {place.files.image(old): place.files.image(old).read_bytes()}
        count_up(place, 42, 40)
        place.restart()
        place.work()
        (new,) = place.files.images()
        for path, data in kept.items():
            path.write_bytes(data)
        count_up(place, 44, 42)
        flip(place.files.image(new), IMAGE_HEADER_BYTES + 100)
        place.restart()
        assert number(place) == 43
        (line,) = place.said(f"image.{new}")
        assert line.endswith("its checksum is wrong")

    def test_the_only_image_is_damaged(self, place: Place) -> None:
        count_up(place, 40)
        place.restart()
        place.work()
        flip(place.files.image(place.files.images()[0]), IMAGE_HEADER_BYTES + 100)
        place.log.clear()
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        assert len(place.said("its checksum is wrong")) == 1
        assert len(place.said("the image that they follow is missing")) == 1

    def test_the_first_segment_does_without_an_image(self, place: Place) -> None:
        """What it holds is whole from the beginning."""
        count_up(place, 5)
        place.restart()
        place.work()
        count_up(place, 8, 5)
        flip(place.files.image(place.files.images()[0]), IMAGE_HEADER_BYTES + 100)
        place.restart()
        assert number(place) == 7

    @pytest.mark.parametrize("size", [0, 1, 64, 4095, 4096, 4097])
    def test_an_image_that_is_cut_short(self, place: Place, size: int) -> None:
        place.restart()
        place.work()
        path = place.files.image(place.files.images()[0])
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(ValueError, match=r"."):
            Image(path)
        place.restart()
        assert place.said("image")

    @pytest.mark.parametrize("size", [0, 1, 4095, HEADER_BYTES, HEADER_BYTES + 1])
    def test_a_segment_that_is_cut_short(self, place: Place, size: int) -> None:
        count_up(place, 40)
        path = place.files.log(2)
        path.write_bytes(path.read_bytes()[:size])
        place.restart()
        assert number(place) < 20
        assert place.said("dropped")

    def test_a_journal_that_says_where_it_ends(self, place: Place) -> None:
        count_up(place, 3)
        end_segment(place.files.log(1), "the disk is full")
        place.restart()
        assert place.dom0.directory(b"/") == [b"tool"]
        (line,) = place.said("is dropped")
        assert "the disk is full" in line

    @pytest.mark.parametrize("ended", [False, True])
    @pytest.mark.parametrize("first", range(0, 8 * 236, 61))
    def test_flipped_bits_neither_hide_an_end_nor_make_one(
        self, place: Place, first: int, ended: bool
    ) -> None:
        """Nothing stale for an end that was damaged, nothing lost for one that never was."""
        count_up(place, 1)
        if ended:
            end_segment(place.files.log(1), "the disk is full")
        data = bytearray(place.files.log(1).read_bytes())
        for bit in range(first, min(first + 8 * 60, 8 * 236), 40):
            data[512 + bit // 8] ^= 1 << bit % 8
        place.files.log(1).write_bytes(data)
        assert (Found(place.files).end is not None) is ended
        if not ended:
            place.restart()
            assert number(place) == 0  # the one step of counting


class TestWhatIsRecovered:
    def test_looking_changes_nothing(self, place: Place) -> None:
        count_up(place, 40)
        before = {path: path.read_bytes() for path in place.files.directory.iterdir()}
        Found(place.files).recover(Store())
        assert {path: path.read_bytes() for path in place.files.directory.iterdir()} == before

    def test_generations_are_never_used_again(self, place: Place) -> None:
        """A client that reads a directory in parts across restarts must see that it is another one."""

        def generation() -> int:
            part = place.dom0.ask(MessageType.DIRECTORY_PART, b"/d", b"0")
            return int(part.partition(b"\0")[0])

        place.dom0.write(b"/d/a", b"1")
        seen = [generation()]
        for n in range(6):
            if n % 2:
                place.work()  # an image
            place.restart()
            place.dom0.write(b"/d/%d" % n, b"1")
            seen.append(generation())
        assert seen == sorted(set(seen))

    def test_everything_that_is_no_node(self, place: Place) -> None:
        guest, target = place.guest(5), place.guest(6)
        place.hypervisor.domids |= {7}
        dom0 = place.dom0
        dom0.ask(MessageType.SET_TARGET, b"5", b"6")
        dom0.ask(MessageType.SET_FEATURE, b"7", b"3")
        dom0.ask(MessageType.SET_QUOTA, b"nodes", b"77")
        dom0.ask(MessageType.SET_QUOTA, b"6", b"watches", b"5")
        dom0.ask(MessageType.SET_QUOTA, b"7", b"nodes", b"50")
        dom0.set_perms(b"@releaseDomain", b"n0", b"r5")
        guest.watch_only(b"a", b"t", b"2")
        guest.watch_only(b"@releaseDomain", b"r")
        target.watch_only(b"gone", b"t")
        target.unwatch(b"gone", b"t")
        tx = guest.start()
        guest.write(b"a", b"in a transaction", tx)
        guest.session.feed(pack(MessageType.READ, b"a\0")[:9])
        place.store.domain_shutdown(6)
        before = place.state()
        for work in (False, True, False):
            place.restart()
            assert place.state() == before
            store = place.store
            assert (store.quotas["nodes"], store.domain_quotas(6)["watches"]) == (77, 5)
            assert store.domain_quotas(7)["nodes"] == 50
            assert (store.features_ahead, store.reported_shutdowns) == ({7: 3}, {6})
            assert store.introduced[5].target == 6
            if work:
                place.work()
        guest = place.client_of(5)
        guest.session.feed(pack(MessageType.READ, b"a\0")[9:])
        guest.take()
        with pytest.raises(EAGAIN):
            guest.end(tx)
        with pytest.raises(ENOENT):
            guest.read(b"a")

    def test_a_domain_that_is_ignored_stays_so(self, place: Place) -> None:
        guest = place.guest(5)
        guest.watch(b"a")
        place.store.ignore(5, 2)
        place.store.seal_now()
        for work in (True, False):
            place.restart()
            assert place.store.ignored == {5: 2}
            assert place.store.introduced[5].closed
            assert place.store.usage(5)["watches"] == 0
            if work:
                place.work()

    def test_a_domain_that_is_gone(self, place: Place) -> None:
        place.guest(5).write(b"a", b"1")
        place.dom0.set_perms(b"/tool", b"n0", b"r5")
        place.store.domain_died(5)
        before = place.state()
        place.restart()
        assert place.state() == before
        assert place.dom0.get_perms(b"/tool") == [b"n0"]
        place.guest(5)
        assert place.dom0.get_perms(b"/tool") == [b"n0"]

    def test_a_commit_is_there_or_not(self, place: Place) -> None:
        """With what changed in between by others, who win where it does not show."""
        one, other = place.dom0.start(), place.dom0.start()
        place.dom0.mkdir(b"/d", one)
        place.dom0.write(b"/d/a", b"1", one)
        place.dom0.write(b"/e", b"never", other)
        place.dom0.write(b"/d", b"value")
        place.dom0.end(one)
        before = place.state()
        place.restart()
        assert place.state() == before
        assert place.dom0.read(b"/d") == b"value"
        with pytest.raises(ENOENT):
            place.dom0.read(b"/e")
