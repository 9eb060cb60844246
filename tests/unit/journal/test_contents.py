"""Journals and streams whose checksums are right and whose contents no store has written.

Each is an error with its file and place, never a fault of the program's; what is accepted passes the store's
own check, and can be written and read again.
"""

import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chance import seeds
from tests.unit.journal.place import Place
from tests.unit.store.random_store import Populated
from xenstore import stream
from xenstore._recorder import checksum_of
from xenstore.image import capture, restore
from xenstore.journal import boot
from xenstore.journal.image import HEADER_BYTES as IMAGE_HEADER_BYTES
from xenstore.journal.image import Image
from xenstore.journal.segment import HEADER_BYTES, read_header
from xenstore.server import arrival
from xenstore.store import Store
from xenstore.stream import StreamError
from xenstore.wire import MessageType, pack

IMPOSSIBLE = Path(__file__).with_name("impossible")
FRAME = struct.Struct("=IIQQ")
#: In front of each entry of a frame.
ENTRY = struct.Struct("=BBHiII")
#: Where an image's header says how long the stream is; the checksums of that and of the header follow.
SIZE = struct.Struct("<QI")
SIZE_AT = 48

#: What each says of its bad frame, where that begins, and how many changes stand before.
LOGS = {
    "generation": ("frame 5: generation 18446744073709551615 is out of range", 4336, 4),
    "transaction-id": ("frame 11: a transaction 0, which is no id, or open already", 4904, 10),
    "features": ("frame 3: -788529137 is not in 0 .. 2147483647", 4216, 2),
    "quota-name": ("frame 61: no quota is called '/-ocal/do-main/1/n1'", 10680, 60),
    "quota-name-later": ("frame 17: no quota is called '/loxa9/domain\\x03/1/n'", 5512, 16),
}


