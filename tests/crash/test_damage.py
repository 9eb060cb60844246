"""Files of the journal cut short and flipped: what is recovered is the state after some prefix of the
changes, and what is left out is said.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.requests import Source
from tests.unit.journal.place import Place, small_segments
from tests.unit.store.client import Client
from tests.unit.store.random_store import nodes_of
from xenstore.journal.image import Image
from xenstore.journal.reader import Found
from xenstore.journal.segment import HEADER_BYTES
from xenstore.store import Store

SEGMENT_BYTES = 6144
#: Of a frame, what is so close to where a segment begins or ends is tried byte by byte.
EDGE_BYTES = 100

#: Nodes, and the sessions' state.
State = tuple[bytes, Any]


def state_of(store: Store) -> State:
    return nodes_of(store), {domid: session.export() for domid, session in store.introduced.items()}


class History:
    """A journal of a few segments, with an image, and the state after each of its frames.

    Attributes:
        states: by sequence, from the image on; what came before is not to be had any more.
        files: what the files hold in the end, without the reserve, which says nothing.
        last: where the last frame begins in the last segment, and where it ends.
    """

    def __init__(self, directory: Path, seed: int, last_value: int = 100) -> None:
        place = Place(directory)
        chance = random.Random(seed)
        source = Source(chance)
        for domid in (1, 2):
            place.guest(domid)
        place.restart()
        self.states: dict[int, State] = {}
        for n in range(60):
            if n == 20:
                while place.files.logs()[-1] == 1:  # which would do without the image
                    Client(place.store.connect()).write(b"/fill", b"%300d" % n)
                place.work()
                self.states.clear()
                self._note(place)
            clients = [("0", place.dom0), *((str(domid), place.client_of(domid)) for domid in (1, 2))]
            begin = self._end(place)
            if n == 59:
                Client(place.store.connect()).write(b"/last", b"v" * last_value)
            else:
                source.act(*chance.choice(clients))
            self._note(place)
        self.last = begin, self._end(place)
        assert place.store.recorder is not None
        self.sequence = place.store.recorder.sequence
        self.place = place
        place.end()
        said = [
            *map(place.files.image, place.files.images()),
            *map(place.files.log, place.files.logs()),
        ]
        self.files = {path: path.read_bytes() for path in said}

    def _note(self, place: Place) -> None:
        """The state that a kill would leave now."""
        place.store.seal_now()
        assert place.store.recorder is not None
        store = Store()
        Found(place.files).recover(store)
        self.states[place.store.recorder.sequence] = state_of(store)
        assert nodes_of(store) == nodes_of(place.store)

    def _end(self, place: Place) -> tuple[int, int]:
        """The last segment's number, and how far it is filled."""
        assert place.store.recorder is not None
        return place.files.logs()[-1], SEGMENT_BYTES - place.store.recorder.room

    def with_changes(self, changes: Iterable[tuple[Path, bytes]]) -> Found:
        """Recover with some files changed; what comes of it must be a state that there was, or nothing, and
        what is missing must be said."""
        changed = dict(changes)
        for path, data in changed.items():
            _overwrite(path, data)
        try:
            return self._recover()
        finally:
            for path in changed:
                _overwrite(path, self.files[path])

    def _recover(self) -> Found:
        found = Found(self.place.files)
        if found.is_empty:
            assert found.dropped
            return found
        store = Store()
        found.recover(store)
        assert state_of(store) == self.states[found.sequence]
        return found


def _overwrite(path: Path, data: bytes) -> None:
    """In place: a file that is emptied before it is written is waited for on some disks."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


@pytest.fixture(scope="module", params=[1, 2])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with pytest.MonkeyPatch.context() as patch:
        small_segments(patch, SEGMENT_BYTES)
        yield History(tmp_path_factory.mktemp("journal"), request.param)


@pytest.fixture
def long_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Its last frame goes on in further segments."""
    small_segments(monkeypatch, SEGMENT_BYTES)
    return History(tmp_path, 3, last_value=3000)


