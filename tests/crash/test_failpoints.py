"""A kill at each named place in the code, under load: nothing is lost, nothing happens twice."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.daemon import Daemons
from tests.crash.load import Load
from tests.peers.ring import CONNECTION, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, Guest
from tests.peers.wire import Closed, Wire
from xenstore.wire import MessageType

ROOT = Path(__file__).parents[2]
#: Segments short enough that the load fills some.
SEGMENT_BYTES = 32768
#: More replies than come before any of these places is reached so often.
ANSWERS_MAX = 100_000

#: Where, and when it gets there for which time: while it starts, early, and in the midst of the load.
UNDER_LOAD = {
    "seal.before": (1, 2, 60, 301),
    "seal.torn": (1, 2, 60, 301),
    "seal.copied": (1, 2, 60, 301),
    "seal.after": (1, 2, 60, 301),
    "ring.taken": (1, 2, 30, 151),
    "ring.placed": (1, 2, 3, 60, 151),
    "ring.shown": (1, 2, 3, 60, 151),
    "segment.filled": (1, 2, 3, 6),
    "segment.begun": (1, 2, 3, 6),
    "image.begun": (1, 2),
    "image.slice": (1, 2),
    "image.written": (1, 2),
    "image.placed": (1, 2),
    "image.recycled": (1, 2),
    "segment.recycled": (1, 2, 6, 30),
}
#: When there is no room any more: see test_disk.
ON_A_FULL_DISK = ("journal.ended",)
#: When a ring is emptied, which no guest of the load asks for.
AT_A_RESTART = ("ring.restart", "ring.restarted")


def names_in_the_code() -> set[str]:
    sources = [*(ROOT / "xenstore").rglob("*.py"), *(ROOT / "cython").rglob("*.pyx")]
    return {
        name for path in sources for name in re.findall(r"""\breach\(["']([^"']+)["']\)""", path.read_text())
    }


def test_each_one_has_a_test() -> None:
    assert names_in_the_code() == {*UNDER_LOAD, *AT_A_RESTART, *ON_A_FULL_DISK}


@pytest.fixture
def daemons(make: Callable[..., Daemons]) -> Daemons:
    daemons = make("--timeout", "watch-event=0", segment_bytes=SEGMENT_BYTES)
    assert daemons.start()
    return daemons


@pytest.mark.parametrize(
    ("name", "count"), [(name, count) for name in UNDER_LOAD for count in UNDER_LOAD[name]]
)
def test_a_kill_under_load(daemons: Daemons, name: str, count: int) -> None:
    load = Load(daemons, seed=count, rings=4, sockets=4)
    assert load.run(200)
    daemons.kill()
    load.after_kill()
    if daemons.start(failpoint=f"{name}:{count}"):
        load.connect()
        assert not load.run(ANSWERS_MAX), f"{name} was not reached {count} times"
    assert daemons.reap() == -9
    load.after_kill()
    assert daemons.start(), daemons.said()
    load.connect()
    daemons.check()
    assert load.run(300)
    load.finish()
    load.close()


@pytest.mark.parametrize("features", [b"15", b"14"], ids=["may ask", "may not ask"])
@pytest.mark.parametrize("name", AT_A_RESTART)
def test_a_kill_while_a_ring_is_emptied(daemons: Daemons, name: str, features: bytes) -> None:
    """Introduced again, a domain begins with an empty ring, without watches; with or without the kill."""
    with Wire(daemons.socket) as dom0, Guest(daemons.guests, 3) as guest:
        introduce = (MessageType.INTRODUCE, b"3\x001\x009\0")
        dom0.request(MessageType.SET_FEATURE, b"3\0" + features + b"\0")
        dom0.request(*introduce)
        guest.request(MessageType.WATCH, b"/tool\0t\0")
        for n in range(40):
            assert guest.request(MessageType.READ, b"/tool\0", req_id=n).req_id == n
        daemons.kill()
        assert daemons.start(failpoint=name)
        with Wire(daemons.socket) as other, pytest.raises(Closed):
            other.request(*introduce)
        assert daemons.reap() == -9
        assert guest.words[CONNECTION] == 1
        assert daemons.start()
        indices = [guest.words[at] for at in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD)]
        assert [*indices, guest.words[CONNECTION]] == [0] * 5
        assert guest.request(MessageType.TRANSACTION_START, b"\0").payload == b"1\0"
        assert guest.request(MessageType.WATCH, b"/tool\0t\0").payload == b"OK\0"
        daemons.check()


@pytest.mark.parametrize("name", AT_A_RESTART)
def test_a_kill_while_a_guest_starts_anew(daemons: Daemons, name: str) -> None:
    with Wire(daemons.socket) as dom0, Guest(daemons.guests, 3) as guest:
        dom0.request(MessageType.INTRODUCE, b"3\x001\x009\0")
        guest.request(MessageType.WATCH, b"/tool\0t\0")
        daemons.kill()
        assert daemons.start(failpoint=name)
        guest.words[CONNECTION] = 1
        guest.fire()
        assert daemons.ends()
        assert daemons.reap() == -9
        assert daemons.start()
        guest.wait(lambda: guest.words[CONNECTION] == 0)
        assert guest.request(MessageType.WATCH, b"/tool\0t\0").payload == b"OK\0"
        daemons.check()