@pytest.mark.parametrize("name", LOGS)
def test_an_impossible_frame_ends_the_journal(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, offset, changes = LOGS[name]
    path = planted(tmp_path, IMPOSSIBLE / f"{name}.log")
    header = read_header(memoryview(path.read_bytes()))
    monkeypatch.setattr(boot, "identity", lambda: header.boot)
    place = Place(tmp_path)
    (line,) = place.said("dropped")
    assert line.startswith(f"journal: dropped {path}: at byte {offset}: {problem}")
    assert place.said(f"as of change {changes}")
    assert place.store.check() == []
    place.dom0.write(b"/new", b"1")
    place.store.seal_now()
    place.restart()  # the bad frame is still there, and does not hide what was recorded after it
    assert place.dom0.read(b"/new") == b"1"
    place.work()
    place.log.clear()
    place.restart()
    assert place.dom0.read(b"/new") == b"1"
    assert place.said("dropped") == []
    place.end()


def test_an_impossible_stream_is_refused() -> None:
    data = (IMPOSSIBLE / "ring-error.stream").read_bytes()
    with pytest.raises(StreamError, match="at byte 272 in a record of type 0x58450002: error 2147483648"):
        stream.read(data, Store())


def test_an_impossible_state_is_not_gone_on_from(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state"
    shutil.copy(IMPOSSIBLE / "ring-error.stream", path)
    assert arrival.check(str(path)) == 1
    assert capfd.readouterr().err.startswith(f"xenstored: {path} is no state to go on from: at byte 272")


def planted(rundir: Path, source: Path) -> Path:
    path = rundir / "journal/log.1"
    path.parent.mkdir(mode=0o700)
    shutil.copy(source, path)
    path.chmod(0o600)
    return path


# --- by chance ------------------------------------------------------------------------------------------


def lived(rundir: Path, seed: int) -> Place:
    """A store with a journal that has an entry of every kind."""
    chance = random.Random(seed)
    place = Place(rundir)
    guests = [place.guest(domid) for domid in (1, 2, 3)]
    place.dom0.ask(MessageType.SET_TARGET, b"1", b"2")
    place.hypervisor.domids.add(7)
    place.dom0.ask(MessageType.SET_FEATURE, b"7", b"3")
    place.dom0.ask(MessageType.SET_QUOTA, b"nodes", b"77")
    place.dom0.ask(MessageType.SET_QUOTA, b"3", b"watches", b"5")
    for number in range(chance.randrange(20)):
        guest = chance.choice(guests)
        act(guest.session.feed, chance, number)
        guest.session.take(chance.randrange(200))
        place.store.seal_now()
    if chance.random() < 0.3:
        place.store.ignore(3, 2)
    if chance.random() < 0.3:
        place.store.domain_shutdown(2)
    if chance.random() < 0.3:
        place.store.domain_died(3)
    place.store.seal_now()
    return place


def act(feed: Callable[[bytes], object], chance: random.Random, number: int) -> None:
    name = b"n%d" % chance.randrange(4)
    match chance.randrange(7):
        case 0 | 1:
            feed(pack(MessageType.WRITE, name + b"\0" + bytes(chance.randrange(30))))
        case 2:
            feed(pack(MessageType.WATCH, name + b"\0t%d\0" % number))
        case 3:
            feed(pack(MessageType.UNWATCH, name + b"\0t%d\0" % chance.randrange(number + 1)))
        case 4:
            feed(pack(MessageType.TRANSACTION_START, b"\0"))
        case 5:
            feed(pack(MessageType.SET_PERMS, name + b"\0n1\0r2\0"))
        case 6:
            feed(pack(MessageType.RM, name + b"\0")[: chance.randrange(8, 30)])


INTERESTING = [0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x7FF0, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1]


def changed(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Change a few bytes or numbers between two offsets."""
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        size = chance.choice([1, 1, 2, 4, 8])
        at = chance.randrange(start, max(start + 1, end - size + 1))
        if chance.random() < 0.4:
            data[at] ^= 1 << chance.randrange(8)
            continue
        value = chance.choice([*INTERESTING, chance.getrandbits(8 * size)]) & ((1 << 8 * size) - 1)
        data[at : min(at + size, end)] = value.to_bytes(size, "little")[: min(size, end - at)]


def spoil_log(path: Path, chance: random.Random, begin: int = 0) -> None:
    """Change the contents of a frame from a byte on, at its entries' heads mostly; the checksum fits."""
    data = bytearray(path.read_bytes())
    frames = []
    at = HEADER_BYTES + begin
    while at + FRAME.size <= len(data) and (size := FRAME.unpack_from(data, at)[0]):
        frames.append((at, size))
        at += FRAME.size + size + -size % 8
    if not frames:
        return
    start, size = chance.choice(frames)
    if chance.random() < 0.1:
        changed(data, start + 16, start + FRAME.size, chance)  # the generation
    else:
        heads, at = [], start + FRAME.size
        while at + ENTRY.size <= start + FRAME.size + size:
            heads.append(at)
            *_, first, second = ENTRY.unpack_from(data, at)
            at += ENTRY.size + first + second
        if heads and chance.random() < 0.6:
            head = chance.choice(heads)
            changed(data, head, head + ENTRY.size, chance)
        else:
            changed(data, start + FRAME.size, start + FRAME.size + size, chance)
    body = data[start : start + 4] + data[start + 8 : start + FRAME.size + size]
    struct.pack_into("=I", data, start + 4, checksum_of(bytes(body)))
    path.write_bytes(data)


def spoil_image(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    size, _ = SIZE.unpack_from(data, SIZE_AT)
    end = IMAGE_HEADER_BYTES + size
    changed(data, IMAGE_HEADER_BYTES + 16, end, chance)
    SIZE.pack_into(data, SIZE_AT, size, zlib.crc32(data[IMAGE_HEADER_BYTES:end]))
    header = SIZE_AT + SIZE.size
    struct.pack_into("<I", data, header, zlib.crc32(data[:header]))
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(12, of=40))
def test_spoilt_logs_and_images(seed: int, tmp_path: Path, small: None) -> None:
    chance = random.Random(seed)
    whole = lived(tmp_path / "whole", seed)
    imaged: dict[str, int] = {}  # up to where frames do not count any more
    if seed % 2:
        whole.restart()
        whole.work()  # an image
        begin = Image(whole.files.image(whole.files.images()[-1])).place
        imaged[f"log.{begin.segment}"] = begin.at
        whole.dom0.write(b"/after", b"1")
    whole.end()
    dropped = 0
    for number in range(12):
        rundir = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", rundir)
        paths = sorted((rundir / "journal").glob("image.*" if seed % 4 == 1 else "log.*"))
        path = chance.choice(paths)
        if path.name.startswith("image"):
            spoil_image(path, chance)
        else:
            spoil_log(path, chance, imaged.get(path.name, 0))
        place = Place(rundir)
        for line in place.said("dropped"):
            assert line.startswith(f"journal: dropped {rundir}/journal/"), line
            dropped += 1
        accepted(place.store)
        place.dom0.write(b"/new", b"1")
        place.restart()
        assert place.dom0.read(b"/new") == b"1"
        accepted(place.store)
        place.end()
    assert dropped


def accepted(store: Store) -> None:
    """See that a store is as whole as any: it counts right, serves, and can be handed on."""
    assert store.check() == []
    for session in list(store.introduced.values()):
        session.feed(b"")
        session.take()
        if not session.closed:
            session.feed(pack(MessageType.GET_DOMAIN_PATH, b"1\0"))
            session.take()
    assert store.check() == []
    data = b"".join(stream.write(capture(store), store, private=True))
    again = Store()
    restore(stream.read(data, again), again)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(6, of=30))
def test_spoilt_streams(seed: int) -> None:
    chance = random.Random(seed)
    before = Populated(seed, requests=60)
    private = seed % 3 != 0
    data = b"".join(stream.write(before.image(), before.world.store, private=private))
    refused = 0
    for _ in range(150):
        spoilt = bytearray(data)
        changed(spoilt, 16, len(data), chance)
        store = Store()
        try:
            restore(stream.read(bytes(spoilt), store), store)
        except (StreamError, ValueError):
            refused += 1
        else:
            accepted(store)
    assert 0 < refused < 150