def frame(history: History) -> list[tuple[Path, int]]:
    """Where each byte of the last frame is."""
    (number, at), end = history.last
    places = []
    while (number, at) < end:
        if at == SEGMENT_BYTES:
            number, at = number + 1, HEADER_BYTES
            continue
        places.append((history.place.files.log(number), at))
        at += 1
    return places


def cut(history: History, at: int, places: list[tuple[Path, int]], by: Callable[[bytes], bytes]) -> Found:
    """Recover without what follows byte `at` of the last frame."""
    path, offset = places[at]
    changes = {path: by(history.files[path][:offset])}
    for later in {path for path, _ in places[at:]} - {path}:
        changes[later] = by(history.files[later][:HEADER_BYTES])
    return history.with_changes(changes.items())


def with_zeros(data: bytes) -> bytes:
    return data.ljust(SEGMENT_BYTES, b"\0")


@pytest.mark.parametrize("by", [with_zeros, bytes], ids=["not yet copied", "cut off"])
def test_every_byte_of_the_last_record(history: History, by: Callable[[bytes], bytes]) -> None:
    bytes_of_the_frame(history, by)


@pytest.mark.parametrize("by", [with_zeros, bytes], ids=["not yet copied", "cut off"])
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.long)])
def test_bytes_of_one_in_several_segments(
    long_history: History, by: Callable[[bytes], bytes], stride: int
) -> None:
    assert long_history.last[0][0] < long_history.last[1][0]
    bytes_of_the_frame(long_history, by, stride)


def bytes_of_the_frame(history: History, by: Callable[[bytes], bytes], stride: int = 1) -> None:
    """Cut the last frame before each byte; far from its segments' edges, before each `stride`th byte."""
    places = frame(history)
    assert len(places) > 100
    edges = [0, len(places), *(n for n in range(1, len(places)) if places[n][0] != places[n - 1][0])]
    near = {n for edge in edges for n in range(edge - EDGE_BYTES, edge + EDGE_BYTES)}
    for at in (n for n in range(len(places)) if n in near or n % stride == 0):
        found = cut(history, at, places, by)
        if found.sequence == history.sequence:
            assert at >= len(places) - 7  # nothing but padding is missing
        else:
            assert found.sequence == history.sequence - 1
            assert bool(found.dropped) == (at > 0)  # of what never began there is no trace
    assert history.with_changes([]).dropped == []


@pytest.mark.parametrize("flips", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_random_flips(history: History, flips: int) -> None:
    """Of one bit or some, anywhere; half of them where there is something."""
    chance = random.Random(1)
    paths = sorted(history.files)
    used = {path: [at for at, byte in enumerate(data) if byte] for path, data in history.files.items()}
    outcomes: Counter[str] = Counter()
    for n in range(flips):
        path = chance.choice(paths)
        data = bytearray(history.files[path])
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            at = chance.choice(used[path]) if n % 2 else chance.randrange(len(data))
            data[at] ^= 1 << chance.randrange(8)
        found = history.with_changes([(path, bytes(data))])
        assert found.end is None
        if found.is_empty:
            assert path.name.startswith("image") or len(history.files) == 1
            outcomes["nothing"] += 1
        else:
            assert found.dropped or found.sequence == history.sequence
            outcomes["all" if found.sequence == history.sequence else "a part"] += 1
    assert outcomes["all"] > 0
    assert outcomes["a part"] > 0
    assert outcomes["nothing"] > 0


def test_images(history: History) -> None:
    """Every byte of one: it is not recovered, which is said."""
    (path,) = [path for path in history.files if path.name.startswith("image")]
    data = history.files[path]
    header = 8 + 16 + 4 * 8 + 2 * 4
    for at in [*range(header), *range(HEADER_BYTES, Image(path).size, 5)]:
        found = history.with_changes([(path, data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :])])
        assert found.is_empty
        assert str(path) in found.dropped[0]
